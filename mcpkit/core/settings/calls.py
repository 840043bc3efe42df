"""Settings of calls: how handlers run, what lists hold, what rounds of one call share."""

from pydantic import Field, SecretStr, field_validator

from mcpkit.core.settings.section import Section

MIN_STATE_KEY_BYTES = 32
"""Shorter keys for sealing request state are refused, as the SDK refuses them."""


class CallSettings(Section):
    """How handlers run."""

    timeout: float = Field(60, gt=0, description="Seconds a call may take, unless its tool says so")
    threads: int = Field(
        20, ge=1, le=1000, description="Worker threads of each plugin for its sync handlers"
    )
    limit_per_connection: int = Field(
        200,
        ge=1,
        description="Most requests in flight on one connection or in one session; more are "
        "refused, over standard input not read",
    )
    max_batch: int = Field(
        100, ge=1, le=10_000, description="Most messages in one batch of protocol 2025-03-26"
    )


class ListSettings(Section):
    """What clients get when they list tools, resources, templates, prompts or skills."""

    page_size: int | None = Field(
        None, ge=1, description="Most items on one page; everything on one page by default"
    )
    ttl: float = Field(
        0, ge=0, description="Seconds that clients may keep a list before they ask again"
    )
    max_subscribed_size: int = Field(
        64 * 1024,
        ge=1024,
        description="Most bytes of the resource URIs that one connection, or one subscription of "
        "2026-07-28, may name, 64 more for each",
    )


class RequestStateSettings(Section):
    """What seals the state that a client carries between the rounds of one call."""

    keys: tuple[SecretStr, ...] = Field(
        (),
        description="Secrets of at least 32 bytes that all workers share: the first seals, all "
        "open; without any, a key that only this process knows",
    )
    ttl: float = Field(600, gt=0, description="Seconds that a client may take for one round")

    @field_validator("keys")
    @classmethod
    def _strong_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        values = [key.get_secret_value() for key in keys]
        if any(len(value.encode()) < MIN_STATE_KEY_BYTES for value in values):
            raise ValueError(
                f"a key is shorter than {MIN_STATE_KEY_BYTES} bytes; make one with: "
                'python -c "import secrets; print(secrets.token_hex(32))"'
            )
        if len(set(values)) != len(values):
            raise ValueError("a key stands there twice")
        return keys
