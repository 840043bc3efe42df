"""Print what third parties the distributions of this repository need, one requirement per line.

`make requirements` pins the result, hashes included, in `requirements/pinned.txt`.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = "mcpkit"


def collect() -> list[str]:
    """Read every pyproject: dependencies, optional ones, build back-ends and the dev group."""
    found: set[str] = set()
    for path in [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]:
        content = tomllib.loads(path.read_text("utf-8"))
        project = content["project"]
        found.update(project.get("dependencies", ()))
        for extra in project.get("optional-dependencies", {}).values():
            found.update(extra)
        found.update(content.get("dependency-groups", {}).get("dev", ()))
        found.update(content["build-system"]["requires"])
    return sorted(line for line in found if not line.startswith(OURS))


if __name__ == "__main__":
    sys.stdout.write("\n".join(collect()) + "\n")
