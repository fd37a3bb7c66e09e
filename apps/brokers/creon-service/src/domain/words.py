"""What the service and its adapters speak of. Won and shares are whole, times µs since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit"]
TimeInForce = Literal["day", "ioc", "fok"]
# What ticks, limits and taxes go by; `other` is none of what JTS trades.
Kind = Literal["stock", "etf", "etn", "elw", "other"]
Status = Literal["accepted", "partially_filled", "filled", "cancelled", "expired", "rejected"]


class Priority(IntEnum):
    """Who goes first when requests wait."""

    CANCEL = 0
    REDUCE = 1
    NEW = 2
    RECONCILE = 3
    QUOTES = 4
    HISTORY = 5


@dataclass(frozen=True)
class Placement:
    """One request for a new order, in the venue's own code."""

    client_order_id: str
    code: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: int
    limit_price: int | None


@dataclass(frozen=True)
class Notice:
    """CpConclusion, read.

    flag "1" fill, "2" confirmed, "3" rejected, "4" accepted; kind "1" new, "2" modify, "3" cancel.
    """

    flag: str
    kind: str
    number: int
    original: int
    code: str
    side: Side
    quantity: int
    price: int
    price_type: str
    # Holding after it: what tells two equal fills from one that is told twice.
    holding: int


@dataclass(frozen=True)
class VenueOrder:
    """One of today's orders as CpTd5341 tells it, its rows put together."""

    number: int
    original: int
    code: str
    side: Side
    quantity: int
    price: int
    price_type: str
    kind: str
    filled: int
    leaves: int
    # Of the order itself: cancelled by its own condition, or moved to another number.
    confirmed: int
    reason: str
    prices: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OrderRecord:
    """An order as the service knows it; `date` because numbers begin anew each day."""

    client_order_id: str
    date: int
    number: int
    code: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: int
    limit_price: int | None
    status: Status
    cumulative: int
    amount: int
    time_us: int
    replaces: str | None = None
    reason: str | None = None

    @property
    def venue_order_id(self) -> str:
        return f"{self.date}-{self.number}"

    @property
    def open(self) -> bool:
        return self.status in ("accepted", "partially_filled")

    @property
    def foreign(self) -> bool:
        return self.client_order_id.startswith("venue-")


@dataclass(frozen=True)
class Fill:
    """One execution; `number` and `date` are its order's."""

    fill_id: str
    client_order_id: str
    date: int
    number: int
    code: str
    side: Side
    quantity: int
    price: int
    fee: int
    cumulative: int
    time_us: int
    provisional: bool
    corrects: str | None = None
