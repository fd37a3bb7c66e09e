"""What a fill is expected to cost. Creon tells no fee with a fill, so these are estimates and are said to be."""

from __future__ import annotations

from .words import Kind, Side

# Basis points of the proceeds of a sale of listed shares (won, floored), by the first day of trading whose sales settle
# under the law: a change on 1 January holds from the last session but one of December.
SELL_TAX_BP = ((20251229, 20), (20241227, 15), (20231227, 18), (20221228, 20), (20201229, 23), (20190530, 25), (0, 30))
KONEX_TAX_BP = ((20190530, 10), (0, 30))
# Of it the farm tax (농어촌특별세) of KOSPI shares: a tax of its own, which is cut to the won by itself.
KOSPI_FARM_TAX_BP = 15


def estimated_fee(
    side: Side, quantity: int, price: int, date: int, fee_ppm: int, market: str = "KOSPI", kind: Kind = "stock"
) -> int:
    amount = quantity * price
    fee = amount * fee_ppm // 1_000_000
    # Funds, notes and warrants that trade like shares pay none.
    if side == "buy" or kind in ("etf", "etn", "elw"):
        return fee
    bp = next(bp for since, bp in (KONEX_TAX_BP if market == "KONEX" else SELL_TAX_BP) if date >= since)
    farm_bp = KOSPI_FARM_TAX_BP if market == "KOSPI" else 0
    return fee + amount * (bp - farm_bp) // 10_000 + amount * farm_bp // 10_000
