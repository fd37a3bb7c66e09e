"""The venue's own calendar: weekdays on which KRX was or will be closed, and the phases of a day (KST, HHMMSS)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

CLOSED_DAYS = frozenset(
    int(day)
    for day in """
    20170127 20170130 20170301 20170501 20170503 20170505 20170509 20170606 20170815 20171002 20171003 20171004
    20171005 20171006 20171009 20171225 20171229
    20180101 20180215 20180216 20180301 20180501 20180507 20180522 20180606 20180613 20180815 20180924 20180925
    20180926 20181003 20181009 20181225 20181231
    20190101 20190204 20190205 20190206 20190301 20190501 20190506 20190606 20190815 20190912 20190913 20191003
    20191009 20191225 20191231
    20200101 20200124 20200127 20200415 20200430 20200501 20200505 20200817 20200930 20201001 20201002 20201009
    20201225 20201231
    20210101 20210211 20210212 20210301 20210505 20210519 20210816 20210920 20210921 20210922 20211004 20211011
    20211231
    20220131 20220201 20220202 20220301 20220309 20220505 20220601 20220606 20220815 20220909 20220912 20221003
    20221010 20221230
    20230123 20230124 20230301 20230501 20230505 20230529 20230606 20230815 20230928 20230929 20231002 20231003
    20231009 20231225 20231229
    20240101 20240209 20240212 20240301 20240410 20240501 20240506 20240515 20240606 20240815 20240916 20240917
    20240918 20241001 20241003 20241009 20241225 20241231
    20250101 20250127 20250128 20250129 20250130 20250303 20250501 20250505 20250506 20250603 20250606 20250815
    20251003 20251006 20251007 20251008 20251009 20251225 20251231
    20260101 20260216 20260217 20260218 20260302 20260501 20260505 20260817 20260924 20260925 20261005 20261009
    20261225 20261231
    """.split()
)

Phase = Literal["closed", "opening_auction", "continuous", "closing_auction", "after_close", "single_price"]


@dataclass(frozen=True)
class Sessions:
    """Configuration, since KRX has announced to change them; `always_open` is for demonstrations at night."""

    entry_from: int = 83000
    open_at: int = 90000
    auction_from: int = 152000
    close_at: int = 153000
    after_close_from: int = 154000
    single_price_from: int = 160000
    end_at: int = 180000
    always_open: bool = False

    def with_always_open(self) -> Sessions:
        return replace(self, always_open=True)

    def phase(self, day: int, hhmmss: int) -> Phase:
        if self.always_open:
            return "continuous"
        if not is_trading_day(day) or hhmmss < self.entry_from or hhmmss >= self.end_at:
            return "closed"
        if hhmmss < self.open_at:
            return "opening_auction"
        if hhmmss < self.auction_from:
            return "continuous"
        if hhmmss < self.close_at:
            return "closing_auction"
        if hhmmss < self.single_price_from:
            return "after_close"
        return "single_price"


def to_date(day: int) -> date:
    return date(day // 10_000, day // 100 % 100, day % 100)


def from_date(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def is_trading_day(day: int) -> bool:
    return to_date(day).weekday() < 5 and day not in CLOSED_DAYS


def trading_day_after(day: int, count: int = 1) -> int:
    """The count-th trading day after `day`: settlement is the second."""
    current = to_date(day)
    while count > 0:
        current += timedelta(days=1)
        if is_trading_day(from_date(current)):
            count -= 1
    return from_date(current)


def trading_day_before(day: int) -> int:
    current = to_date(day) - timedelta(days=1)
    while not is_trading_day(from_date(current)):
        current -= timedelta(days=1)
    return from_date(current)


def trading_days(first: int, last: int) -> list[int]:
    days, current, end = [], to_date(first), to_date(last)
    while current <= end:
        if is_trading_day(from_date(current)):
            days.append(from_date(current))
        current += timedelta(days=1)
    return days
