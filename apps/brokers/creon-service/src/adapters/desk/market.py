"""What is listed, and prices: master data, charts, quotes and books. The indices are those of Creon's help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from domain.candles import MINUTES, ChartRow
from domain.words import Kind

from ..errors import UnreadableError
from ..reading import code_or_text, integer, natural, stock_code, text
from .objects import ComObjects
from .rows import Levels, Listing, QuoteRow, Standing, filled

CHART_FIELDS = [0, 1, 2, 3, 4, 5, 8]
REGULAR_HOURS_ONLY = ord("3")

# What trades like a share, and what else has rules of its own (creon.md 4.3); the rest is not for this service.
KIND_OF_SECTION: dict[int, Kind] = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 13), "stock"),
    **dict.fromkeys((10, 12), "etf"),
    17: "etn",
    9: "elw",
}


class MarketDesk:
    def __init__(self, objects: ComObjects) -> None:
        self._objects = objects

    def listings(self, codes: Sequence[str] | None) -> list[Listing]:
        """Master data of the login: no request, no limit. Without codes all of KOSPI, KOSDAQ and KONEX."""
        manager, stocks = self._objects.kept("CpUtil.CpCodeMgr"), self._objects.kept("CpUtil.CpStockCode")
        wanted = (
            list(codes)
            if codes is not None
            else [stock_code(one, "code") for market in (1, 2, 5) for one in manager.GetStockListByMarket(market)]
        )
        found = []
        for code in wanted:
            market = {1: "KOSPI", 2: "KOSDAQ", 5: "KONEX"}.get(integer(manager.GetStockMarketKind(code), "market kind"))
            name = text(manager.CodeToName(code), "name")
            if market is None or not name or not code.startswith("A"):
                continue
            base = natural(manager.GetStockStdPrice(code), "base price")
            found.append(
                Listing(
                    code,
                    name,
                    market,
                    KIND_OF_SECTION.get(integer(manager.GetStockSectionKind(code), "section"), "other"),
                    integer(manager.GetStockControlKind(code), "control kind"),
                    integer(manager.GetStockSupervisionKind(code), "supervision kind") == 1,
                    integer(manager.GetStockStatusKind(code), "status kind"),
                    max(1, natural(manager.GetStockMemeMin(code), "lot size")),
                    natural(manager.GetStockMaxPrice(code), "upper limit"),
                    natural(manager.GetStockMinPrice(code), "lower limit"),
                    max(1, natural(stocks.GetPriceUnit(code, base, True), "tick")),
                )
            )
        return found

    def market_hours(self) -> tuple[int, int]:
        """HHMM of today; other on special days."""
        manager = self._objects.kept("CpUtil.CpCodeMgr")
        return natural(manager.GetMarketStartTime(), "market start"), natural(manager.GetMarketEndTime(), "market end")

    def standing(self, code: str) -> Standing:
        """As it is now: master data is of the login."""
        asked = self._objects.ask("Dscbo1.StockMst", {0: code}, True)
        supervised, halted = (code_or_text(asked.GetHeaderValue(index), "standing") == "Y" for index in (66, 68))
        # '1' normal, '2' caution, '3' warning, '4' danger announced, '5' danger: one more than CpCodeMgr's.
        control = code_or_text(asked.GetHeaderValue(67), "warning")
        if control not in ("1", "2", "3", "4", "5"):
            raise UnreadableError(f"expected a warning from 1 to 5, found {control!r}")
        return Standing(int(control) - 1, supervised, halted)

    def chart(self, code: str, timeframe: str, count: int, adjusted: bool) -> Callable[[], tuple[list[ChartRow], bool]]:
        """Asks for pages, newest first. Counted, since minutes cannot be asked for by date."""
        asked = self._objects.new("CpSysDib.StockChart")
        inputs: dict[int, Any] = {
            0: code,
            1: ord("2"),
            4: count,
            5: CHART_FIELDS,
            6: ord("D") if timeframe == "1D" else ord("m"),
            7: MINUTES.get(timeframe, 1),
            8: ord("0"),
            9: ord("1") if adjusted else ord("0"),
            10: REGULAR_HOURS_ONLY,
        }
        for index, value in inputs.items():
            asked.SetInputValue(index, value)

        def page() -> tuple[list[ChartRow], bool]:
            self._objects.request(asked, "CpSysDib.StockChart")
            value = asked.GetDataValue
            # By position among the fields asked for, in ascending order.
            names = ("date", "time", "open", "high", "low", "close", "volume")
            rows = [
                ChartRow(*(natural(value(place, row), name) for place, name in enumerate(names)))
                for row in range(natural(asked.GetHeaderValue(3), "row count"))
            ]
            return rows, bool(asked.Continue)

        return page

    def quotes(self, codes: Sequence[str]) -> list[QuoteRow]:
        fields = [0, 4, 8, 9, 10, 12, 15, 16, 23, 28, 33, 34]
        asked = self._objects.ask("CpSysDib.MarketEye", {0: fields, 1: list(codes)}, True)
        value = asked.GetDataValue
        at = {number: place for place, number in enumerate(fields)}

        def amount(number: int, row: int) -> int:
            return natural(value(at[number], row), f"field {number}")

        return [
            QuoteRow(
                code=stock_code(value(at[0], row), "code"),
                last=amount(4, row),
                ask=amount(8, row),
                bid=amount(9, row),
                volume=amount(10, row),
                session=code_or_text(value(at[12], row), "session"),
                ask_quantity=amount(15, row),
                bid_quantity=amount(16, row),
                previous_close=amount(23, row),
                expected=amount(28, row),
                upper=amount(33, row),
                lower=amount(34, row),
            )
            for row in range(natural(asked.GetHeaderValue(2), "row count"))
        ]

    def order_book(self, code: str) -> tuple[Levels, Levels]:
        asked = self._objects.ask("Dscbo1.StockJpBid2", {0: code}, True)
        value = asked.GetDataValue
        asks, bids = [], []
        for row in range(natural(asked.GetHeaderValue(1), "level count")):
            asks.append((natural(value(0, row), "ask price"), natural(value(2, row), "ask quantity")))
            bids.append((natural(value(1, row), "bid price"), natural(value(3, row), "bid quantity")))
        return filled(bids), filled(asks)
