"""Starts CREON Plus and logs in. Windows only; credentials come from the environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROCESSES = ("coStarter.exe", "CpStart.exe", "DibServer.exe")


@dataclass(frozen=True)
class Credentials:
    user: str
    password: str = field(repr=False)
    certificate_password: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Credentials | None:
        values = [environment.get(f"CREON_{name}", "") for name in ("ID", "PASSWORD", "CERT_PASSWORD")]
        return cls(*values) if all(values) else None


class CoStarter:
    """The starter takes secrets only as arguments: while it runs, other users of the machine could see them."""

    def __init__(self, folder: Path, credentials: Credentials) -> None:
        inside = folder / "STARTER" / "coStarter.exe"
        self._program = inside if inside.exists() else folder / "coStarter.exe"
        self._credentials = credentials

    def login(self) -> bool:
        if not self._program.exists():
            raise FileNotFoundError(f"expected CREON Plus at {self._program}: set CREON_API_PATH")
        system = Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32"
        for name in PROCESSES:
            # A leftover of the last session keeps the new one from starting.
            subprocess.run(
                [system / "taskkill.exe", "/IM", name, "/F", "/T"], capture_output=True, check=False, timeout=30
            )
        one = self._credentials
        arguments = [
            "/prj:cp",
            f"/id:{one.user}",
            f"/pwd:{one.password}",
            f"/pwdcert:{one.certificate_password}",
            "/autostart",
        ]
        subprocess.Popen([self._program, *arguments])
        return True
