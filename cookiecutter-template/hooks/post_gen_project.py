"""Keep the chosen licence, drop the others."""

import shutil
from pathlib import Path

CHOSEN = "{{ cookiecutter.license }}"

licenses = Path("licenses")
shutil.copy(licenses / f"{CHOSEN}.txt", "LICENSE")
shutil.rmtree(licenses)
