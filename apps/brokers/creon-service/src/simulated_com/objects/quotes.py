"""Quote requests: StockChart, StockMst, MarketEye, StockJpBid2."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from ..bars import Bar
from ..calendar import from_date, to_date
from ..clock import date_of, kst
from ..errors import failed
from ..market import Market
from ..orders import Refused
from .base import Answer, RequestObject

CHART_PAGE = 2000
PRICE_FIELDS = {2: "open", 3: "high", 4: "low", 5: "close"}
MARKET_CHAR = {"KOSPI": "1", "KOSDAQ": "5", "KONEX": "7"}


class _Quotes(RequestObject):
    def _market(self, code: str) -> Market:
        exchange = self._terminal.exchange
        exchange.advance()
        return exchange.market_now(code)

    def _now(self) -> int:
        return self._terminal.clock.now_us()


class StockChart(_Quotes):
    """Newest first; minutes stamped by their end, days at time 0. Data is indexed by ascending field."""

    progid = "CpSysDib.StockChart"

    def answer(self) -> Answer:
        market = self._market(self._text(0))
        wanted = self._inputs.get(5)
        if not isinstance(wanted, (list, tuple)) or not wanted:
            raise failed("형식이 일치하지 않습니다(5)")
        fields = sorted({int(field) for field in wanted})
        chart = self._char(6, "D")
        bars = self._bars(market, chart)
        if self._char(1, "2") == "2":
            bars = bars[-max(0, self._number(4)) :] if self._number(4) else []
        else:
            first, last = self._number(3), self._number(2) or date_of(self._now())
            bars = [bar for bar in bars if first <= bar.date <= last]
        if self._char(9, "0") != "1":
            bars = [_times(bar, _factor(bar.date, market)) for bar in bars]
        rows = [[self._field(field, bar, market) for field in fields] for bar in reversed(bars)]
        today = market.today
        if today is None:
            raise Refused("시세를 준비하지 못했습니다")
        header = {
            0: self._text(0),
            1: len(fields),
            2: tuple(str(field) for field in fields),
            5: today.date,
            6: today.base,
            7: market.last(),
            10: today.volume,
            13: today.open,
            14: today.high,
            15: today.low,
            22: market.limits()[0],
            23: market.limits()[1],
        }
        return Answer(header, rows, count_at=3, page=CHART_PAGE)

    def _bars(self, market: Market, chart: str) -> list[Bar]:
        now = self._now()
        days = market.day_bars(now)
        if chart == "D":
            return days
        if chart in ("W", "M"):
            return _grouped(days, chart)
        if chart != "m":
            raise Refused("지원하지 않는 차트 구분입니다")
        interval = max(1, self._number(7, 1))
        dates = [bar.date for bar in days]
        if market.today is not None and market.today.date not in dates:
            dates.append(market.today.date)
        if self._char(1, "2") == "1":
            first, last = self._number(3), self._number(2) or date_of(now)
            dates = [date for date in dates if first <= date <= last]
        else:
            # A day has 381 bars of a minute.
            dates = dates[-(self._number(4) * interval // 381 + 3) :]
        minutes = [bar for date in dates for bar in market.minute_bars(date, now)]
        return minutes if interval == 1 else _wider(minutes, interval)

    def _field(self, field: int, bar: Bar, market: Market) -> Any:
        if field == 0:
            return bar.date
        if field == 1:
            return bar.time
        if field in PRICE_FIELDS:
            return getattr(bar, PRICE_FIELDS[field])
        if field == 8:
            return bar.volume
        if field == 9:
            return bar.close * bar.volume
        if field == 12:
            return market.bars.listing.listed_shares
        if field in (6, 37):
            factor = 1 if self._char(9, "0") == "1" else _factor(bar.date, market)
            difference = bar.close - market.bars.close_before(bar.date) * factor
            return difference if field == 6 else ord("2" if difference > 0 else "5" if difference < 0 else "3")
        return 0


class StockMst(_Quotes):
    progid = "Dscbo1.StockMst"

    def answer(self) -> Answer:
        market = self._market(self._text(0))
        return Answer(snapshot(market, self._now()))


def snapshot(market: Market, now_us: int) -> dict[int, Any]:
    today, listing = market.today, market.bars.listing
    if today is None:
        raise Refused("시세를 준비하지 못했습니다")
    upper, lower = market.limits()
    bids, asks = market.book("sell"), market.book("buy")
    phase, moment = market.phase(now_us), kst(now_us)
    auction = phase in ("opening_auction", "closing_auction")
    kosdaq = listing.market == "KOSDAQ"
    return {
        0: listing.code,
        1: listing.name,
        4: moment.hour * 100 + moment.minute,
        8: upper,
        9: lower,
        10: today.base,
        11: market.last(),
        12: market.last() - today.base,
        13: today.open,
        14: today.high,
        15: today.low,
        16: asks[0][0] if asks else 0,
        17: bids[0][0] if bids else 0,
        18: today.volume,
        19: today.value // (1_000 if kosdaq else 10_000),
        27: today.base,
        31: listing.listed_shares if kosdaq else listing.listed_shares // 1_000,
        43: 1,
        44: ord("0"),
        45: ord(MARKET_CHAR[listing.market]),
        46: 0,
        55: market.last() if auction else 0,
        56: market.last() - today.base if auction else 0,
        57: 100 if auction else 0,
        58: ord("1" if auction else "2" if phase == "continuous" else "0"),
        59: ord(
            {"opening_auction": "1", "closing_auction": "5", "after_close": "4", "single_price": "4"}.get(phase, "2")
        ),
        66: ord("Y" if listing.administrative else "N"),
        67: ord("1") + listing.control,
        68: ord("Y" if listing.halted else "N"),
    }


class MarketEye(_Quotes):
    progid = "CpSysDib.MarketEye"

    def answer(self) -> Answer:
        fields, codes = self._inputs.get(0), self._inputs.get(1)
        if not isinstance(fields, (list, tuple)) or not 0 < len(fields) <= 64:
            raise Refused("요청 필드 개수를 확인하십시오(최대 64)")
        wanted = [codes] if isinstance(codes, str) else list(codes or ())
        if not 0 < len(wanted) <= 200:
            raise Refused("요청 종목 개수를 확인하십시오(최대 200)")
        order = sorted({int(field) for field in fields})
        rows = []
        for code in wanted:
            if code in self._terminal.exchange.listings:
                values = self._values(self._market(code))
                rows.append([values.get(field, 0) for field in order])
        return Answer({0: len(order), 1: tuple(map(str, order))}, rows, count_at=2)

    def _values(self, market: Market) -> dict[int, Any]:
        now, listing = self._now(), market.bars.listing
        shot = snapshot(market, now)
        bids, asks = market.book("sell"), market.book("buy")
        auction = shot[58] == ord("1")
        difference = shot[12]
        return {
            0: listing.code,
            1: shot[4],
            2: ord("2" if difference > 0 else "5" if difference < 0 else "3"),
            3: difference,
            4: shot[11],
            5: shot[13],
            6: shot[14],
            7: shot[15],
            8: shot[16],
            9: shot[17],
            10: shot[18],
            11: market.today.value if market.today else 0,
            12: ord("1" if auction else "2"),
            13: sum(quantity for _, quantity in asks),
            14: sum(quantity for _, quantity in bids),
            15: asks[0][1] if asks else 0,
            16: bids[0][1] if bids else 0,
            17: listing.name,
            20: listing.listed_shares,
            22: 0,
            23: shot[10],
            24: 100.0,
            28: shot[55],
            33: shot[8],
            34: shot[9],
            35: 1,
        }


class StockJpBid2(_Quotes):
    progid = "Dscbo1.StockJpBid2"

    def answer(self) -> Answer:
        market = self._market(self._text(0))
        asks, bids = padded(market.book("buy")), padded(market.book("sell"))
        rows = [[ask[0], bid[0], ask[1], bid[1], 0, 0] for ask, bid in zip(asks, bids, strict=True)]
        moment = kst(self._now())
        header = {
            0: self._text(0),
            1: 10,
            3: moment.hour * 100 + moment.minute,
            4: sum(quantity for _, quantity in asks),
            5: 0,
            6: sum(quantity for _, quantity in bids),
            7: 0,
            8: 0,
            9: 0,
            10: 0,
            11: 0,
        }
        return Answer(header, rows)


def padded(levels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return (levels + [(0, 0)] * 10)[:10]


def _factor(date: int, market: Market) -> int:
    """Into how many a share of that day has been split since."""
    return prod(factor for since, factor in market.bars.listing.splits if date < since)


def _times(bar: Bar, factor: int) -> Bar:
    """As it was traded then, where bars are kept as of now."""
    if factor == 1:
        return bar
    return replace(
        bar,
        open=bar.open * factor,
        high=bar.high * factor,
        low=bar.low * factor,
        close=bar.close * factor,
        volume=bar.volume // factor,
    )


def _grouped(days: list[Bar], chart: str) -> list[Bar]:
    groups: dict[tuple[int, ...], list[Bar]] = {}
    for bar in days:
        day = to_date(bar.date)
        key = tuple(day.isocalendar()[:2]) if chart == "W" else (day.year, day.month)
        groups.setdefault(key, []).append(bar)
    return [_merged(group, from_date(to_date(group[-1].date)), 0) for group in groups.values()]


def _wider(minutes: list[Bar], interval: int) -> list[Bar]:
    groups: dict[tuple[int, int], list[Bar]] = {}
    for bar in minutes:
        since_open = (bar.time // 100 - 9) * 60 + bar.time % 100
        end = -(-since_open // interval) * interval
        groups.setdefault((bar.date, (9 + end // 60) * 100 + end % 60), []).append(bar)
    return [_merged(group, date, time) for (date, time), group in groups.items()]


def _merged(bars: list[Bar], date: int, time: int) -> Bar:
    return Bar(
        date,
        time,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
    )
