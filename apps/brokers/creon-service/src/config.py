"""Settings, parsed once at the door."""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from adapters.com import ComKind
from domain.candles import KST

ACCOUNT = re.compile(r"^(sim|paper|live)\.creon\.[a-z0-9][a-z0-9_-]*$")
DEFAULT_PORT = 8001


class ConfigError(Exception):
    """What was expected, what was found, what to do."""


@dataclass(frozen=True)
class SimulatedConfig:
    seed: int
    quiet: bool
    # None: the wall's; otherwise where it starts, and whether tests move it.
    clock_start_us: int | None
    clock_is_manual: bool
    always_open: bool
    recordings: tuple[tuple[str, str], ...]
    control_port: int | None
    cash: int
    login_seconds: float
    nightly_from: int | None
    window_us: int


@dataclass(frozen=True)
class Config:
    host: str
    port: int
    com: ComKind
    account: str
    data_dir: Path
    keys: Path
    live: bool
    creon_path: Path | None
    creon_account: str | None
    goods: str
    fee_ppm: int
    reply_timeout_us: int
    blocked_after_us: int
    json: bool
    log_level: Literal["debug", "info", "warning", "error"]
    simulated: SimulatedConfig


def parse_config(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Config:
    parser = argparse.ArgumentParser(prog="creon-service", description="Creon (Daishin) behind the Broker API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port to listen on, 0 for a free one (8001)")
    parser.add_argument("--platform", choices=["windows"], help="accepted for the Nx target's sake")
    parser.add_argument("--com", choices=["windows", "simulated"], default="windows", help="which COM to speak to")
    parser.add_argument("--account", help="<mode>.creon.<alias> (sim.creon.main or live.creon.main)")
    parser.add_argument("--data-dir", type=Path, default=Path(".jts/creon"), help="where the record is kept")
    parser.add_argument("--keys", type=Path, help="file of keys (JTS_BROKER_KEYS, or keys.json in the data folder)")
    parser.add_argument("--live", action="store_true", help="send orders; without it the real build is a dry run")
    parser.add_argument("--goods", default="01", help="goods code of the cash stock account (01)")
    parser.add_argument("--fee-ppm", type=int, default=150, help="commission, parts per million (150)")
    parser.add_argument("--reply-timeout-ms", type=int, default=10_000, help="how long a caller waits for a COM call")
    parser.add_argument("--blocked-after-ms", type=int, default=35_000, help="when a COM call counts as blocked")
    parser.add_argument("--json", action="store_true", help="say where it listens as one JSON line")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    sim = parser.add_argument_group("with --com=simulated")
    sim.add_argument("--sim-seed", type=int, default=1)
    sim.add_argument("--sim-quiet", action="store_true", help="prices move only by what the side channel prints")
    sim.add_argument("--sim-clock", default="wall", help="wall, start:<KST time> or manual:<KST time>")
    sim.add_argument("--sim-always-open", action="store_true", help="a market that never closes")
    sim.add_argument("--sim-record", action="append", default=[], metavar="CODE=FILE", help="recorded bars of a code")
    sim.add_argument("--sim-control-port", type=int, help="side channel for tests, on loopback; 0 for a free port")
    sim.add_argument("--sim-cash", type=int, default=100_000_000)
    sim.add_argument("--sim-login-ms", type=int, default=0)
    sim.add_argument("--sim-nightly", type=int, help="HHMMSS in Seoul at which the session ends")
    sim.add_argument("--sim-window-ms", type=int, default=15_000, help="length of the request windows, both sides")
    args = parser.parse_args(arguments)

    live = bool(args.live)
    account = args.account or ("sim.creon.main" if args.com == "simulated" else "live.creon.main")
    if not ACCOUNT.match(account):
        raise ConfigError(f"expected --account such as live.creon.main, found {account}")
    mode = account.split(".")[0]
    if (mode == "live") != (args.com == "windows"):
        raise ConfigError(f"expected a live account with --com=windows and a sim account otherwise, found {account}")
    if live and mode != "live":
        raise ConfigError("expected --live only with a live account: the simulated broker trades always")
    keys = args.keys or Path(environment.get("JTS_BROKER_KEYS") or args.data_dir / "keys.json")
    if not is_loopback(args.host) and not (args.keys or environment.get("JTS_BROKER_KEYS")):
        raise ConfigError(f"expected --keys (or JTS_BROKER_KEYS) to listen on {args.host}: it is not loopback")
    creon_path = environment.get("CREON_API_PATH")
    return Config(
        args.host,
        args.port,
        args.com,
        account,
        args.data_dir,
        keys,
        live,
        Path(creon_path) if creon_path else None,
        environment.get("CREON_ACCOUNT") or None,
        args.goods,
        args.fee_ppm,
        args.reply_timeout_ms * 1000,
        args.blocked_after_ms * 1000,
        args.json,
        args.log_level,
        SimulatedConfig(
            args.sim_seed,
            args.sim_quiet,
            *_clock(args.sim_clock),
            args.sim_always_open,
            tuple(_recording(text) for text in args.sim_record),
            args.sim_control_port,
            args.sim_cash,
            args.sim_login_ms / 1000,
            args.sim_nightly,
            args.sim_window_ms * 1000,
        ),
    )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _clock(text: str) -> tuple[int | None, bool]:
    if text == "wall":
        return None, False
    kind, _, moment = text.partition(":")
    start: datetime | None
    try:
        start = datetime.fromisoformat(moment)
    except ValueError:
        start = None
    if kind not in ("start", "manual") or start is None:
        raise ConfigError(f"expected --sim-clock wall, start:2026-04-22T10:00:00 or manual:…, found {text}")
    aware = start if start.tzinfo else start.replace(tzinfo=KST)
    return int(aware.timestamp() * 1_000_000), kind == "manual"


def _recording(text: str) -> tuple[str, str]:
    code, separator, path = text.partition("=")
    if not separator or not re.fullmatch(r"A[0-9A-Z]{6}", code):
        raise ConfigError(f"expected --sim-record A005930=FILE, found {text}")
    if not Path(path).is_file():
        raise ConfigError(f"expected a file of bars at {path}")
    return code, path
