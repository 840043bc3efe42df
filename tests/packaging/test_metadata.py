"""Metadata of the wheels: what the package index shows, and what pip resolves."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from readme_renderer.markdown import render

from tests.conftest import ROOT
from tests.packaging.conftest import BUNDLED

pytestmark = pytest.mark.packaging

REPOSITORY = "https://github.com/mcpkit/mcpkit"


@pytest.fixture(params=["mcpkit", *(f"mcpkit_plugin_{path.name}" for path in BUNDLED)])
def metadata(wheels: Path, request: pytest.FixtureRequest) -> EmailMessage:
    """The METADATA of one wheel (PEP 566)."""
    (wheel,) = wheels.glob(f"{request.param}-*.whl")
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        message = message_from_bytes(archive.read(name), policy=policy.EmailPolicy(utf8=True))
    assert isinstance(message, EmailMessage)
    return message


def test_the_description_renders_and_its_links_lead_somewhere(metadata: EmailMessage) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"

    page = render(metadata.get_content())

    assert page is not None
    targets = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert targets
    for target in targets:
        assert target.startswith(("https://", "http://127.0.0.1", "#")), target
        if target.startswith(f"{REPOSITORY}/blob/main/"):
            assert (ROOT / target.removeprefix(f"{REPOSITORY}/blob/main/")).is_file(), target


def test_authors_licence_and_urls_are_told(metadata: EmailMessage) -> None:
    urls = dict(entry.split(", ") for entry in metadata.get_all("Project-URL", []))

    assert metadata["Author"]
    assert metadata["License-Expression"].startswith("MIT")
    assert set(urls) == {"Homepage", "Documentation", "Changelog", "Issues", "Source"}
    assert all(url.startswith(REPOSITORY) for url in urls.values())
    for url in urls.values():
        path = re.sub(rf"^{REPOSITORY}(/(blob|tree)/main/|/issues$|$)", "", url)
        assert (ROOT / path).exists(), url


def test_requirements_have_a_lower_bound_and_plugins_an_upper_one(metadata: EmailMessage) -> None:
    needed = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    upper = {
        need.name for need in needed if {part.operator for part in need.specifier} & {"<", "~="}
    }

    assert all(need.specifier for need in needed)
    if metadata["Name"] != "mcpkit":
        assert "mcpkit" in upper
