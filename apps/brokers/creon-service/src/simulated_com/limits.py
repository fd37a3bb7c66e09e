"""Creon's own counting: windows of 15 s from the first request, shared by every object of the login."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_US = 15_000_000
TRADE, QUOTE, SUBSCRIPTIONS = 0, 1, 2
LIMITS = {TRADE: 20, QUOTE: 60, SUBSCRIPTIONS: 400}


@dataclass
class Window:
    limit: int
    length_us: int = WINDOW_US
    started_us: int = 0
    used: int = 0

    def turn(self, now_us: int) -> None:
        if now_us - self.started_us >= self.length_us:
            self.used = 0

    def left_us(self, now_us: int) -> int:
        self.turn(now_us)
        return 0 if self.used == 0 else self.started_us + self.length_us - now_us

    def take(self, now_us: int) -> bool:
        self.turn(now_us)
        if self.used >= self.limit:
            return False
        if self.used == 0:
            self.started_us = now_us
        self.used += 1
        return True


@dataclass
class RequestLimits:
    """Counted by the wall, as Creon counts them, whatever the market clock says."""

    wall_us: Callable[[], int]
    length_us: int = WINDOW_US
    windows: dict[int, Window] = field(init=False)

    def __post_init__(self) -> None:
        self.windows = {kind: Window(LIMITS[kind], self.length_us) for kind in (TRADE, QUOTE)}

    def take(self, kind: int) -> bool:
        return self.windows[kind].take(self.wall_us())

    def left_us(self, kind: int) -> int:
        return self.windows[kind].left_us(self.wall_us())

    def remain(self, kind: int) -> int:
        window = self.windows[kind]
        window.turn(self.wall_us())
        return window.limit - window.used

    def reset_in_ms(self) -> int:
        return max(-(-window.left_us(self.wall_us()) // 1000) for window in self.windows.values())
