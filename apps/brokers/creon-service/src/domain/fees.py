"""What a fill is expected to cost. Creon tells no fee with a fill, so these are estimates and are said to be."""

from __future__ import annotations

from .words import Side

# Basis points of the proceeds of a sale of listed shares, by the day it took effect (won, floored).
SELL_TAX_BP = ((20260101, 20), (20250101, 15), (20240101, 18), (20230101, 20), (20210101, 23), (20190530, 25), (0, 30))
TAX_FREE_SECTIONS = frozenset({"etf"})


def estimated_fee(side: Side, quantity: int, price: int, date: int, fee_ppm: int, section: str = "stock") -> int:
    amount = quantity * price
    fee = amount * fee_ppm // 1_000_000
    if side == "buy" or section in TAX_FREE_SECTIONS:
        return fee
    bp = next(bp for since, bp in SELL_TAX_BP if date >= since)
    return fee + amount * bp // 10_000
