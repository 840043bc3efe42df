"""Owners of tasks."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.requests import Request

from mcpkit.core.settings import AuthSettings
from mcpkit.core.tasks.owners import Owners

REQUEST: Any = None
"""Owners look at who is authenticated alone."""


@contextmanager
def authenticated(client: str, **claims: Any) -> Iterator[None]:
    user = AuthenticatedUser(AccessToken(token=client, client_id=client, scopes=[], **claims))
    token = auth_context_var.set(user)
    yield
    auth_context_var.reset(token)


def owner(server: str, client: str | None, keys: dict[str, str], **claims: Any) -> str:
    owners = Owners(server, AuthSettings.model_validate({"api_keys": keys}))
    if client is None:
        return owners.of(REQUEST)
    with authenticated(client, **claims):
        return owners.of(REQUEST)


def test_an_owner_is_server_client_and_key() -> None:
    keys = {"alice": "a" * 20, "bob": "b" * 20}
    alice = owner("one", "alice", keys)
    others = {
        "other client": owner("one", "bob", keys),
        "other server": owner("two", "alice", keys),
        "other key": owner("one", "alice", {"alice": "c" * 20}),
        "without a key": owner("one", "alice", {}),
        "nobody": owner("one", None, keys),
        "nobody of another server": owner("two", None, keys),
        "other user of one client": owner("one", "alice", keys, subject="kari"),
    }

    assert len({alice, *others.values()}) == 8, others
    assert alice == owner("one", "alice", {"alice": "a" * 20})


def test_owners_of_tasks_that_are_kept_stay_the_same_in_every_release() -> None:
    assert owner("one", None, {}) == "a8fdf049cc1e661e13867ee9e3cd6830"
    assert owner("one", "alice", {"alice": "a" * 20}) == "868d2a172b2cac0be01187eebfe2256a"


def test_running_tasks_count_by_address_or_else_by_owner() -> None:
    owners = Owners("one", AuthSettings())
    scope = {"type": "http", "headers": [], "client": ("10.0.0.1", 7)}
    posted: Any = SimpleNamespace(request=Request(scope))
    said: Any = SimpleNamespace(request=None)

    assert owners.client_of(posted) == "peer:10.0.0.1"
    assert owners.client_of(said) == owners.of(said)
