"""What a row of the venue's list says about an order's life."""

from __future__ import annotations

from collections.abc import Iterable

from .words import OrderRecord, Status, VenueOrder


def cancelled_quantity(order: VenueOrder, all_orders: Iterable[VenueOrder]) -> int:
    """Confirmed by its own condition (IOC, FOK), or taken away by cancels and modifications with their own numbers."""
    taken = sum(other.confirmed for other in all_orders if other.original == order.number and other.kind in ("2", "3"))
    return max(taken, order.confirmed) if order.kind == "1" else taken


def status_of(order: VenueOrder, cancelled: int) -> Status:
    if order.leaves > 0:
        return "partially_filled" if order.filled > 0 else "accepted"
    if order.filled >= order.quantity > 0:
        return "filled"
    if order.reason and order.filled == 0:
        return "rejected"
    # Gone without a word: its session ended.
    return "cancelled" if cancelled > 0 else "expired"


def open_quantity(record: OrderRecord) -> int:
    return record.quantity - record.cumulative if record.open else 0
