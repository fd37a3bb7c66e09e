"""A terminal as the service's settings want it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from .calendar import Sessions
from .clock import ManualVenueClock, VenueClock, WallVenueClock
from .exchange import ExchangeOptions
from .terminal import Terminal, TerminalOptions


class Settings(Protocol):
    @property
    def seed(self) -> int: ...
    @property
    def quiet(self) -> bool: ...
    @property
    def clock_start_us(self) -> int | None: ...
    @property
    def clock_is_manual(self) -> bool: ...
    @property
    def always_open(self) -> bool: ...
    @property
    def recordings(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def cash(self) -> int: ...
    @property
    def login_seconds(self) -> float: ...
    @property
    def nightly_from(self) -> int | None: ...
    @property
    def window_us(self) -> int: ...


def create_terminal(settings: Settings, store: Path) -> Terminal:
    clock: VenueClock
    if settings.clock_is_manual and settings.clock_start_us is not None:
        clock = ManualVenueClock(settings.clock_start_us)
    else:
        clock = WallVenueClock(settings.clock_start_us)
    exchange = ExchangeOptions(
        seed=settings.seed,
        quiet=settings.quiet,
        cash=settings.cash,
        sessions=Sessions(always_open=settings.always_open),
        recordings=settings.recordings,
    )
    options = TerminalOptions(
        exchange,
        store,
        nightly_from=settings.nightly_from,
        limit_window_us=settings.window_us,
        login_seconds=settings.login_seconds,
    )
    return Terminal(options, clock)
