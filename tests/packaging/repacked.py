"""Wheels of packages that are installed here, so that other installers need no index."""

import base64
import hashlib
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

LEFT_BY_INSTALLERS = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}


def repack(folder: Path, *names: str) -> None:
    """Write a wheel for each third-party package that some distributions need.

    Args:
        folder: Where the wheels go.
        *names: The distributions; wheels of editable ones are not written.
    """
    todo, done = list(map(Requirement, names)), set[tuple[str, frozenset[str]]]()
    while todo:
        wanted = todo.pop()
        if (wanted.name.lower(), frozenset(wanted.extras)) in done:
            continue
        done.add((wanted.name.lower(), frozenset(wanted.extras)))
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError:
            continue  # for another system, or an extra that is not installed
        for requirement in map(Requirement, found.requires or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": x}) for x in ("", *wanted.extras)):
                todo.append(requirement)
        if found.read_text("direct_url.json") is None:
            _write_wheel(found, folder)


def _write_wheel(found: Distribution, folder: Path) -> None:
    name = found.name.replace("-", "_").replace(".", "_")
    lines = (found.read_text("WHEEL") or "").splitlines()
    tags = [line.partition(":")[2].strip().split("-") for line in lines if line.startswith("Tag:")]
    tag = "-".join(".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True))
    info = f"{name}-{found.version}.dist-info"
    record: list[str] = []
    with zipfile.ZipFile(folder / f"{name}-{found.version}-{tag}.whl", "w") as wheel:
        for file in found.files or ():
            is_info = file.parts[0].endswith(".dist-info")
            is_left = is_info and file.name in LEFT_BY_INSTALLERS
            if is_left or {"..", "__pycache__"} & set(file.parts):
                continue
            place = "/".join([info, *file.parts[1:]]) if is_info else str(file)
            content = Path(str(file.locate())).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{place},sha256={digest.decode()},{len(content)}")
            wheel.writestr(place, content)
        wheel.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
