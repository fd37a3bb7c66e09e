"""What acts on the account: each request is on disk before it is sent, is sent once, and ends in an honest outcome."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.errors import BudgetError, CreonError, NotSentCode, NotSentError, RejectedError, UnknownOutcomeError
from adapters.sta_thread import Job, StaThread
from adapters.store import RequestKind, RequestRow, Store
from creon_client import CreonClient
from domain.candles import date_of
from domain.matching import Sought, candidates, sought_order
from domain.words import OrderRecord, Placement, Priority, Side, VenueOrder
from record import AccountRecord

log = logging.getLogger("creon.trading")
Outcome = dict[str, Any]
# Two lists at least this far apart without an order that fits: it is not there (and is still adopted if it comes).
ABSENT_LISTS = 2
LATE_WAIT_US = 300_000


class ConflictError(Exception):
    """The request id was used for something else."""


class AmbiguousError(Exception):
    """Several of the venue's orders fit one request."""


@dataclass
class Fences:
    """What stands between a request and the wire. Read on the COM thread, so behind a lock."""

    store: Store
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        saved = self.store.setting("fences") or {}
        self.gate: str = saved.get("gate", "open")
        self.gate_reason: str | None = saved.get("gateReason")
        self.lease_epoch: int = saved.get("leaseEpoch", 0)
        self.trading_version: int = saved.get("tradingStateVersion", 0)

    def save(self) -> None:
        self.store.set(
            "fences",
            {
                "gate": self.gate,
                "gateReason": self.gate_reason,
                "leaseEpoch": self.lease_epoch,
                "tradingStateVersion": self.trading_version,
            },
        )

    def check(self, lease: int | None, version: int | None, is_cancel: bool) -> None:
        if lease is not None and lease < self.lease_epoch:
            raise NotSentError("STALE_LEASE", f"expected a lease of at least {self.lease_epoch}, found {lease}")
        self.begin(lease)
        if not is_cancel and self.gate == "halted":
            raise NotSentError("GATE_HALTED", "the gate of the broker is halted")
        if not is_cancel and version is not None and version < self.trading_version:
            raise NotSentError(
                "STALE_TRADING_STATE", f"expected a trading state of at least {self.trading_version}, found {version}"
            )
        if not is_cancel and version is not None and version > self.trading_version:
            self.trading_version = version
            self.save()

    def begin(self, lease: int | None) -> None:
        """A new owner has read the trading state itself: it counts from its own versions."""
        if lease is None or lease <= self.lease_epoch:
            return
        self.lease_epoch, self.trading_version = lease, 0
        self.save()


@dataclass
class Pending:
    """A request without a final outcome."""

    row: RequestRow
    # Set when the caller may be answered.
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    job: Job[int] | None = None
    # The COM call is over, or the process that made it is.
    call_ended: bool = False
    ended_us: int = 0
    # The number of its reply, for changes that the list has to confirm.
    number: int | None = None
    absent: int = 0
    looked_us: int = 0
    ambiguous: bool = False

    @property
    def blocks(self) -> bool:
        return self.absent < ABSENT_LISTS


@dataclass(frozen=True)
class Timings:
    # How long a caller waits for a call that has begun.
    reply_us: int = 10_000_000
    # How long a change waits for the list to confirm it.
    confirm_us: int = 3_000_000
    absent_us: int = 5_000_000
    # A halt is answered when no send is under way, and at the latest after this.
    gate_us: int = 5_000_000


@dataclass(frozen=True)
class Act:
    """What every acting request says beside what it wants."""

    request_id: str
    content: dict[str, Any]
    send_before_us: int
    lease_epoch: int | None
    trading_version: int | None


class Trading:
    def __init__(
        self,
        store: Store,
        record: AccountRecord,
        client: CreonClient,
        sta: StaThread,
        fences: Fences,
        why_unavailable: Callable[[], str | None],
        reconcile: Callable[[], Awaitable[None]],
        now_us: Callable[[], int],
        wall_us: Callable[[], int],
        timings: Timings,
        dry_run: bool,
    ) -> None:
        self._store, self._record, self._client, self._sta, self._fences = store, record, client, sta, fences
        self._why_unavailable, self._reconcile, self._now_us = why_unavailable, reconcile, now_us
        self._wall_us, self._timings, self._dry_run = wall_us, timings, dry_run
        self._pending: dict[str, Pending] = {}
        self._acting = 0
        # Numbers in the last list that a request without a reply may have.
        self._held: set[int] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._recover()

    # --- requests -------------------------------------------------------------------------------------------------

    async def place(self, act: Act, order: Placement, reduce_only: bool) -> Outcome:
        priority = Priority.REDUCE if reduce_only else Priority.NEW
        return await self._once(
            act,
            "place",
            order.code,
            order.side,
            lambda before, wait: self._client.place(order, before, priority, wait),
        )

    async def cancel(self, act: Act, target: OrderRecord) -> Outcome:
        return await self._once(
            act,
            "cancel",
            target.code,
            target.side,
            lambda before, wait: self._client.cancel(target.number, target.code, before, wait),
        )

    async def amend(self, act: Act, target: OrderRecord, quantity: int, price: int) -> Outcome:
        return await self._once(
            act,
            "amend",
            target.code,
            target.side,
            lambda before, wait: self._client.modify(target.number, target.code, quantity, price, before, wait),
        )

    async def seen_before(self, kind: RequestKind, request_id: str, content: dict[str, Any]) -> Outcome | None:
        """What became of a request with this id; waits while it is under way."""
        row = self._store.request(request_id)
        if row is None:
            return None
        if row.kind != kind or _contract_fields(row.content) != content:
            raise ConflictError(f"expected the content of the first {row.kind} request under this id")
        pending = self._pending.get(request_id)
        if pending is not None and row.outcome is None:
            await pending.answered.wait()
            row = self._store.request(request_id) or row
        return {**(row.outcome or _unknown("no outcome was written")), "repeated": True}

    def refuse(self, act: Act, kind: RequestKind, code: str, side: str, outcome: Outcome) -> Outcome:
        """Nothing is sent for this id, now or ever."""
        self._store.add_request(
            RequestRow(act.request_id, kind, act.content, "answered", self._now_us(), code, side, 0, 0, outcome)
        )
        return {**outcome, "repeated": False}

    async def _once(
        self,
        act: Act,
        kind: RequestKind,
        code: str,
        side: str,
        submit: Callable[[Callable[[], None], int], Job[int]],
    ) -> Outcome:
        self._record.turn_day()
        refusal = self._why_not(act, kind, code, side)
        if refusal is not None:
            return self.refuse(act, kind, code, side, refusal)
        row = RequestRow(
            act.request_id, kind, act.content, "queued", self._now_us(), code, side, self._record.date, 0, None
        )
        self._store.add_request(row)
        pending = Pending(row)
        self._pending[act.request_id] = pending

        def before() -> None:
            """On the COM thread, right before the call: the last word, and the note that it may have been sent."""
            with self._fences.lock:
                self._fences.check(act.lease_epoch, act.trading_version, kind == "cancel")
                late = self._now_us() - act.send_before_us
                if late >= 0:
                    raise NotSentError("TOO_LATE", f"{late / 1000:.0f} ms past the time to send before")
                unavailable = self._why_unavailable()
                if unavailable is not None:
                    raise NotSentError("BROKER_UNAVAILABLE", unavailable)
                date = date_of(self._now_us())
                highest = self._record.highest if self._record.date == date else 0
                pending.row = replace(row, after_number=highest, date=date)
                self._store.mark_sending(act.request_id, pending.row.date, pending.row.after_number)

        loop = asyncio.get_running_loop()
        # Late ones go on too: `before` says in the contract's order what is wrong with them.
        wait_us = max(LATE_WAIT_US, act.send_before_us - self._now_us())
        self._acting += 1
        self._idle.clear()
        try:
            pending.job = submit(before, wait_us)
        except CreonError as error:
            self._acted()
            return self._end(pending, _not_sent("BROKER_UNAVAILABLE", str(error)))
        pending.job.future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._returned, pending))
        if not await self._answered_in_time(pending, pending.job, act.send_before_us):
            if self._sta.withdraw(pending.job):
                self._acted()
                return self._end(pending, _not_sent("BROKER_UNAVAILABLE", "the COM thread does not come back"))
            self._leave_unknown(pending, f"the call has not come back for {self._timings.reply_us // 1000} ms")
        if kind != "place" and pending.number is not None:
            await self._confirm(pending)
        row = self._store.request(act.request_id) or row
        return {**(row.outcome or _unknown("no outcome yet")), "repeated": False}

    async def _answered_in_time(self, pending: Pending, job: Job[int], send_before_us: int) -> bool:
        """False when the call takes too long, or cannot begin behind one that does."""
        while True:
            try:
                await asyncio.wait_for(pending.answered.wait(), 0.05)
                return True
            except asyncio.TimeoutError:
                at = self._sta.occupation()
                if at is not None and at.for_us > self._timings.reply_us:
                    return False
                if job.began_us is None and self._now_us() > send_before_us + self._timings.reply_us:
                    return False

    def _why_not(self, act: Act, kind: RequestKind, code: str, side: str) -> Outcome | None:
        if self._dry_run:
            return _not_sent("BROKER_UNAVAILABLE", "a dry run sends nothing: start with --live to trade")
        if kind == "cancel":
            return None
        for other in self._pending.values():
            row = other.row
            if row.kind != "cancel" and row.code == code and row.side == side and other.blocks:
                return _not_sent("ORDER_IN_FLIGHT", f"request {row.request_id} of this side is not acknowledged yet")
        return None

    # --- what comes back ------------------------------------------------------------------------------------------

    def _returned(self, pending: Pending) -> None:
        """The COM call is over, however long it took."""
        self._acted()
        job = pending.job
        if job is None or pending.row.request_id not in self._pending:
            return
        pending.call_ended, pending.ended_us = True, self._wall_us()
        error = job.future.exception()
        if error is None:
            self._accepted(pending, job.future.result())
        elif isinstance(error, NotSentError):
            self._end(pending, _not_sent(error.code, str(error)))
        elif isinstance(error, RejectedError):
            rejected = {"kind": "rejected", "code": error.code, "message": str(error)}
            if pending.row.kind == "place":
                rejected["timeUs"] = self._now_us()  # type: ignore[assignment]
            self._end(pending, rejected)
        elif _never_began(job):
            code: NotSentCode = "RATE_BUDGET" if isinstance(error, BudgetError) else "BROKER_UNAVAILABLE"
            self._end(pending, _not_sent(code, str(error)))
        else:
            if not isinstance(error, UnknownOutcomeError):
                log.error("a request ended in an unexpected way", exc_info=error)
            self._leave_unknown(pending, str(error))
        self._record.release_waiting(self.held_numbers())

    def _accepted(self, pending: Pending, number: int) -> None:
        if pending.row.kind == "place":
            self._bind_placed(pending, number)
            return
        pending.number = number
        pending.answered.set()

    def _bind_placed(self, pending: Pending, number: int) -> None:
        content = pending.row.content
        with self._store.transaction():
            record = self._record.bind(
                pending.row.request_id,
                number,
                _placed_order(pending.row, number),
                content["type"],
                content.get("timeInForce") or "day",
                int(content["limitPrice"]) if "limitPrice" in content else None,
            )
            self._end(pending, {"kind": "accepted", "order": pending.row.request_id})
        log.info("order %s is %s", pending.row.request_id, record.venue_order_id)

    def _end(self, pending: Pending, outcome: Outcome) -> Outcome:
        self._store.answer_request(pending.row.request_id, outcome)
        self._pending.pop(pending.row.request_id, None)
        pending.answered.set()
        return {**outcome, "repeated": False}

    def _leave_unknown(self, pending: Pending, message: str) -> None:
        """Told as unknown, and looked for."""
        log.warning("%s %s is unknown: %s", pending.row.kind, pending.row.request_id, message)
        self._store.answer_request(pending.row.request_id, _unknown(message), settled=False)
        pending.answered.set()

    def _acted(self) -> None:
        self._acting = max(0, self._acting - 1)
        if self._acting == 0:
            self._idle.set()

    # --- settling -------------------------------------------------------------------------------------------------

    def held_numbers(self) -> set[int]:
        """Numbers heard of that a pending request may turn out to have."""
        held = {pending.number for pending in self._pending.values() if pending.number is not None}
        held |= self._held
        return held

    def may_be_ours(self, code: str, side: str) -> bool:
        return any(
            pending.row.kind != "cancel" and pending.row.code == code and pending.row.side == side
            for pending in self._pending.values()
        )

    def match(self, orders: Sequence[VenueOrder]) -> None:
        """Finds the orders of requests whose reply is missing. Called with each list, before the record takes it."""
        now = self._wall_us()
        bound = self._record.bound_numbers() | {p.number for p in self._pending.values() if p.number is not None}
        self._held = set()
        for pending in list(self._pending.values()):
            if pending.call_ended and pending.row.date != self._record.date:
                self._end(pending, _unknown("its day is over and it was not found among that day's orders"))
                continue
            if pending.number is not None:
                self._look_for_confirmation(pending, orders)
                continue
            sought = _sought(pending.row)
            found = candidates(sought, orders, bound)
            if not pending.call_ended:
                # Its reply may still come and name its number.
                self._held |= {order.number for order in found}
                continue
            if len(found) == 1:
                self._found(pending, found[0], orders)
            elif found:
                self._held |= {order.number for order in found}
                if not pending.ambiguous:
                    log.error("request %s fits orders %s", pending.row.request_id, [o.number for o in found])
                pending.ambiguous = True
            elif now - max(pending.ended_us, pending.looked_us) >= self._timings.absent_us:
                pending.absent, pending.looked_us = pending.absent + 1, now

    def _found(self, pending: Pending, order: VenueOrder, orders: Sequence[VenueOrder]) -> None:
        if pending.row.kind == "place":
            self._bind_placed(pending, order.number)
            return
        pending.number = order.number
        self._look_for_confirmation(pending, orders)

    def _look_for_confirmation(self, pending: Pending, orders: Sequence[VenueOrder]) -> None:
        """A cancel or modification has a number: did it do what it should?"""
        row = next((order for order in orders if order.number == pending.number), None)
        if row is None or (row.confirmed == 0 and not row.reason):
            return
        target = str(pending.row.content["clientOrderId"])
        if row.confirmed == 0:
            self._end(pending, {"kind": "not_open", "message": row.reason})
        elif pending.row.kind == "cancel":
            self._end(pending, {"kind": "cancelled", "order": target})
        else:
            record = self._record.get(target)
            with self._store.transaction():
                self._record.bind(
                    pending.row.request_id,
                    row.number,
                    replace(row, quantity=row.confirmed),
                    "limit",
                    record.time_in_force if record else "day",
                    row.price,
                    target,
                )
                self._end(pending, {"kind": "amended", "order": pending.row.request_id, "replaced": target})

    async def _confirm(self, pending: Pending) -> None:
        until = self._wall_us() + self._timings.confirm_us
        pause = 0.02
        while pending.row.request_id in self._pending:
            try:
                await self._reconcile()
            except CreonError as error:
                log.info("no list to confirm %s: %s", pending.row.request_id, error)
            if pending.row.request_id not in self._pending:
                return
            if self._wall_us() >= until:
                self._leave_unknown(pending, "taken by the broker, and not confirmed by its list in time")
                return
            await asyncio.sleep(pause)
            pause = min(0.5, pause * 2)

    def is_ambiguous(self, request_id: str) -> bool:
        pending = self._pending.get(request_id)
        return pending is not None and pending.ambiguous

    def is_pending(self, request_id: str) -> bool:
        return request_id in self._pending

    def unknown_count(self) -> int:
        return sum(1 for pending in self._pending.values() if pending.answered.is_set() and pending.blocks)

    def ambiguous_requests(self) -> list[str]:
        return [pending.row.request_id for pending in self._pending.values() if pending.ambiguous]

    def lowest_number_sought(self) -> int | None:
        return min((pending.row.after_number + 1 for pending in self._pending.values()), default=None)

    # --- gate and lease -------------------------------------------------------------------------------------------

    async def set_gate(self, state: str, reason: str, version: int | None) -> None:
        with self._fences.lock:
            self._fences.gate, self._fences.gate_reason = state, reason or None
            if version is not None:
                self._fences.trading_version = max(self._fences.trading_version, version)
            self._fences.save()
        try:
            await asyncio.wait_for(self._idle.wait(), self._timings.gate_us / 1_000_000)
        except asyncio.TimeoutError:
            log.warning("the gate is %s, and %d sends have not come back", state, self._acting)

    def set_lease(self, epoch: int, version: int | None = None) -> bool:
        with self._fences.lock:
            if epoch < self._fences.lease_epoch:
                return False
            self._fences.begin(epoch)
            if version is not None and version > self._fences.trading_version:
                self._fences.trading_version = version
                self._fences.save()
            return True

    # --- inside ---------------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """After a restart: what was not sent never will be, what may have been is looked for."""
        for row in self._store.unanswered():
            if row.state == "queued":
                self._store.answer_request(
                    row.request_id, _not_sent("BROKER_UNAVAILABLE", "the service ended before it was sent")
                )
                continue
            if row.outcome is None:
                self._store.answer_request(
                    row.request_id, _unknown("the service ended while it was being sent"), settled=False
                )
            pending = Pending(row, call_ended=True, ended_us=self._wall_us())
            pending.answered.set()
            self._pending[row.request_id] = pending


def _contract_fields(content: dict[str, Any]) -> dict[str, Any]:
    """Without what the service noted for itself."""
    return {name: value for name, value in content.items() if not name.startswith("_")}


def _placed_order(row: RequestRow, number: int) -> VenueOrder:
    content = row.content
    side: Side = "buy" if row.side == "buy" else "sell"
    price = int(content.get("limitPrice", "0"))
    kind = "01" if content["type"] == "limit" else "03"
    return VenueOrder(number, 0, row.code, side, int(content["quantity"]), price, kind, "1", 0, 0, 0, "")


def _sought(row: RequestRow) -> Sought:
    content = row.content
    side: Side = "buy" if row.side == "buy" else "sell"
    if row.kind == "place":
        placement = Placement(
            row.request_id,
            row.code,
            side,
            content["type"],
            content.get("timeInForce") or "day",
            int(content["quantity"]),
            int(content["limitPrice"]) if "limitPrice" in content else None,
        )
        return sought_order(placement, row.after_number)
    original = int(content["_venueNumber"])
    return Sought(row.code, side, "3" if row.kind == "cancel" else "2", row.after_number, original=original)


def _never_began(job: Job[int]) -> bool:
    return job.began_us is None


def _not_sent(code: NotSentCode, message: str) -> Outcome:
    return {"kind": "not_sent", "code": code, "message": message}


def _unknown(message: str) -> Outcome:
    return {"kind": "unknown", "message": message}
