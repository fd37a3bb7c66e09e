"""What the service knows of its account's orders and fills: told by notices, settled by the venue's own list.

Everything here runs on the event loop. A notice is a hint that is told at once as provisional; only what the list of
today's orders has is written into the record of fills.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from adapters.store import Store
from domain.candles import date_of
from domain.fees import estimated_fee
from domain.settle import Provisional, settle
from domain.status import cancelled_quantity, status_of
from domain.words import Fill, Kind, Notice, OrderRecord, OrderType, TimeInForce, VenueOrder

log = logging.getLogger("creon.record")
PublishOrder = Callable[[OrderRecord, Fill | None], None]


@dataclass
class _Life:
    """An order of today, with the notices that no list has confirmed yet."""

    record: OrderRecord
    # Settled quantities by price.
    settled: dict[int, int] = field(default_factory=dict)
    provisional: list[Provisional] = field(default_factory=list)
    # Of fill notices, to know one that is told twice.
    heard: set[tuple[int, int, int]] = field(default_factory=set)
    # Quantities by price that a list had before any notice: the notice that follows is of these.
    untold: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """How many provisional fills each order had when a list was asked for."""

    counts: Mapping[int, int]


class AccountRecord:
    def __init__(
        self,
        store: Store,
        publish: PublishOrder,
        alert: Callable[[str, str], None],
        now_us: Callable[[], int],
        fee_ppm: int,
        taxed_as: Callable[[str], tuple[str, Kind]],
    ) -> None:
        self._store, self._publish, self._alert, self._now_us = store, publish, alert, now_us
        self._fee_ppm, self._taxed_as = fee_ppm, taxed_as
        self.date = date_of(now_us())
        self._lives: dict[int, _Life] = {}
        self._waiting: dict[int, list[Notice]] = {}
        # Above every number seen today.
        self.highest = 0
        self._load()

    # --- what is known --------------------------------------------------------------------------------------------

    def get(self, client_order_id: str) -> OrderRecord | None:
        for life in self._lives.values():
            if life.record.client_order_id == client_order_id:
                return self._shown(life)
        return self._store.order(client_order_id)

    def is_final(self, client_order_id: str) -> bool:
        """Ended, and no notice waits for a list to confirm it."""
        for life in self._lives.values():
            if life.record.client_order_id == client_order_id:
                return not life.record.open and not life.provisional
        return True

    def open_orders(self) -> list[OrderRecord]:
        shown = [self._shown(life) for life in self._lives.values() if life.record.open]
        return sorted(shown, key=lambda record: record.number)

    def known(self, number: int) -> bool:
        return number in self._lives

    def bound_numbers(self) -> set[int]:
        return {number for number, life in self._lives.items() if not life.record.foreign}

    def lowest_unsettled(self) -> int | None:
        """The first order that a list has to tell about."""
        open_numbers = [number for number, life in self._lives.items() if life.record.open or life.provisional]
        return min([*open_numbers, *self._waiting], default=None)

    def settled_fills(self, record: OrderRecord) -> list[Fill]:
        return self._store.fills_of_order(record.date, record.number)

    def waiting(self) -> list[tuple[int, str, str]]:
        """Numbers that nobody is bound to yet, with the code and side of their notices."""
        return [(number, notices[0].code, notices[0].side) for number, notices in self._waiting.items() if notices]

    def mark(self) -> Mark:
        return Mark({number: len(life.provisional) for number, life in self._lives.items()})

    # --- what happens ---------------------------------------------------------------------------------------------

    def bind(
        self,
        client_order_id: str,
        number: int,
        of: VenueOrder | OrderRecord,
        type: OrderType,
        time_in_force: TimeInForce,
        limit_price: int | None,
        replaces: str | None = None,
    ) -> OrderRecord:
        """The request with this id became the venue's order with this number: on disk, then told."""
        self.turn_day()
        known = self._lives.get(number)
        if known is not None and not known.record.foreign:
            raise RuntimeError(
                f"expected order {number} to belong to nobody, found it is {known.record.client_order_id}"
            )
        record = OrderRecord(
            client_order_id,
            self.date,
            number,
            of.code,
            of.side,
            type,
            time_in_force,
            of.quantity,
            limit_price,
            "accepted",
            0,
            0,
            self._now_us(),
            replaces,
        )
        self._store.save_order(record)
        life = _Life(record)
        self._lives[number] = life
        self.highest = max(self.highest, number)
        self._publish(record, None)
        for notice in self._waiting.pop(number, []):
            self._hear(life, notice)
        return self._shown(life)

    def notice(self, notice: Notice, may_be_ours: bool) -> None:
        """`may_be_ours`: a request whose number is not known yet could be this one; it waits for the reply."""
        self.turn_day()
        self.highest = max(self.highest, notice.number)
        if notice.kind == "3" and notice.original != 0:
            return
        life = self._lives.get(notice.number)
        if life is not None:
            self._hear(life, notice)
        elif notice.flag in ("1", "4") and notice.kind in ("1", "2"):
            self._waiting.setdefault(notice.number, []).append(notice)
            if not may_be_ours:
                self._adopt_waiting(notice.number)

    def release_waiting(self, held: Iterable[int]) -> None:
        """Numbers that no request of ours can have any more are foreign."""
        keep = set(held)
        for number in [number for number in self._waiting if number not in keep]:
            self._adopt_waiting(number)

    def apply(self, orders: Sequence[VenueOrder], mark: Mark, held: Iterable[int]) -> None:
        """The venue's list. `held`: numbers that may belong to a request whose reply is missing."""
        self.turn_day()
        keep = set(held)
        for order in orders:
            self.highest = max(self.highest, order.number)
            if order.kind == "3" or order.number in keep:
                continue
            life = self._lives.get(order.number) or self._foreign(order)
            self._settle(life, order, cancelled_quantity(order, orders), mark.counts.get(order.number, 0))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _hear(self, life: _Life, notice: Notice) -> None:
        if notice.flag != "1":
            return
        told = (notice.quantity, notice.price, notice.holding)
        if told in life.heard:
            # The same words twice. Were it another fill after all, the list has it.
            return
        life.heard.add(told)
        if life.untold.get(notice.price, 0) >= notice.quantity:
            # The list was quicker. Were it another fill, the list that is asked for now has it.
            life.untold[notice.price] -= notice.quantity
            return
        record = life.record
        cumulative = sum(life.settled.values()) + sum(one.quantity for one in life.provisional) + notice.quantity
        if cumulative > record.quantity:
            return
        fill_id = f"{record.venue_order_id}:{cumulative}"
        life.provisional.append(Provisional(fill_id, notice.quantity, notice.price, self._now_us()))
        shown = self._shown(life)
        fill = self._fill(shown, fill_id, notice.quantity, notice.price, cumulative, self._now_us(), provisional=True)
        self._publish(shown, fill)

    def _settle(self, life: _Life, order: VenueOrder, cancelled: int, asked_after: int) -> None:
        before = self._shown(life)
        settlement = settle(before.venue_order_id, life.settled, life.provisional, order.prices, asked_after)
        if settlement.taken_back:
            self._alert(
                "FILL_TAKEN_BACK",
                f"order {before.venue_order_id}: the broker has less than was settled ({dict(settlement.taken_back)})",
            )
            return
        status = status_of(order, cancelled)
        amount = sum(price * quantity for price, quantity in order.prices.items())
        record = replace(
            life.record,
            quantity=order.filled + order.leaves if order.leaves > 0 else max(order.quantity, order.filled),
            status=status,
            cumulative=order.filled,
            amount=amount,
            reason=order.reason or life.record.reason,
            time_us=life.record.time_us if not settlement.fills and status == life.record.status else self._now_us(),
        )
        told: list[Fill] = []
        with self._store.transaction():
            for settled in settlement.fills:
                fill_id = f"{record.venue_order_id}:{settled.cumulative}"
                if settled.corrects == fill_id:
                    # The notice had this id with other words.
                    fill_id = f"{fill_id}:c"
                fill = self._fill(
                    record,
                    fill_id,
                    settled.quantity,
                    settled.price,
                    settled.cumulative,
                    settled.time_us or self._now_us(),
                    provisional=False,
                    corrects=settled.corrects,
                )
                self._store.add_fill(fill)
                told.append(fill)
                if settled.time_us is None:
                    life.untold[settled.price] = life.untold.get(settled.price, 0) + settled.quantity
            if record != life.record:
                self._store.save_order(record)
        for fill in told:
            life.settled[fill.price] = life.settled.get(fill.price, 0) + fill.quantity
        life.provisional = list(settlement.waiting)
        changed = record != life.record
        life.record = record
        # Each settled fill with the report as it stood after it, so that cumulative quantities only rise.
        for fill in told:
            last = fill is told[-1]
            partial = "partially_filled" if record.status in ("filled", "partially_filled") else record.status
            step = record if last else replace(record, cumulative=fill.cumulative, status=partial)
            self._publish(self._shown(life) if last else step, fill)
        if (changed and not told) or settlement.disproved:
            self._publish(self._shown(life), None)

    def _shown(self, life: _Life) -> OrderRecord:
        """With what notices said beyond the settled."""
        record = life.record
        if not life.provisional:
            return record
        more = sum(one.quantity for one in life.provisional)
        amount = sum(one.quantity * one.price for one in life.provisional)
        cumulative = min(record.quantity, record.cumulative + more)
        status = record.status
        if record.open:
            status = "filled" if cumulative >= record.quantity else "partially_filled"
        return replace(record, cumulative=cumulative, amount=record.amount + amount, status=status)

    def _fill(
        self,
        record: OrderRecord,
        fill_id: str,
        quantity: int,
        price: int,
        cumulative: int,
        time_us: int,
        provisional: bool,
        corrects: str | None = None,
    ) -> Fill:
        fee = estimated_fee(record.side, quantity, price, record.date, self._fee_ppm, *self._taxed_as(record.code))
        return Fill(
            fill_id,
            record.client_order_id,
            record.date,
            record.number,
            record.code,
            record.side,
            quantity,
            price,
            fee,
            cumulative,
            time_us,
            provisional,
            corrects,
        )

    def _foreign(self, order: VenueOrder) -> _Life:
        """Placed by a person or another program."""
        original = self._lives.get(order.original) if order.original else None
        record = OrderRecord(
            f"venue-{self.date}-{order.number}",
            self.date,
            order.number,
            order.code,
            order.side,
            "market" if order.price_type == "03" else "limit",
            "day",
            order.quantity,
            order.price or None,
            "accepted",
            0,
            0,
            self._now_us(),
            original.record.client_order_id if original else None,
        )
        self._store.save_order(record)
        life = _Life(record)
        self._lives[order.number] = life
        for notice in self._waiting.pop(order.number, []):
            self._hear(life, notice)
        return life

    def _adopt_waiting(self, number: int) -> None:
        notices = self._waiting.get(number, [])
        accepted = next((notice for notice in notices if notice.flag == "4"), None)
        if accepted is None:
            # A fill tells no ordered quantity: the list does.
            return
        of = accepted
        life = self._foreign(
            VenueOrder(
                number, of.original, of.code, of.side, of.quantity, of.price, of.price_type, of.kind, 0, 1, 0, ""
            )
        )
        self._publish(self._shown(life), None)

    def _load(self) -> None:
        for record in self._store.orders_since(self.date):
            life = _Life(record)
            for fill in self._store.fills_of_order(record.date, record.number):
                life.settled[fill.price] = life.settled.get(fill.price, 0) + fill.quantity
            self._lives[record.number] = life
            self.highest = max(self.highest, record.number)
        self._close_earlier_days()

    def turn_day(self) -> None:
        """Numbers begin anew, and what was open yesterday is not any more."""
        today = date_of(self._now_us())
        if today == self.date:
            return
        self.date, self.highest = today, 0
        self._lives.clear()
        self._waiting.clear()
        self._close_earlier_days()

    def _close_earlier_days(self) -> None:
        """Orders live for a day, and Creon tells only today's: what was open then has ended, seen or not."""
        for record in self._store.open_orders_before(self.date):
            ended = replace(record, status="expired", reason="its day is over", time_us=self._now_us())
            self._store.save_order(ended)
            self._publish(ended, None)
            self._alert(
                "DAY_NOT_SETTLED",
                f"order {record.venue_order_id} was open when its day was last looked at; compare fills and balance",
            )
