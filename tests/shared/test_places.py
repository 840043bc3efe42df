"""Places: the folder of shared servers, which this user alone can use."""

import os
from pathlib import Path

import pytest

from mcpkit.core.errors import ServeError
from mcpkit.shared import places
from mcpkit.shared.places import Place, folder


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's runtime folder."""
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    return path


def test_it_is_made_for_this_user_alone(runtime: Path) -> None:
    made = Path(folder())

    assert made == runtime / "mcpkit"
    assert made.stat().st_mode & 0o777 == 0o700
    assert folder() == str(made)


def test_a_runtime_folder_that_is_not_there_is_not_used(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime / "missing"))

    assert not Path(folder()).is_relative_to(runtime)


def test_the_folder_of_somebody_else_is_refused(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path(folder())
    owner = os.geteuid()
    monkeypatch.setattr(places.os, "geteuid", lambda: owner + 1)

    with pytest.raises(ServeError, match="belongs to somebody else"):
        places._own(str(made))


def test_a_folder_that_cannot_be_made_is_told(runtime: Path) -> None:
    with pytest.raises(ServeError, match="Cannot make the folder"):
        places._own(str(runtime / "missing" / "mcpkit"))


def test_a_path_that_no_socket_can_have_is_told() -> None:
    with pytest.raises(ServeError, match="too long") as told:
        Place("/" + "x" * 90, "0123456789")

    assert "XDG_RUNTIME_DIR" in str(told.value.hint)
