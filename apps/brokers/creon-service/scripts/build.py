"""Puts what the Windows machine needs into one folder: the sources, the pins, the installer."""

from __future__ import annotations

import argparse
import compileall
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
FILES = ("requirements.txt", "README.md", "Dockerfile.windows", "install/install-creon-service.ps1")
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc")


def build(output: Path) -> None:
    if output.exists():
        shutil.rmtree(output)
    shutil.copytree(HERE / "src", output / "src", ignore=NOT_SHIPPED)
    for name in FILES:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(HERE / name, output / name)
    # Found now and not on the Windows machine: a file that is no Python.
    if not compileall.compile_dir(str(output / "src"), quiet=1, force=True):
        raise SystemExit("expected every source file to compile")
    for folder in output.rglob("__pycache__"):
        shutil.rmtree(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    build(arguments.output.resolve())
    print(f"creon-service is built in {arguments.output}", file=sys.stderr)
