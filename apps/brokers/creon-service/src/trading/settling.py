"""Requests under way, and how one without a reply is settled: by the venue's own list, never by a second send."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from adapters.store import RequestRow, Store
from domain.matching import candidates
from domain.words import VenueOrder
from record import AccountRecord

from .outcomes import Outcome, not_sent, unknown
from .pending import Pending, placed_order, sought

log = logging.getLogger("creon.trading")


class Settling:
    def __init__(self, store: Store, record: AccountRecord, wall_us: Callable[[], int], absent_us: int) -> None:
        self._store, self._record, self._wall_us, self._absent_us = store, record, wall_us, absent_us
        self._pending: dict[str, Pending] = {}
        # Numbers in the last list that a request without a reply may have.
        self._held: set[int] = set()
        self._recover()

    # --- what is under way ----------------------------------------------------------------------------------------

    def add(self, row: RequestRow) -> Pending:
        """On disk before anything is sent."""
        self._store.add_request(row)
        pending = self._pending[row.request_id] = Pending(row)
        return pending

    def get(self, request_id: str) -> Pending | None:
        return self._pending.get(request_id)

    def is_pending(self, request_id: str) -> bool:
        return request_id in self._pending

    def is_ambiguous(self, request_id: str) -> bool:
        pending = self._pending.get(request_id)
        return pending is not None and pending.ambiguous

    def unknown_count(self) -> int:
        return sum(1 for pending in self._pending.values() if pending.answered.is_set() and pending.blocks)

    def ambiguous_requests(self) -> list[str]:
        return [pending.row.request_id for pending in self._pending.values() if pending.ambiguous]

    def unacknowledged(self, code: str, side: str) -> str | None:
        """The request that another of this side has to wait for: two could not be told apart."""
        for pending in self._pending.values():
            row = pending.row
            if row.kind != "cancel" and row.code == code and row.side == side and pending.blocks:
                return row.request_id
        return None

    def may_be_ours(self, code: str, side: str) -> bool:
        return any(
            pending.row.kind != "cancel" and pending.row.code == code and pending.row.side == side
            for pending in self._pending.values()
        )

    def lowest_number_sought(self) -> int | None:
        return min((pending.row.after_number + 1 for pending in self._pending.values()), default=None)

    def held_numbers(self) -> set[int]:
        """Numbers heard of that a pending request may turn out to have."""
        return {pending.number for pending in self._pending.values() if pending.number is not None} | self._held

    # --- how it ends ----------------------------------------------------------------------------------------------

    def replied(self, pending: Pending, number: int) -> None:
        """A change has to be confirmed by the list; an order is there."""
        if pending.row.kind == "place":
            self._bind_placed(pending, number)
            return
        pending.number = number
        pending.answered.set()

    def end(self, pending: Pending, outcome: Outcome) -> Outcome:
        self._store.answer_request(pending.row.request_id, outcome)
        self._pending.pop(pending.row.request_id, None)
        pending.answered.set()
        return {**outcome, "repeated": False}

    def leave_unknown(self, pending: Pending, message: str) -> None:
        """Told as unknown, and looked for."""
        log.warning("%s %s is unknown: %s", pending.row.kind, pending.row.request_id, message)
        self._store.answer_request(pending.row.request_id, unknown(message), settled=False)
        pending.answered.set()

    # --- the venue's list -----------------------------------------------------------------------------------------

    def match(self, orders: Sequence[VenueOrder]) -> None:
        """Finds the orders of requests whose reply is missing. Called with each list, before the record takes it."""
        now = self._wall_us()
        bound = self._record.bound_numbers() | {p.number for p in self._pending.values() if p.number is not None}
        self._held = set()
        claimed = Counter(
            order.number
            for pending in self._pending.values()
            if pending.call_ended and pending.row.kind != "cancel" and pending.number is None
            for order in candidates(sought(pending.row), orders, bound)
        )
        for pending in list(self._pending.values()):
            if pending.call_ended and pending.row.date != self._record.date:
                self.end(pending, unknown("its day is over and it was not found among that day's orders"))
                continue
            if pending.number is not None:
                self._look_for_confirmation(pending, orders)
                continue
            found = candidates(sought(pending.row), orders, bound)
            if not pending.call_ended:
                # Its reply may still come and name its number.
                self._held |= {order.number for order in found}
                continue
            if len(found) == 1 and claimed[found[0].number] <= 1:
                self._found(pending, found[0], orders)
            elif found:
                self._held |= {order.number for order in found}
                if not pending.ambiguous:
                    log.error("request %s fits orders %s", pending.row.request_id, [o.number for o in found])
                pending.ambiguous = True
            elif now - max(pending.ended_us, pending.looked_us) >= self._absent_us:
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
            self.end(pending, {"kind": "not_open", "message": row.reason})
        elif pending.row.kind == "cancel":
            self.end(pending, {"kind": "cancelled", "order": target})
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
                self.end(pending, {"kind": "amended", "order": pending.row.request_id, "replaced": target})

    def _bind_placed(self, pending: Pending, number: int) -> None:
        content = pending.row.content
        with self._store.transaction():
            record = self._record.bind(
                pending.row.request_id,
                number,
                placed_order(pending.row, number),
                content["type"],
                content.get("timeInForce") or "day",
                int(content["limitPrice"]) if "limitPrice" in content else None,
            )
            self.end(pending, {"kind": "accepted", "order": pending.row.request_id})
        log.info("order %s is %s", pending.row.request_id, record.venue_order_id)

    def _recover(self) -> None:
        """After a restart: what was not sent never will be, what may have been is looked for."""
        for row in self._store.unanswered():
            if row.state == "queued":
                self._store.answer_request(
                    row.request_id, not_sent("BROKER_UNAVAILABLE", "the service ended before it was sent")
                )
                continue
            if row.outcome is None:
                self._store.answer_request(
                    row.request_id, unknown("the service ended while it was being sent"), settled=False
                )
            pending = Pending(row, call_ended=True, ended_us=self._wall_us())
            pending.answered.set()
            self._pending[row.request_id] = pending
