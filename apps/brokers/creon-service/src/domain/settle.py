"""Fills without trade ids: notices are provisional, and the venue's quantities by price say what is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The venue's list may be behind its own notices: only what two lists do not know was never a fill.
LISTS_TO_DISPROVE = 2


@dataclass(frozen=True)
class Provisional:
    fill_id: str
    quantity: int
    price: int
    time_us: int
    # How many lists that were asked after it did not have it.
    missed: int = 0


@dataclass(frozen=True)
class Settled:
    quantity: int
    price: int
    cumulative: int
    time_us: int | None
    # The notice that it takes the place of, where that said something else.
    corrects: str | None


@dataclass(frozen=True)
class Settlement:
    fills: tuple[Settled, ...]
    waiting: tuple[Provisional, ...]
    disproved: tuple[Provisional, ...]
    # The venue has less at a price than was settled before: for a person.
    taken_back: Mapping[int, int]


def settle(
    venue_order_id: str,
    recorded: Mapping[int, int],
    provisional: Sequence[Provisional],
    venue: Mapping[int, int],
    asked_after: int,
) -> Settlement:
    """
    `recorded` and `venue` are quantities by price; the first `asked_after` notices came before the list was asked.
    """
    fresh = {price: quantity - recorded.get(price, 0) for price, quantity in venue.items()}
    taken_back = {price: have - venue.get(price, 0) for price, have in recorded.items() if have > venue.get(price, 0)}
    cumulative = sum(recorded.values())
    fills: list[Settled] = []
    unproved: list[tuple[int, Provisional]] = []
    for place, notice in enumerate(provisional):
        if fresh.get(notice.price, 0) < notice.quantity:
            unproved.append((place, notice))
            continue
        fresh[notice.price] -= notice.quantity
        cumulative += notice.quantity
        same_id = notice.fill_id == f"{venue_order_id}:{cumulative}"
        corrects = None if same_id else notice.fill_id
        fills.append(Settled(notice.quantity, notice.price, cumulative, notice.time_us, corrects))

    wrong = [notice for place, notice in unproved if place < asked_after]
    for price, quantity in fresh.items():
        if quantity <= 0:
            continue
        # A fill that no notice told, or one that a notice told otherwise.
        told = next((notice for notice in wrong if notice.quantity == quantity), None)
        if told is not None:
            wrong.remove(told)
        cumulative += quantity
        fills.append(
            Settled(quantity, price, cumulative, None if told is None else told.time_us, told.fill_id if told else None)
        )

    again = [Provisional(n.fill_id, n.quantity, n.price, n.time_us, n.missed + 1) for n in wrong]
    later = [notice for place, notice in unproved if place >= asked_after]
    return Settlement(
        tuple(fills),
        tuple([notice for notice in again if notice.missed < LISTS_TO_DISPROVE] + later),
        tuple(notice for notice in again if notice.missed >= LISTS_TO_DISPROVE),
        taken_back,
    )
