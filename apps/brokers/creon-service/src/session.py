"""The HTS session: watched, opened again when it is lost, and told to whoever trades by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, Protocol

from adapters.errors import CreonError
from adapters.sta_thread import StaThread
from creon_client import CreonClient
from domain.candles import KST

log = logging.getLogger("creon.session")
State = Literal["connected", "connecting", "logged_out", "blocked"]


class Starter(Protocol):
    """Starts the HTS and logs in. True when it said that it had."""

    def login(self) -> bool: ...


@dataclass(frozen=True)
class SessionTimings:
    look_s: float = 1.0
    # A call that has not come back for so long is shown as blocked: a window waits for a person.
    blocked_us: int = 35_000_000
    # After a failed login; a wrong password locks the account, so it is tried only a few times.
    login_pauses_s: tuple[float, ...] = (5.0, 30.0, 120.0)
    # HHMM in Seoul: before it, the broker's server is closed.
    login_from: int = 730
    connect_s: float = 180.0


class Session:
    def __init__(
        self,
        client: CreonClient,
        sta: StaThread,
        starter: Starter | None,
        account: str | None,
        goods: str,
        timings: SessionTimings,
        now_us: Callable[[], int],
        venue_now_us: Callable[[], int],
        on_open: Callable[[], Awaitable[None]],
        on_lost: Callable[[str], None],
    ) -> None:
        self._client, self._sta, self._starter = client, sta, starter
        self._account, self._goods, self._timings = account, goods, timings
        self._now_us, self._venue_now_us = now_us, venue_now_us
        self._on_open, self._on_lost = on_open, on_lost
        self.state: State = "connecting"
        self.since_us = now_us()
        self.reason = "the service starts"
        self._lost = asyncio.Event()
        self._failed_logins = 0
        self._next_login_s = 0.0
        self._login_day = 0

    def lost_by_event(self) -> None:
        """OnDisConnect, told by the COM thread."""
        self._lost.set()

    def why_unavailable(self) -> str | None:
        """None while orders may pass. Read on the COM thread as well."""
        if self.state == "connected":
            return None
        return f"{self.state}: {self.reason}"

    async def run(self) -> None:
        while True:
            try:
                await self._look()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception("looking after the session failed")
                self._enter("logged_out", f"{type(error).__name__}: {error}")
            try:
                await asyncio.wait_for(self._lost.wait(), self._timings.look_s)
                self._lost.clear()
                if self.state == "connected":
                    self._enter("logged_out", "the broker's server is gone (OnDisConnect)")
            except asyncio.TimeoutError:
                pass

    async def _look(self) -> None:
        at = self._sta.occupation()
        if at is not None and at.for_us > self._timings.blocked_us:
            self._enter(
                "blocked",
                f"{at.name} has not come back for {at.for_us // 1_000_000} s:"
                " look at the HTS screen, a confirmation window may be open",
            )
            return
        try:
            connected = await self._client.on_thread("IsConnect", lambda desk: desk.is_connected(), 2_000_000)
        except CreonError as error:
            if self._sta.occupation() is None:
                self._enter("logged_out", str(error))
            return
        except Exception as error:
            # A COM server of an earlier run: its objects are made anew.
            await self._client.on_thread("forget", lambda desk: desk.forget())
            self._enter("logged_out", f"the HTS is gone: {error}")
            connected = False
        if connected and self.state != "connected":
            await self._open()
        elif not connected:
            if self.state == "connected":
                self._enter("logged_out", "HTS is logged out")
            await self._log_in()

    async def _open(self) -> None:
        self._enter("connecting", "trading is being opened")
        try:
            await self._client.on_thread("forget", lambda desk: desk.forget())
            # What was told before this was told of the session that is gone.
            self._lost.clear()
            await self._client.on_thread(
                "TradeInit", lambda desk: desk.trade.open_trading(self._account, self._goods), 60_000_000
            )
            await self._client.on_thread("CpConclusion", lambda desk: desk.realtime.listen_to_orders())
            await self._on_open()
        except CreonError as error:
            self._enter("logged_out", f"connected, and trading could not be opened: {error}")
            return
        self._failed_logins = 0
        self._enter("connected", "")

    async def _log_in(self) -> None:
        moment = datetime.fromtimestamp(self._venue_now_us() / 1_000_000, tz=timezone.utc).astimezone(KST)
        day = moment.toordinal()
        if day != self._login_day:
            self._login_day, self._failed_logins = day, 0
        loop = asyncio.get_running_loop()
        if self._starter is None:
            self._enter("logged_out", "HTS is logged out, and no login is configured: log in by hand")
            return
        if moment.hour * 100 + moment.minute < self._timings.login_from:
            self._enter("logged_out", f"the broker opens at {self._timings.login_from:04d}")
            return
        if self._failed_logins > len(self._timings.login_pauses_s):
            self._enter("logged_out", f"{self._failed_logins} logins failed today: log in by hand, or start me anew")
            return
        if loop.time() < self._next_login_s:
            return
        self._enter("connecting", "the HTS is being started")
        try:
            good = await asyncio.wait_for(asyncio.to_thread(self._starter.login), self._timings.connect_s)
        except Exception as error:
            log.warning("the login failed: %s", error)
            good = False
        if good and await self._connected_in_time():
            await self._client.on_thread("forget", lambda desk: desk.forget())
            await self._open()
            return
        pause = self._timings.login_pauses_s[min(self._failed_logins, len(self._timings.login_pauses_s) - 1)]
        self._failed_logins += 1
        self._next_login_s = loop.time() + pause
        self._enter("logged_out", f"login {self._failed_logins} failed; the next one in {pause:.0f} s")

    async def _connected_in_time(self) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timings.connect_s
        while loop.time() < until:
            await self._client.on_thread("forget", lambda desk: desk.forget())
            try:
                if await self._client.on_thread("IsConnect", lambda desk: desk.is_connected(), 2_000_000):
                    return True
            except Exception as error:
                log.info("not connected yet: %s", error)
            await asyncio.sleep(min(1.0, self._timings.look_s))
        return False

    def _enter(self, state: State, reason: str) -> None:
        was = self.state
        if state == was and reason == self.reason:
            return
        self.reason = reason
        if state == was:
            return
        self.state, self.since_us = state, self._now_us()
        log.warning("the session is %s%s", state, f": {reason}" if reason else "")
        if was == "connected":
            self._on_lost(reason)
