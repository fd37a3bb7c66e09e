"""The COM objects by ProgID in lower case: Windows does not mind their case."""

from __future__ import annotations

from typing import Any

from . import quotes, realtime, trade, util

_CLASSES: tuple[type[Any], ...] = (
    util.CpCybos,
    util.CpStockCode,
    util.CpCodeMgr,
    quotes.StockChart,
    quotes.StockMst,
    quotes.MarketEye,
    quotes.StockJpBid2,
    realtime.StockCur,
    realtime.StockJpBid,
    realtime.CpConclusion,
    trade.CpTdUtil,
    trade.CpTd0311,
    trade.CpTd0313,
    trade.CpTd0303,
    trade.CpTd0314,
    trade.CpTd0322,
    trade.CpTd0326,
    trade.CpTd0386,
    trade.CpTd0387,
    trade.CpTd0389,
    trade.CpTd5339,
    trade.CpTd5341,
    trade.CpTd6033,
    trade.CpTdNew5331A,
    trade.CpTdNew5331B,
    trade.CpTd0732,
)

OBJECTS: dict[str, type[Any]] = {cls.progid.lower(): cls for cls in _CLASSES}
