"""Starting: where it refuses, and what it says."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.com import ONLY_WINDOWS, check_platform
from adapters.starter import Credentials
from config import ConfigError, parse_config
from main import session_timings
from processes import HERE, MORNING, ServiceProcess


def test_off_windows_it_refuses_with_the_document_s_sentence(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(HERE / "src/main.py"), "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if sys.platform == "win32":
        pytest.fail("expected this test to run where Creon is not")
    assert ended.returncode == 1 and "Creon service can only run on Windows" in ended.stderr


def test_the_platform_is_asked_only_for_the_real_com() -> None:
    check_platform("windows", "Windows")
    check_platform("simulated", "Linux")
    with pytest.raises(RuntimeError, match=ONLY_WINDOWS):
        check_platform("windows", "Linux")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--com=simulated", "--host=0.0.0.0"], "not loopback"),
        (["--com=simulated", "--account=live.creon.main"], "expected a live account"),
        (["--account=sim.creon.main"], "expected a live account"),
        (["--com=simulated", "--account=sim.kis.main"], "such as live.creon.main"),
        (["--com=simulated", "--live"], "only with a live account"),
        (["--com=simulated", "--sim-clock=noon"], "expected --sim-clock"),
        (["--com=simulated", "--sim-record=A005930=/nowhere.csv"], "expected a file of bars"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(arguments, {})


def test_the_real_build_is_a_dry_run_unless_told_otherwise() -> None:
    assert parse_config([], {}).live is False
    assert parse_config(["--live"], {}).live is True
    assert parse_config([], {}).port == 8001 and parse_config([], {}).host == "127.0.0.1"
    assert parse_config([], {"CREON_API_PATH": "C:/PLUS/"}).creon_path == Path("C:/PLUS/")


def test_credentials_are_whole_or_none_and_are_not_shown() -> None:
    whole = {"CREON_ID": "me", "CREON_PASSWORD": "hidden-1", "CREON_CERT_PASSWORD": "hidden-2"}
    credentials = Credentials.from_environment(whole)
    assert credentials is not None and "hidden" not in repr(credentials)
    assert Credentials.from_environment({"CREON_ID": "me"}) is None


def test_a_key_is_made_for_its_owner_alone_and_kept(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path, "--sim-quiet", f"--sim-clock=start:{MORNING}")
    keys = Path(service.place["keys"])
    assert keys.stat().st_mode & 0o077 == 0
    before = keys.read_text()
    assert service.http.get("/health").status_code in (200, 503)
    service.connected()
    assert service.http.get("/health").json() == {"status": "up"}
    service.stop()
    service.start()
    assert keys.read_text() == before
    service.stop()


def test_a_simulated_market_that_never_closes_is_logged_in_to_at_night_too(tmp_path: Path) -> None:
    night = "--sim-clock=start:2026-04-22T03:00:00"
    service = ServiceProcess(tmp_path, "--sim-quiet", "--sim-always-open", night)
    service.connected()
    before = service.get("/api/v1/health")["session"]["sinceUs"]
    service.control.post("/session", json={"state": "lost"}).raise_for_status()
    end = time.monotonic() + 30
    session = {"state": "connected", "sinceUs": before}
    while session["state"] != "connected" or session["sinceUs"] == before:
        assert time.monotonic() < end, f"expected it to be lost and open again, found {session}"
        session = service.get("/api/v1/health")["session"]
    service.stop()
    assert session_timings(parse_config([], {})).login_from == 730
    assert session_timings(parse_config(["--com=simulated"], {})).login_from == 730
