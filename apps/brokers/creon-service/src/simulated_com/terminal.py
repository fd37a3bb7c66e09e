"""The logged-in HTS process: one session, its limits and subscriptions, and the exchange behind it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .clock import VenueClock, WallVenueClock, date_of, kst
from .errors import not_connected
from .exchange import Exchange, ExchangeOptions
from .faults import Faults
from .limits import LIMITS, SUBSCRIPTIONS, WINDOW_US, RequestLimits
from .market import Market, Tick
from .orders import Notice
from .store import VenueStore

if TYPE_CHECKING:
    from .objects.base import ComObject, RealtimeObject


@dataclass(frozen=True)
class TerminalOptions:
    exchange: ExchangeOptions = field(default_factory=ExchangeOptions)
    store: Path | None = None
    connected: bool = True
    # KST, HHMMSS: the session ends at the first, and no login succeeds before the second.
    nightly_from: int | None = None
    nightly_until: int = 73000
    limit_window_us: int = WINDOW_US
    login_seconds: float = 0.0


class Terminal:
    def __init__(self, options: TerminalOptions, clock: VenueClock | None = None) -> None:
        self.options = options
        self.clock = clock or WallVenueClock()
        self.faults = Faults()
        # The control channel's thread looks in as well.
        self.lock = threading.RLock()
        self.exchange = Exchange(options.exchange, self.clock, VenueStore(options.store), self.faults)
        self.exchange.on_notice = self._on_notice
        self.exchange.on_tick = self._on_tick
        self.limits = RequestLimits(lambda: time.monotonic_ns() // 1000, options.limit_window_us)
        self.connected = options.connected
        # What is listed, as the HTS read it when it logged in.
        self.master = dict(self.exchange.listings)
        self.trade_ready = False
        # Objects of an earlier run of the HTS are dead.
        self.generation = 1
        self.subscribers: dict[RealtimeObject, str] = {}
        self.watchers: list[ComObject] = []
        self._queues: dict[int, deque[Callable[[], None]]] = {}
        self._held: list[tuple[int, Callable[[], None]]] = []
        self._checked_us = self.clock.now_us()
        self.logins = 0
        self.calls: list[str] = []

    # --- the session ----------------------------------------------------------------------------------------------

    def disconnect(self, restart: bool = False) -> None:
        """The server's connection is lost; with `restart` the HTS itself is gone and its objects with it."""
        with self.lock:
            self.connected = False
            self.trade_ready = False
            self.subscribers.clear()
            self.exchange.watched.clear()
            for watcher in self.watchers:
                self.post(watcher.thread, watcher.event("OnDisConnect"))
            self.watchers.clear()
            if restart:
                self.generation += 1

    def login(self) -> bool:
        """What coStarter.exe does; it takes a while, and fails at night."""
        time.sleep(self.options.login_seconds)
        with self.lock:
            self.logins += 1
            if self.faults.take("login-fails") or self._is_night(self.clock.now_us()):
                return False
            if not self.connected:
                self.generation += 1
            self.connected = True
            self.trade_ready = False
            self.master = dict(self.exchange.listings)
            return True

    def require_connection(self) -> None:
        if not self.connected:
            raise not_connected()

    def _is_night(self, now_us: int) -> bool:
        start, end = self.options.nightly_from, self.options.nightly_until
        if start is None:
            return False
        moment = kst(now_us)
        return start <= moment.hour * 10_000 + moment.minute * 100 + moment.second < end

    def advance(self) -> None:
        with self.lock:
            now = self.clock.now_us()
            start = self.options.nightly_from
            if self.connected and start is not None:
                passed = date_of(self._checked_us) < date_of(now) and not self._is_night(self._checked_us)
                if self._is_night(now) or (passed and kst(now).hour * 10_000 >= self.options.nightly_until):
                    self.disconnect(restart=True)
            self._checked_us = now
            self.exchange.advance()

    # --- messages -------------------------------------------------------------------------------------------------

    def post(self, thread: int, message: Callable[[], None]) -> None:
        self._queues.setdefault(thread, deque()).append(message)

    def pump(self) -> None:
        """Runs what waits for the calling thread. Handlers may pump again."""
        self.advance()
        queue = self._queues.get(threading.get_ident())
        while queue:
            queue.popleft()()

    def release_notices(self) -> None:
        with self.lock:
            held, self._held = self._held, []
            for thread, message in held:
                self.post(thread, message)

    # --- realtime -------------------------------------------------------------------------------------------------

    def subscribe(self, subscriber: RealtimeObject, code: str) -> None:
        with self.lock:
            counted = sum(1 for other in self.subscribers if other.counted)
            if subscriber.counted and subscriber not in self.subscribers and counted >= LIMITS[SUBSCRIPTIONS]:
                from .errors import failed

                raise failed("실시간 시세 등록 제한(400)을 초과하였습니다")
            self.subscribers[subscriber] = code
            if code:
                self.exchange.market_now(code)
                self.exchange.watched.add(code)

    def unsubscribe(self, subscriber: RealtimeObject) -> None:
        with self.lock:
            code = self.subscribers.pop(subscriber, None)
            if code and code not in self.subscribers.values():
                self.exchange.watched.discard(code)

    def subscriptions_left(self) -> int:
        return LIMITS[SUBSCRIPTIONS] - sum(1 for other in self.subscribers if other.counted)

    def _on_notice(self, notice: Notice) -> None:
        self._deliver(
            "dscbo1.cpconclusion", lambda subscriber: subscriber.headers_of_notice(notice), notice.flag == "1"
        )

    def _on_tick(self, market: Market, tick: Tick) -> None:
        for subscriber, code in list(self.subscribers.items()):
            if code == market.code:
                self.post(subscriber.thread, subscriber.received(subscriber.headers_of_tick(market, tick)))

    def _deliver(self, progid: str, headers: Callable[[Any], dict[int, Any]], fill: bool) -> None:
        if fill and self.faults.take("drop-notice"):
            return
        twice = fill and self.faults.take("duplicate-notice") is not None
        held = self.faults.take("late-notices") is not None
        for subscriber in list(self.subscribers):
            if subscriber.progid.lower() != progid:
                continue
            for _ in range(2 if twice else 1):
                message = subscriber.received(headers(subscriber))
                if held:
                    self._held.append((subscriber.thread, message))
                else:
                    self.post(subscriber.thread, message)
