"""The way of a request that acts: on disk, queued, checked once more on the COM thread, sent once, answered."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from adapters.errors import BudgetError, CreonError, NotSentCode, NotSentError, RejectedError, UnknownOutcomeError
from adapters.sta_thread import Job, StaThread
from adapters.store import RequestKind, RequestRow, Store
from creon_client import CreonClient
from domain.candles import date_of
from domain.words import OrderRecord, Placement, Priority
from record import AccountRecord

from .fences import Fences
from .outcomes import ConflictError, Outcome, not_sent, unknown
from .pending import Pending
from .settling import Settling

log = logging.getLogger("creon.trading")
Submit = Callable[[Callable[[], None], int], Job[int]]
LATE_WAIT_US = 300_000


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
        settling: Settling,
        why_unavailable: Callable[[], str | None],
        reconcile: Callable[[], Awaitable[None]],
        now_us: Callable[[], int],
        wall_us: Callable[[], int],
        timings: Timings,
        dry_run: bool,
    ) -> None:
        self._store, self._record, self._client, self._sta, self._fences = store, record, client, sta, fences
        self._settling = settling
        self._why_unavailable, self._reconcile, self._now_us = why_unavailable, reconcile, now_us
        self._wall_us, self._timings, self._dry_run = wall_us, timings, dry_run
        self._acting = 0
        self._idle = asyncio.Event()
        self._idle.set()

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
        pending = self._settling.get(request_id)
        if pending is not None and row.outcome is None:
            await pending.answered.wait()
            row = self._store.request(request_id) or row
        return {**(row.outcome or unknown("no outcome was written")), "repeated": True}

    def refuse(self, act: Act, kind: RequestKind, code: str, side: str, outcome: Outcome) -> Outcome:
        """Nothing is sent for this id, now or ever."""
        self._store.add_request(
            RequestRow(act.request_id, kind, act.content, "answered", self._now_us(), code, side, 0, 0, outcome)
        )
        return {**outcome, "repeated": False}

    async def set_gate(self, state: str, reason: str, version: int | None) -> None:
        """Answered when what was under way has come back, as far as that can be waited for."""
        self._fences.set_gate(state, reason, version)
        try:
            await asyncio.wait_for(self._idle.wait(), self._timings.gate_us / 1_000_000)
        except asyncio.TimeoutError:
            log.warning("the gate is %s, and %d sends have not come back", state, self._acting)

    # --- there ----------------------------------------------------------------------------------------------------

    async def _once(self, act: Act, kind: RequestKind, code: str, side: str, submit: Submit) -> Outcome:
        self._record.turn_day()
        refusal = self._why_not(kind, code, side)
        if refusal is not None:
            return self.refuse(act, kind, code, side, refusal)
        row = RequestRow(
            act.request_id, kind, act.content, "queued", self._now_us(), code, side, self._record.date, 0, None
        )
        pending = self._settling.add(row)

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
                try:
                    self._store.mark_sending(act.request_id, pending.row.date, pending.row.after_number)
                except sqlite3.Error as error:
                    raise NotSentError("BROKER_UNAVAILABLE", f"the record cannot be written: {error}") from error

        loop = asyncio.get_running_loop()
        # Late ones go on too: `before` says in the contract's order what is wrong with them.
        wait_us = max(LATE_WAIT_US, act.send_before_us - self._now_us())
        self._acting += 1
        self._idle.clear()
        try:
            pending.job = submit(before, wait_us)
        except CreonError as error:
            self._acted()
            return self._settling.end(pending, not_sent("BROKER_UNAVAILABLE", str(error)))
        pending.job.future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._returned, pending))
        if not await self._answered_in_time(pending, pending.job, act.send_before_us):
            if self._sta.withdraw(pending.job):
                self._acted()
                return self._settling.end(pending, not_sent("BROKER_UNAVAILABLE", "the COM thread does not come back"))
            self._settling.leave_unknown(pending, f"the call has not come back for {self._timings.reply_us // 1000} ms")
        if kind != "place" and pending.number is not None:
            await self._confirm(pending)
        row = self._store.request(act.request_id) or row
        return {**(row.outcome or unknown("no outcome yet")), "repeated": False}

    def _why_not(self, kind: RequestKind, code: str, side: str) -> Outcome | None:
        if self._dry_run:
            return not_sent("BROKER_UNAVAILABLE", "a dry run sends nothing: start with --live to trade")
        if kind == "cancel":
            return None
        other = self._settling.unacknowledged(code, side)
        if other is None:
            return None
        return not_sent("ORDER_IN_FLIGHT", f"request {other} of this side is not acknowledged yet")

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

    # --- and back -------------------------------------------------------------------------------------------------

    def _returned(self, pending: Pending) -> None:
        """The COM call is over, however long it took."""
        self._acted()
        job = pending.job
        if job is None or not self._settling.is_pending(pending.row.request_id):
            return
        pending.call_ended, pending.ended_us = True, self._wall_us()
        try:
            self._take(pending, job)
        except Exception:
            # The record cannot be written: nobody waits for that, and the list says later what became of it.
            log.exception("what became of %s could not be written", pending.row.request_id)
            pending.answered.set()
        self._record.release_waiting(self._settling.held_numbers())

    def _take(self, pending: Pending, job: Job[int]) -> None:
        error = job.future.exception()
        if error is None:
            self._settling.replied(pending, job.future.result())
        elif isinstance(error, NotSentError):
            self._settling.end(pending, not_sent(error.code, str(error)))
        elif isinstance(error, RejectedError):
            rejected: Outcome = {"kind": "rejected", "code": error.code, "message": str(error)}
            if pending.row.kind == "place":
                rejected["timeUs"] = self._now_us()
            self._settling.end(pending, rejected)
        elif job.began_us is None:
            code: NotSentCode = "RATE_BUDGET" if isinstance(error, BudgetError) else "BROKER_UNAVAILABLE"
            self._settling.end(pending, not_sent(code, str(error)))
        else:
            if not isinstance(error, UnknownOutcomeError):
                log.error("a request ended in an unexpected way", exc_info=error)
            self._settling.leave_unknown(pending, str(error))

    def _acted(self) -> None:
        self._acting = max(0, self._acting - 1)
        if self._acting == 0:
            self._idle.set()

    async def _confirm(self, pending: Pending) -> None:
        until = self._wall_us() + self._timings.confirm_us
        pause = 0.02
        while self._settling.is_pending(pending.row.request_id):
            try:
                await self._reconcile()
            except CreonError as error:
                log.info("no list to confirm %s: %s", pending.row.request_id, error)
            if not self._settling.is_pending(pending.row.request_id):
                return
            if self._wall_us() >= until:
                self._settling.leave_unknown(pending, "taken by the broker, and not confirmed by its list in time")
                return
            await asyncio.sleep(pause)
            pause = min(0.5, pause * 2)


def _contract_fields(content: dict[str, Any]) -> dict[str, Any]:
    """Without what the service noted for itself."""
    return {name: value for name, value in content.items() if not name.startswith("_")}
