"""What Creon tells, as values."""

from __future__ import annotations

from dataclasses import dataclass

from domain.words import Kind, Side

Levels = list[tuple[int, int]]


@dataclass(frozen=True)
class Listing:
    code: str
    name: str
    market: str
    kind: Kind
    control: int
    supervised: bool
    status: int
    lot: int
    upper: int
    lower: int
    tick: int


@dataclass(frozen=True)
class Standing:
    control: int
    supervised: bool
    halted: bool


@dataclass(frozen=True)
class QuoteRow:
    code: str
    last: int
    ask: int
    bid: int
    ask_quantity: int
    bid_quantity: int
    volume: int
    previous_close: int
    upper: int
    lower: int
    session: str
    expected: int


@dataclass(frozen=True)
class Tick:
    code: str
    price: int
    quantity: int
    volume: int
    ask: int
    bid: int
    expected: bool
    session: str
    aggressor: Side


@dataclass(frozen=True)
class BuyingPower:
    orderable: int
    # 예수금: what has been settled.
    deposit: int


@dataclass(frozen=True)
class HoldingRow:
    code: str
    quantity: int
    sellable: int
    cost: int


@dataclass(frozen=True)
class Balance:
    cash_in_two_days: int
    holdings: tuple[HoldingRow, ...]


def filled(levels: Levels) -> Levels:
    return [(price, quantity) for price, quantity in levels if price > 0 and quantity > 0]
