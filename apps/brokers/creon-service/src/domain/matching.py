"""Which of the venue's orders is the one whose reply was lost. Creon takes no ids: two that fit decide nothing."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from .words import Placement, Side, VenueOrder

PRICE_TYPE = {"limit": "01", "market": "03"}


@dataclass(frozen=True)
class Sought:
    """What a request would look like at the venue; its number is above every one seen before it was sent."""

    code: str
    side: Side
    kind: str
    after_number: int
    quantity: int | None = None
    price: int | None = None
    price_type: str | None = None
    original: int = 0


def sought_order(placement: Placement, after_number: int) -> Sought:
    return Sought(
        placement.code,
        placement.side,
        "1",
        after_number,
        placement.quantity,
        placement.limit_price,
        PRICE_TYPE[placement.type],
    )


def candidates(sought: Sought, orders: Iterable[VenueOrder], bound: Container[int]) -> list[VenueOrder]:
    return [order for order in orders if order.number not in bound and _fits(sought, order)]


def _fits(sought: Sought, order: VenueOrder) -> bool:
    return (
        order.number > sought.after_number
        and order.code == sought.code
        and order.side == sought.side
        and order.kind == sought.kind
        and sought.original in (0, order.original)
        and sought.quantity in (None, order.quantity)
        and sought.price in (None, order.price)
        and sought.price_type in (None, order.price_type)
    )
