"""CpUtil: the session, codes and their master data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..bars import Listing
from ..calendar import Hours, hours_of
from ..clock import date_of
from ..limits import QUOTE, SUBSCRIPTIONS, TRADE
from ..rules import tick_size
from ..terminal import Terminal
from .base import ComObject

MARKET_KIND = {"KOSPI": 1, "KOSDAQ": 2, "KONEX": 5}
SECTION_KIND = {"stock": 1, "etf": 10}


class CpCybos(ComObject):
    progid = "CpUtil.CpCybos"

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        terminal.watchers.append(self)

    @property
    def IsConnect(self) -> int:
        self._enter("IsConnect")
        return 1 if self._terminal.connected else 0

    @property
    def ServerType(self) -> int:
        self._enter("ServerType")
        return 1 if self._terminal.connected else 0

    @property
    def LimitRequestRemainTime(self) -> int:
        self._enter("LimitRequestRemainTime")
        return self._terminal.limits.reset_in_ms()

    def GetLimitRemainCount(self, kind: int) -> int:
        self._enter("GetLimitRemainCount")
        if kind == SUBSCRIPTIONS:
            return self._terminal.subscriptions_left()
        return self._terminal.limits.remain(kind) if kind in (TRADE, QUOTE) else 0

    def PlusDisconnect(self) -> None:
        self._enter("PlusDisconnect")
        self._terminal.disconnect()


class _Codes(ComObject):
    def _listing(self, code: str) -> Listing | None:
        """As it was at the login."""
        self._terminal.require_connection()
        return self._terminal.master.get(code)

    def CodeToName(self, code: str) -> str:
        self._enter("CodeToName")
        listing = self._listing(code)
        return "" if listing is None else listing.name


class CpStockCode(_Codes):
    progid = "CpUtil.CpStockCode"

    def NameToCode(self, name: str) -> str:
        self._enter("NameToCode")
        return next((code for code, listing in self._all() if listing.name == name), "")

    def CodeToFullCode(self, code: str) -> str:
        self._enter("CodeToFullCode")
        return "" if self._listing(code) is None else _full_code(code)

    def FullCodeToCode(self, full: str) -> str:
        self._enter("FullCodeToCode")
        return next((code for code, _ in self._all() if _full_code(code) == full), "")

    def FullCodeToName(self, full: str) -> str:
        self._enter("FullCodeToName")
        return next((listing.name for code, listing in self._all() if _full_code(code) == full), "")

    def CodeToIndex(self, code: str) -> int:
        self._enter("CodeToIndex")
        return next((index for index, (other, _) in enumerate(self._all()) if other == code), -1)

    def GetCount(self) -> int:
        self._enter("GetCount")
        return len(self._all())

    def GetData(self, type: int, index: int) -> str:
        self._enter("GetData")
        if not 0 <= index < len(self._all()):
            return ""
        code, listing = self._all()[index]
        return (code, listing.name, _full_code(code))[type]

    def GetPriceUnit(self, code: str, price: int, up: bool = True) -> int:
        self._enter("GetPriceUnit")
        listing = self._listing(code)
        if listing is None:
            return 0
        return tick_size(
            price if up else price - 1, date_of(self._terminal.clock.now_us()), listing.market, listing.kind
        )

    def _all(self) -> list[tuple[str, Listing]]:
        self._terminal.require_connection()
        return sorted(self._terminal.exchange.listings.items())


class CpCodeMgr(_Codes):
    progid = "CpUtil.CpCodeMgr"

    def GetStockListByMarket(self, market: int) -> tuple[str, ...]:
        self._enter("GetStockListByMarket")
        self._terminal.require_connection()
        listings = self._terminal.exchange.listings
        return tuple(sorted(code for code, listing in listings.items() if MARKET_KIND[listing.market] == market))

    def GetStockMarketKind(self, code: str) -> int:
        self._enter("GetStockMarketKind")
        listing = self._listing(code)
        return 0 if listing is None else MARKET_KIND[listing.market]

    def GetStockSectionKind(self, code: str) -> int:
        self._enter("GetStockSectionKind")
        listing = self._listing(code)
        return 0 if listing is None else SECTION_KIND[listing.kind]

    def GetStockControlKind(self, code: str) -> int:
        self._enter("GetStockControlKind")
        listing = self._listing(code)
        return 0 if listing is None else listing.control

    def GetStockSupervisionKind(self, code: str) -> int:
        self._enter("GetStockSupervisionKind")
        listing = self._listing(code)
        return 1 if listing is not None and listing.administrative else 0

    def GetStockStatusKind(self, code: str) -> int:
        self._enter("GetStockStatusKind")
        listing = self._listing(code)
        return 1 if listing is not None and listing.halted else 0

    def GetStockMaxPrice(self, code: str) -> int:
        return self._price("GetStockMaxPrice", code, lambda market: market.limits()[0])

    def GetStockMinPrice(self, code: str) -> int:
        return self._price("GetStockMinPrice", code, lambda market: market.limits()[1])

    def GetStockStdPrice(self, code: str) -> int:
        return self._price("GetStockStdPrice", code, lambda market: market.today.base)

    def GetStockYdClosePrice(self, code: str) -> int:
        return self._price("GetStockYdClosePrice", code, lambda market: market.today.base)

    def GetStockMarginRate(self, code: str) -> int:
        self._enter("GetStockMarginRate")
        self._listing(code)
        return 100

    def GetStockMemeMin(self, code: str) -> int:
        self._enter("GetStockMemeMin")
        self._listing(code)
        return 1

    def GetMarketStartTime(self) -> int:
        self._enter("GetMarketStartTime")
        return self._hour(0, lambda hours: hours.open_at)

    def GetMarketEndTime(self) -> int:
        self._enter("GetMarketEndTime")
        return self._hour(2400, lambda hours: hours.close_at)

    def _hour(self, without_hours: int, of: Callable[[Hours], int]) -> int:
        if self._terminal.options.exchange.sessions.always_open:
            return without_hours
        return of(hours_of(date_of(self._terminal.clock.now_us()))) // 100

    def IsSPAC(self, code: str) -> int:
        self._enter("IsSPAC")
        self._listing(code)
        return 0

    def _price(self, member: str, code: str, of: Any) -> int:
        self._enter(member)
        if self._listing(code) is None:
            return 0
        with self._terminal.lock:
            return int(of(self._terminal.exchange.market_now(code)))


def _full_code(code: str) -> str:
    """KR7 + six digits + 00 + the ISIN check digit."""
    body = f"KR7{code[1:]}00"
    digits = "".join(str(int(letter, 36)) for letter in body)
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value // 10 + value % 10
    return f"{body}{-total % 10}"
