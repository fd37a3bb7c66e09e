"""The wiring of one Creon account: what is told or asked → what is decided → what is written, sent and said."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from adapters.com import ComModule
from adapters.desk import Desk
from adapters.desk.realtime import DeskEvents
from adapters.desk.rows import Levels, Tick
from adapters.errors import CreonError
from adapters.sta_thread import StaThread
from adapters.store import Store
from creon_client import CreonClient, Waits
from domain.candles import TIMEFRAMES
from domain.words import Fill, Notice, OrderRecord
from market_data import MarketData
from rate_limiter import QUOTE_LIMIT, SUBSCRIPTION_LIMIT, TRADE_LIMIT, Budget, Limit, RateLimiter
from record import AccountRecord
from reports import fill_json, order_json
from session import Session, SessionTimings, Starter
from stream_hub import StreamHub
from trading import Fences, Settling, Timings, Trading

log = logging.getLogger("creon.service")
VERSION = "0.1.0"
CONTRACT_VERSION = "1.0"
BROKER = "creon"
CHANNELS = ("orders", "candles", "trades", "quotes", "orderBook")
# Lists asked for without being told to: while orders are open, and otherwise to find what a person placed.
LOOK_OPEN_S, LOOK_IDLE_S = 5.0, 60.0
NOTICE_PAUSE_S = 0.05


@dataclass(frozen=True)
class ServiceOptions:
    # <mode>.<broker>.<alias>; never the broker's own account number.
    account: str
    creon_account: str | None = None
    goods: str = "01"
    fee_ppm: int = 150
    dry_run: bool = True
    waits: Waits = field(default_factory=Waits)
    timings: Timings = field(default_factory=Timings)
    session: SessionTimings = field(default_factory=SessionTimings)
    limits: tuple[Limit, ...] = (TRADE_LIMIT, QUOTE_LIMIT)


class CreonService:
    def __init__(
        self,
        options: ServiceOptions,
        com: ComModule,
        starter: Starter | None,
        store: Store,
        now_us: Callable[[], int],
        venue_now_us: Callable[[], int],
    ) -> None:
        self.options, self.store = options, store
        self.now_us, self.venue_now_us = now_us, venue_now_us
        self.started_us = now_us()
        self.alerts: dict[str, str] = {}
        self.hub = StreamHub(options.account, now_us)
        self.limiters: dict[Budget, RateLimiter] = {
            limit.name: RateLimiter(limit, _monotonic_us) for limit in options.limits
        }
        self.sta = StaThread(com, self.limiters, _monotonic_us)
        desk = Desk(com, self._events())
        self.client = CreonClient(self.sta, desk, self.limiters, options.waits)
        self.market = MarketData(self.client, self.hub, venue_now_us, _monotonic_us)
        self.record = AccountRecord(
            store, self._publish_order, self._alert, venue_now_us, options.fee_ppm, self.market.taxed_as
        )
        self.fences = Fences(store)
        self.session = Session(
            self.client,
            self.sta,
            starter,
            options.creon_account,
            options.goods,
            options.session,
            now_us,
            venue_now_us,
            self._on_session_open,
            self._on_session_lost,
        )
        self.settling = Settling(store, self.record, _monotonic_us, options.timings.absent_us)
        self.trading = Trading(
            store,
            self.record,
            self.client,
            self.sta,
            self.fences,
            self.settling,
            self.session.why_unavailable,
            self.reconcile,
            venue_now_us,
            _monotonic_us,
            options.timings,
            options.dry_run,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._look = asyncio.Event()
        self._listing: asyncio.Task[None] | None = None
        self._listing_next: asyncio.Task[None] | None = None
        self._first_list_of = 0
        for channel in CHANNELS:
            self.hub.set_state(channel, False, "the service starts")

    # --- start and stop -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.sta.start()
        for work in (self.session.run, self._look_regularly, self.market.stream_candles):
            self._tasks.append(asyncio.create_task(work()))

    async def stop(self) -> None:
        await cancelled(self._tasks)
        if not await asyncio.to_thread(self.sta.stop):
            log.error("the COM thread does not come back; it ends with the process")

    # --- the venue's list -----------------------------------------------------------------------------------------

    async def reconcile(self) -> None:
        """Asks for a list that is asked for after now; callers at the same time share one."""
        if self._listing is not None and not self._listing.done():
            if self._listing_next is None or self._listing_next.done():
                self._listing_next = asyncio.create_task(self._list_after(self._listing))
            await asyncio.shield(self._listing_next)
            return
        self._listing = asyncio.create_task(self._list())
        await asyncio.shield(self._listing)

    async def _list_after(self, running: asyncio.Task[None]) -> None:
        await asyncio.wait([running])
        self._listing = asyncio.current_task()
        await self._list()

    async def _list(self) -> None:
        start = self._first_number()
        mark = self.record.mark()
        orders = await self.client.orders_from(start)
        self.settling.match(orders)
        held = self.settling.held_numbers()
        self.record.apply(orders, mark, held)
        self.record.release_waiting(held | {n for n in self._numbers_in_flight()})
        self._first_list_of = self.record.date
        ambiguous = self.settling.ambiguous_requests()
        if ambiguous:
            self.alerts["ORDER_AMBIGUOUS"] = (
                f"requests {', '.join(ambiguous)} fit several orders: a person has to decide"
            )
        else:
            self.alerts.pop("ORDER_AMBIGUOUS", None)

    def _first_number(self) -> int:
        if self._first_list_of != self.record.date:
            return 0
        numbers = [self.record.lowest_unsettled(), self.settling.lowest_number_sought(), self.record.highest]
        return min(number for number in numbers if number is not None)

    def _numbers_in_flight(self) -> set[int]:
        """Notices of a request that is under way wait for its reply."""
        return {number for number, code, side in self.record.waiting() if self.settling.may_be_ours(code, side)}

    async def _look_regularly(self) -> None:
        while True:
            busy = self.record.lowest_unsettled() is not None or self.settling.lowest_number_sought() is not None
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._look.wait(), LOOK_OPEN_S if busy else LOOK_IDLE_S)
                await asyncio.sleep(NOTICE_PAUSE_S)
            self._look.clear()
            try:
                self.record.turn_day()
                if self.session.state != "connected":
                    continue
                await self.reconcile()
                self.alerts.pop("LIST_FAILED", None)
            except Exception as error:
                if not isinstance(error, CreonError):
                    log.exception("a look at today's orders failed")
                self._alert("LIST_FAILED", f"today's orders could not be read: {error}")
                await asyncio.sleep(0.5)
                self._look.set()

    # --- what the COM thread tells --------------------------------------------------------------------------------

    def _events(self) -> DeskEvents:
        return DeskEvents(
            on_notice=lambda notice: self._post(self._on_notice, notice),
            on_unreadable=lambda words: self._post(self._on_unreadable, words),
            on_disconnect=lambda: self._post(self.session.lost_by_event),
            on_tick=lambda tick: self._post(self._on_tick, tick),
            on_book=lambda code, bids, asks: self._post(self._on_book, code, bids, asks),
        )

    def _post(self, work: Callable[..., None], *args: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work, *args)

    def _on_notice(self, notice: Notice) -> None:
        may_be_ours = self.settling.may_be_ours(notice.code, notice.side)
        self.record.notice(notice, may_be_ours)
        # That our own order was taken is told by its reply: no list is spent on it.
        if notice.flag != "4" or not (may_be_ours or self.record.known(notice.number)):
            self._look.set()

    def _on_unreadable(self, words: str) -> None:
        log.error("a notice could not be read: %s", words)
        where = words.split(":")[0]
        for channel in {"CpConclusion": ("orders",), "StockCur": ("trades", "quotes")}.get(where, ("orderBook",)):
            self.hub.unreadable(channel)
        self._alert("UNREADABLE", words)
        self._look.set()

    def _on_tick(self, tick: Tick) -> None:
        self.market.on_tick(tick)

    def _on_book(self, code: str, bids: Levels, asks: Levels) -> None:
        self.market.on_book(code, bids, asks)

    # --- the session ----------------------------------------------------------------------------------------------

    async def _on_session_open(self) -> None:
        """What was missed is asked for before anything new is told."""
        await self.market.refresh()
        await self.market.resubscribe()
        self._first_list_of = 0
        await self.reconcile()
        for channel in CHANNELS:
            self.hub.set_state(channel, True, "the session is open")

    def _on_session_lost(self, reason: str) -> None:
        for channel in CHANNELS:
            self.hub.set_state(channel, False, reason or "the session is lost")

    # --- what is said ---------------------------------------------------------------------------------------------

    def _publish_order(self, record: OrderRecord, fill: Fill | None) -> None:
        message: dict[str, Any] = {"type": "order", "order": order_json(record)}
        if fill is not None:
            message["fill"] = fill_json(fill)
        self.hub.order_event(message)

    def _alert(self, code: str, words: str) -> None:
        """For a person: on the health page until the service is started anew or it is over."""
        if self.alerts.get(code) != words:
            log.error("%s: %s", code, words)
        self.alerts[code] = words

    def capabilities(self, accounts: list[str]) -> dict[str, Any]:
        return {
            "contractVersion": CONTRACT_VERSION,
            "broker": BROKER,
            "accounts": accounts,
            "orderTypes": ["market", "limit"],
            "timeInForce": ["day", "ioc", "fok"],
            "marketBuySizes": ["base"],
            "marketSellSizes": ["base"],
            "clientOrderIds": "none",
            "absenceProof": "none",
            "amend": True,
            "amendment": {"quantity": "none", "split": True, "newVenueOrderId": True},
            "routes": [],
            "streams": ["candles", "trades", "quotes", "orderBook", "orders"],
            "timeframes": list(TIMEFRAMES),
            "trades": False,
            "quotes": True,
            "orderBook": True,
            "positions": True,
            "fills": {"idSource": "cumulative", "feeSource": "estimated"},
            "limits": [
                *(
                    {
                        "name": limit.name,
                        "counts": "requests",
                        "limit": limit.limit,
                        "windowUs": limit.window_us,
                        "date": limit.date,
                    }
                    for limit in self.options.limits
                ),
                {
                    "name": "subscription",
                    "counts": "subscriptions",
                    "limit": SUBSCRIPTION_LIMIT,
                    "windowUs": 0,
                    "date": TRADE_LIMIT.date,
                },
            ],
        }

    def account_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "account": self.options.account,
            "gate": self.fences.gate,
            "leaseEpoch": self.fences.lease_epoch,
            "tradingStateVersion": self.fences.trading_version,
            "ordersUnknown": self.settling.unknown_count(),
        }
        if self.fences.gate_reason:
            state["gateReason"] = self.fences.gate_reason
        return state

    def health(self) -> dict[str, Any]:
        """From memory; it never waits for the COM thread."""
        session, at = self.session, self.sta.occupation()
        reasons = [{"code": code, "message": words} for code, words in sorted(self.alerts.items())]
        hung = at is not None and at.for_us > self.options.timings.reply_us
        if session.state != "connected":
            reasons.insert(0, {"code": f"SESSION_{session.state.upper()}", "message": session.reason or session.state})
        elif hung and at is not None:
            words = f"{at.name} has not come back for {at.for_us // 1_000_000} s: look at the HTS screen"
            reasons.insert(0, {"code": "COM_HANGS", "message": words})
        if self.options.dry_run:
            reasons.append({"code": "DRY_RUN", "message": "orders are not sent: started without --live"})
        usable = session.state == "connected" and not hung
        breaker: dict[str, Any] = {
            "state": "closed" if usable else ("half_open" if session.state == "connecting" else "open"),
            "sinceUs": session.since_us,
            "consecutiveFailures": 0,
        }
        if not usable:
            breaker["reason"] = reasons[0]["message"]
        shown: dict[str, Any] = {"state": session.state, "sinceUs": session.since_us}
        if hung and session.state == "connected":
            shown = {"state": "blocked", "sinceUs": self.now_us() - (at.for_us if at else 0)}
        if session.reason:
            shown["reason"] = session.reason
        return {
            "status": "down" if not usable else "degraded" if reasons else "up",
            "reasons": reasons,
            "service": "creon-service",
            "broker": BROKER,
            "version": VERSION,
            "contractVersion": CONTRACT_VERSION,
            "startedAtUs": self.started_us,
            "timeUs": self.now_us(),
            "venueTimeUs": self.venue_now_us(),
            "breaker": breaker,
            "session": shown,
            "streams": [self._stream_state(channel) for channel in CHANNELS],
            "limits": [self._limit_state(limiter) for limiter in self.limiters.values()],
            "accounts": [self.account_state()],
        }

    def _stream_state(self, channel: str) -> dict[str, Any]:
        reason = self.hub.down.get(channel)
        since = self.hub.since_us.get(channel, self.started_us)
        state = {"name": channel, "state": "up" if reason is None else "down", "sinceUs": since}
        return state if reason is None else {**state, "reason": reason}

    def _limit_state(self, limiter: RateLimiter) -> dict[str, Any]:
        state = limiter.state()
        shown = {
            "name": state.name,
            "counts": "requests",
            "limit": state.limit,
            "remaining": state.remaining,
            "windowUs": state.window_us,
        }
        return shown if state.resets_in_us is None else {**shown, "resetsAtUs": self.now_us() + state.resets_in_us}


async def cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Until they are: before Python 3.12 a wait whose time-out ends in the same moment swallows a cancellation."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.5)


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000
