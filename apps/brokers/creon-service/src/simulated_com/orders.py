"""An order as the exchange keeps it, and the refusals in the broker's own words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Side = Literal["buy", "sell"]
Book = Literal["regular", "after_close", "single_price"]

LIMIT, MARKET, CONDITIONAL, BEST, PRIORITY = "01", "03", "05", "12", "13"
PRICE_TYPES = {
    LIMIT: "보통",
    MARKET: "시장가",
    CONDITIONAL: "조건부지정가",
    BEST: "최유리지정가",
    PRIORITY: "최우선지정가",
}
NONE, IOC, FOK = "0", "1", "2"


class Refused(Exception):
    """The broker's server says no at once; no order comes to be."""


@dataclass
class Order:
    number: int
    date: int
    account: str
    goods: str
    code: str
    side: Side
    quantity: int
    price: int
    price_type: str
    condition: str
    time_us: int
    book: Book = "regular"
    # "1" normal, "2" modify, "3" cancel.
    kind: str = "1"
    original: int = 0
    leaves: int = 0
    filled: int = 0
    # Cancelled or moved to another number.
    confirmed: int = 0
    reason: str = ""
    # What a market order is worth until it fills.
    reserve_price: int = 0
    media: str = "01"

    @property
    def key(self) -> str:
        return f"{self.date}-{self.number:09d}"

    @property
    def open(self) -> bool:
        return self.leaves > 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Fill:
    number: int
    date: int
    sequence: int
    quantity: int
    price: int
    time_us: int

    @property
    def key(self) -> str:
        return f"{self.date}-{self.number:09d}-{self.sequence:06d}"


@dataclass(frozen=True)
class Notice:
    """What CpConclusion tells: flag "1" fill, "2" confirm, "3" reject, "4" accepted."""

    flag: str
    order: Order
    quantity: int
    price: int
    holding: int
    sellable: int
    book_price: int
