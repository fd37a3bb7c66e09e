"""Every requirement is pinned and can be installed beside Creon: pure, or with a wheel for 32-bit Windows.

The table win32-wheels.json was made by `pip download --platform win32 --only-binary=:all:`. The full tests
(JTS_TEST_FULL=1, with the package index) make it again and compare.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

from processes import FULL, HERE

PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([0-9][0-9A-Za-z.]*)(?: ; (.+))?$")
WHEEL = re.compile(r"^(?P<name>[^-]+)-(?P<version>[^-]+)-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl$")


def pins(name: str = "requirements.txt") -> list[tuple[str, str, str]]:
    lines = [line.split("#")[0].strip() for line in (HERE / name).read_text().splitlines()]
    found = []
    for line in lines:
        if line and not line.startswith("-r"):
            match = PIN.match(line)
            assert match is not None, f"expected name==version, found {line}"
            found.append((match[1], match[2], match[3] or ""))
    return found


def beside_creon() -> list[tuple[str, str]]:
    return [(name, version) for name, version, marker in pins() if "python_version <" not in marker]


def table() -> dict[str, str]:
    document = json.loads((HERE / "win32-wheels.json").read_text())
    assert (document["python"], document["platform"]) == ("3.11", "win32")
    wheels: dict[str, str] = document["wheels"]
    return wheels


def test_every_pin_has_a_wheel_for_32_bit_windows() -> None:
    wheels = table()
    assert set(wheels) == {f"{name}=={version}" for name, version in beside_creon()}
    for pin, file in wheels.items():
        match = WHEEL.match(file)
        assert match is not None, f"expected a wheel for {pin}, found {file}"
        assert match["platform"] == "win32" or (match["platform"], match["abi"]) == ("any", "none"), file
        assert match["python"].split(".")[-1] in ("py3", "cp311"), file
        assert normal(match["name"]) == normal(pin.split("==")[0]) and match["version"] == pin.split("==")[1]


def test_what_the_pins_need_is_pinned_too() -> None:
    names = {normal(name) for name, _, _ in pins()}
    for name, _, marker in pins():
        if "sys_platform" in marker or ("python_version" in marker and sys.version_info >= (3, 11)):
            continue
        for requirement in requires(name) or []:
            needed, _, condition = requirement.partition(";")
            bare = re.split(r"[\s<>=!~\[(]", needed.strip())[0]
            if "extra" not in condition and ("python_version" not in condition or "3.11" in condition):
                assert normal(bare) in names, f"{name} needs {bare}, which is not pinned"


def test_the_image_and_the_installer_take_the_same_python() -> None:
    image = (HERE / "Dockerfile.windows").read_text()
    assert "PYTHON_VERSION=3.11." in image and "python-{0}.exe" in image and "amd64" not in image
    installer = (HERE / "install/install-creon-service.ps1").read_text()
    assert "3.11-32" in installer and "--only-binary=:all:" in installer and "RunLevel Highest" in installer


def test_the_installer_finds_creon_plus_where_the_environment_file_says_and_sets_no_folder_that_is_not_there() -> None:
    installer = (HERE / "install/install-creon-service.ps1").read_text()
    [named] = re.findall(r"^CREON_API_PATH=(.+)$", (HERE / "../../../.env.windows").read_text(), re.MULTILINE)
    assert f"'User'), '{named}', 'C:/CREON/')" in installer
    checked = installer.index("Assert-That ($CreonPath -and (Test-Path $CreonPath -PathType Container))")
    assert checked < installer.index("SetEnvironmentVariable('CREON_API_PATH', $CreonPath, 'User')")


if FULL:

    def test_the_table_is_what_the_package_index_has(tmp_path: Path) -> None:
        for name, version in beside_creon():
            folder = tmp_path / name
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--platform", "win32"]
            command += ["--only-binary=:all:", "--python-version", "3.11", "-d", str(folder), f"{name}=={version}"]
            subprocess.run(command, check=True, timeout=300, env=os.environ)
            assert [file.name for file in folder.iterdir()] == [table()[f"{name}=={version}"]]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
