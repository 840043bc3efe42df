"""Distributions: what the metadata of an installed one tells, read without a parser of e-mail.

Parsing the whole of it costs half a millisecond for each of what may be hundreds.
"""

from __future__ import annotations

import json
import re

import importlib_metadata
from importlib_metadata import IDistribution

HEADERS = re.compile(r"^(Name|Version):(.*)$", re.MULTILINE)


def name_and_version(distribution: IDistribution) -> tuple[str, str]:
    """Read the two headers that are needed; parse the rest only where they are not plain.

    Raises:
        LookupError: They are not there.
    """
    head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    found = dict(HEADERS.findall(head))
    if len(found) == 2:
        return found["Name"].strip(), found["Version"].strip()
    name, version = distribution.metadata["Name"], distribution.version
    if not name or not version:
        raise LookupError("There is no METADATA with a name and a version")
    return name, version


def version_of(name: str) -> str:
    """The version of a distribution that is installed.

    Raises:
        PackageNotFoundError: It is not.
    """
    return name_and_version(importlib_metadata.distribution(name))[1]


def is_editable(distribution: IDistribution) -> bool:
    """Whether pip installed it with `--editable` (PEP 610, `direct_url.json`)."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
    return bool(isinstance(origin, dict) and origin.get("dir_info", {}).get("editable"))
