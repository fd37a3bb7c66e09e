"""A request without a final outcome, and what the venue's list would show of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from adapters.sta_thread import Job
from adapters.store import RequestRow
from domain.matching import PRICE_TYPE, Sought, sought_order
from domain.words import Placement, Side, VenueOrder

# Two lists at least this far apart without an order that fits: it is not there (and is still adopted if it comes).
ABSENT_LISTS = 2


@dataclass
class Pending:
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


def placed_order(row: RequestRow, number: int) -> VenueOrder:
    content = row.content
    price = int(content.get("limitPrice", "0"))
    kind = PRICE_TYPE[content["type"]]
    return VenueOrder(number, 0, row.code, _side(row), int(content["quantity"]), price, kind, "1", 0, 0, 0, "")


def sought(row: RequestRow) -> Sought:
    content = row.content
    if row.kind == "place":
        placement = Placement(
            row.request_id,
            row.code,
            _side(row),
            content["type"],
            content.get("timeInForce") or "day",
            int(content["quantity"]),
            int(content["limitPrice"]) if "limitPrice" in content else None,
        )
        return sought_order(placement, row.after_number)
    original = int(content["_venueNumber"])
    return Sought(row.code, _side(row), "3" if row.kind == "cancel" else "2", row.after_number, original=original)


def _side(row: RequestRow) -> Side:
    return "buy" if row.side == "buy" else "sell"
