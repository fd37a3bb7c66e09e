"""One cash account: money settles on the second trading day, shares are sellable at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .calendar import trading_day_after
from .rules import commission, sell_tax


@dataclass
class Holding:
    quantity: int = 0
    # Total cost, never an average.
    cost: int = 0
    bought_today: int = 0
    sold_today: int = 0
    day: int = 0


@dataclass
class Ledger:
    fee_ppm: int = 150
    # Settlement date -> won; date 0 is the opening balance.
    cash: dict[int, int] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)
    fees_paid: int = 0
    taxes_paid: int = 0

    def cash_by(self, date: int) -> int:
        return sum(amount for settles, amount in self.cash.items() if settles <= date)

    def cash_in_the_end(self) -> int:
        return sum(self.cash.values())

    def holding(self, code: str) -> Holding:
        return self.holdings.setdefault(code, Holding())

    def book(self, side: str, code: str, quantity: int, price: int, date: int, market: str, kind: str) -> None:
        amount, held = quantity * price, self.holding(code)
        if held.day != date:
            held.day, held.bought_today, held.sold_today = date, 0, 0
        fee = commission(amount, self.fee_ppm)
        settles = trading_day_after(date, 2)
        if side == "buy":
            moved = -amount - fee
            held.quantity += quantity
            held.cost += amount
            held.bought_today += quantity
        else:
            tax = sell_tax(amount, date, market, kind)
            moved = amount - fee - tax
            self.taxes_paid += tax
            held.cost -= held.cost * quantity // held.quantity
            held.quantity -= quantity
            held.sold_today += quantity
        self.fees_paid += fee
        self.cash[settles] = self.cash.get(settles, 0) + moved

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Ledger:
        return cls(
            value["fee_ppm"],
            {int(date): amount for date, amount in value["cash"].items()},
            {code: Holding(**held) for code, held in value["holdings"].items()},
            value["fees_paid"],
            value["taxes_paid"],
        )
