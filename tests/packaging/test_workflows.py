"""Workflows run what was reviewed: each action is pinned to a commit."""

import re

from tests.conftest import ROOT

WORKFLOWS = [
    *ROOT.glob(".github/workflows/*.yml"),
    *ROOT.glob("cookiecutter-template/*/.github/workflows/*.yml"),
]


def test_actions_are_pinned_to_a_commit_whose_version_is_told() -> None:
    used = {
        (path.parent, line)
        for path in WORKFLOWS
        for line in re.findall(r"uses: *(.+)", path.read_text("utf-8"))
    }

    assert len({folder for folder, _ in used}) == 2
    for _, line in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version_everywhere() -> None:
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS)
    used = set(re.findall(r"uses: *(.+)", text))

    assert len({line.partition("@")[0] for line in used}) == len(used)
