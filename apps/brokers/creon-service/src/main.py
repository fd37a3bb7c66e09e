"""Starts the service: configuration → COM → service → HTTP, and stops it on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from adapters.auth import SignatureCheck, read_keys
from adapters.com import check_platform, load_com
from adapters.http import create_app
from adapters.server import HeartbeatProtocol, listening_socket
from adapters.starter import CoStarter, Credentials
from adapters.store import Store
from config import Config, ConfigError, is_loopback, parse_config
from rate_limiter import QUOTE_LIMIT, TRADE_LIMIT, shortened
from service import CreonService, ServiceOptions
from session import SessionTimings, Starter
from trading import Timings


def wall_us() -> int:
    return time.time_ns() // 1000


def start_com(config: Config) -> tuple[Starter | None, Callable[[], int], int | None]:
    """The login, the venue's clock, and the side channel's port where there is one."""
    if config.com == "windows":
        credentials = Credentials.from_environment(os.environ)
        if config.creon_path is None or credentials is None:
            return None, wall_us, None
        return CoStarter(config.creon_path, credentials), wall_us, None
    import simulated_com
    from simulated_com.setup import create_terminal

    terminal = create_terminal(config.simulated, config.data_dir / "venue.sqlite")
    simulated_com.install(terminal)
    port = None
    if config.simulated.control_port is not None:
        control = simulated_com.ControlServer(terminal, config.simulated.control_port)
        control.start()
        port = control.port
    return terminal, terminal.clock.now_us, port


def provide_keys(config: Config) -> Path:
    """On loopback a key is made where there is none, for its owner's eyes only."""
    if not config.keys.exists() and is_loopback(config.host):
        key = {"id": "local", "secret": secrets.token_urlsafe(32), "right": "trade"}
        config.keys.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(config.keys, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"keys": [key]}, file)
    return config.keys


def session_timings(config: Config) -> SessionTimings:
    if config.com == "windows":
        return SessionTimings(blocked_us=config.blocked_after_us)
    # A simulated market that never closes takes logins at night, too.
    never_closes = config.simulated.always_open and config.simulated.nightly_from is None
    login_from = 0 if never_closes else SessionTimings.login_from
    return SessionTimings(blocked_us=config.blocked_after_us, look_s=0.2, login_from=login_from)


def create_service(config: Config) -> tuple[CreonService, int | None]:
    config.data_dir.mkdir(parents=True, exist_ok=True)
    com = load_com(config.com)
    starter, venue_now_us, control_port = start_com(config)
    window_us = config.simulated.window_us if config.com == "simulated" else TRADE_LIMIT.window_us
    options = ServiceOptions(
        account=config.account,
        creon_account=config.creon_account,
        goods=config.goods,
        fee_ppm=config.fee_ppm,
        dry_run=config.com == "windows" and not config.live,
        timings=Timings(reply_us=config.reply_timeout_us),
        session=session_timings(config),
        limits=(shortened(TRADE_LIMIT, window_us), shortened(QUOTE_LIMIT, window_us)),
    )
    store = Store(config.data_dir / "record.sqlite")
    return CreonService(options, com, starter, store, wall_us, venue_now_us), control_port


async def serve(config: Config) -> None:
    keys = read_keys(provide_keys(config))
    service, control_port = create_service(config)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = create_app(service, SignatureCheck(keys, wall_us), lifespan)
    listening = listening_socket(config.host, config.port)
    port = listening.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            http="h11",
            ws=HeartbeatProtocol,
            ws_max_size=64 * 1024,
            ws_ping_interval=5.0,
            ws_ping_timeout=10.0,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=5,
            server_header=False,
        )
    )
    say(config, port, control_port)
    await server.serve(sockets=[listening])
    service.store.close()


def say(config: Config, port: int, control_port: int | None) -> None:
    place = {
        "url": f"http://{config.host}:{port}",
        "account": config.account,
        "keys": str(config.keys),
        "pid": os.getpid(),
    }
    if control_port is not None:
        place["controlUrl"] = f"http://127.0.0.1:{control_port}"
    if config.json:
        print(json.dumps(place), flush=True)
    else:
        print(f"creon-service for {config.account} listens on {place['url']}; keys: {config.keys}", flush=True)


def main(arguments: list[str]) -> int:
    try:
        config = parse_config(arguments)
        check_platform(config.com)
        logging.basicConfig(
            stream=sys.stderr, level=config.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        asyncio.run(serve(config))
    except (ConfigError, ValueError, OSError) as error:
        print(f"creon-service: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"creon-service: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
