"""Instruments, candles, quotes and books: asked for, and streamed to whoever watches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters.desk import Desk
from adapters.desk.rows import Levels, Listing, QuoteRow, Standing, Tick
from adapters.errors import CreonError
from adapters.symbols import to_code, to_instrument
from creon_client import CreonClient
from domain.candles import DAY_SETTLES_US, DAY_US, MINUTE_US, MINUTES, Candle, date_of, is_final, to_candle
from domain.words import Kind, Priority
from past import Chart, Past
from rate_limiter import SUBSCRIPTION_LIMIT
from stream_hub import StreamHub

log = logging.getLogger("creon.market")
Json = dict[str, Any]
# MarketEye and StockCur tell the session by a letter each.
SESSION_OF_QUOTE = {"0": "pre_open", "1": "opening_auction", "2": "regular"}
SESSION_OF_TICK = {"1": "opening_auction", "2": "regular", "3": "pre_open", "4": "after_hours", "5": "closing_auction"}
REALTIME = {
    "trades": ("Dscbo1.StockCur",),
    "quotes": ("Dscbo1.StockCur", "Dscbo1.StockJpBid"),
    "orderBook": ("Dscbo1.StockJpBid",),
}
CANDLE_LOOK_S = 0.5
# Standings that are asked for in one answer, the oldest first: the quote budget is for prices.
STANDINGS_AT_ONCE = 10
STANDING_KEPT_US = 10_000_000
# As CpCodeMgr tells a market without hours: a simulated one.
NEVER_CLOSED = (0, 2400)
# A bar is asked for a little after its end, when its last trades are in.
CANDLE_DELAY_US = 1_000_000


class InstrumentNotFoundError(Exception):
    pass


class TooManySubscriptionsError(Exception):
    pass


@dataclass(frozen=True)
class CandleQuery:
    code: str
    timeframe: str
    from_us: int | None
    to_us: int | None
    limit: int
    adjusted: bool


class MarketData:
    def __init__(
        self,
        client: CreonClient,
        hub: StreamHub,
        venue_now_us: Callable[[], int],
        monotonic_us: Callable[[], int],
    ) -> None:
        self._client, self._hub, self._now_us, self._monotonic_us = client, hub, venue_now_us, monotonic_us
        self._past = Past(client, venue_now_us)
        self._listings: dict[str, Listing] = {}
        self._standings: dict[str, tuple[int, Standing]] = {}
        self._listed_on = 0
        self._watched: Counter[tuple[str, str]] = Counter()
        self._candles: Counter[tuple[str, str]] = Counter()
        self._next_open_us: dict[tuple[str, str], int] = {}
        self._days_from_us: dict[tuple[str, str], int] = {}
        self._told_until: dict[tuple[str, str], int] = {}
        self._books: dict[str, tuple[Levels, Levels]] = {}
        self._market_end: tuple[int, int] = (0, 1530)
        self._always_open = False

    # --- asked ----------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Master data is of the login: read with each session."""
        listings = await self._client.listings(None)
        self._listings = {listing.code: listing for listing in listings}
        self._standings.clear()
        self._listed_on = date_of(self._now_us())
        hours = await self._client.market_hours()
        self._always_open = hours == NEVER_CLOSED
        self._market_end = (self._listed_on, 1530 if self._always_open else hours[1])

    async def listing(self, instrument: str) -> Listing:
        code = to_code(instrument)
        if code is None:
            raise InstrumentNotFoundError(instrument)
        if code not in self._listings:
            found = await self._client.listings([code])
            if not found:
                raise InstrumentNotFoundError(instrument)
            self._listings[code] = found[0]
        return self._listings[code]

    def taxed_as(self, code: str) -> tuple[str, Kind]:
        listing = self._listings.get(code)
        return ("KOSPI", "stock") if listing is None else (listing.market, listing.kind)

    async def instruments(self, wanted: list[str] | None) -> list[Json]:
        if wanted is None:
            if not self._listings:
                await self.refresh()
            return [self._told(listing) for _, listing in sorted(self._listings.items())]
        listings = [await self.listing(instrument) for instrument in wanted]
        await self._look_at_standings([listing.code for listing in listings])
        return [self._told(listing) for listing in listings]

    async def _look_at_standings(self, codes: list[str]) -> None:
        """A halt comes in the middle of a day; what cannot be asked for now stays as it was last told."""
        now = self._monotonic_us()
        asked_us = {code: self._standings[code][0] if code in self._standings else 0 for code in codes}
        due = [
            code
            for code in sorted(asked_us, key=lambda code: asked_us[code])
            if code not in self._standings or now - asked_us[code] >= STANDING_KEPT_US
        ]
        for code in due[:STANDINGS_AT_ONCE]:
            try:
                self._standings[code] = (now, await self._client.standing(code))
            except CreonError as error:
                log.info("no standing of %s: %s", code, error)
                return

    def _told(self, listing: Listing) -> Json:
        _, standing = self._standings.get(listing.code, (0, None))
        return instrument_json(listing, standing, self._listed_on, self._always_open)

    async def candles(self, query: CandleQuery) -> list[Json]:
        await self.listing(to_instrument(query.code))
        now = self._now_us()
        last = min(query.to_us if query.to_us is not None else now, now)
        first = query.from_us if query.from_us is not None else self._reaching_back(query, last)
        if first > last:
            return []
        of, is_decided = (query.code, query.timeframe, query.adjusted, max(0, first)), False
        chart, bars = self._past.kept(*of), list[Candle]()
        if chart is not None and query.from_us is not None:
            bars, is_decided = self._bars_of(chart, query, first, last)
        if not is_decided:
            bars, _ = self._bars_of(await self._past.read(*of), query, first, last)
        return [candle_json(query.code, query.timeframe, bar) for bar in bars[-query.limit :]]

    def _bars_of(self, chart: Chart, query: CandleQuery, first: int, last: int) -> tuple[list[Candle], bool]:
        """Those between first and last; and whether what came after the chart was read adds none."""
        found: list[Candle] = []
        for row in chart.since(date_of(max(0, first))):
            bar = to_candle(row, query.timeframe, self._ends_at(row.date))
            if bar.open_time_us > last:
                return found, True
            if not is_final(bar, chart.read_us):
                break
            if bar.open_time_us < first:
                continue
            found.append(bar)
            if query.from_us is not None and len(found) == query.limit:
                return found, True
        return found, False

    def _reaching_back(self, query: CandleQuery, last_us: int) -> int:
        """Days enough for so many bars, long holidays included."""
        per_day = 1 if query.timeframe == "1D" else 380 // MINUTES[query.timeframe]
        days = query.limit // per_day + 1
        return last_us - (days * 7 // 5 + 14) * DAY_US

    def _ends_at(self, date: int) -> int | None:
        return self._market_end[1] if self._market_end[0] == date else None

    async def quotes(self, instruments: list[str]) -> list[Json]:
        codes = [(await self.listing(instrument)).code for instrument in instruments]
        rows = {row.code: row for row in await self._client.quotes(codes)}
        return [quote_json(rows[code], self._now_us()) for code in codes if code in rows]

    async def order_book(self, instrument: str, depth: int) -> Json:
        code = (await self.listing(instrument)).code
        bids, asks = await self._client.order_book(code)
        return book_json(code, bids[:depth], asks[:depth], self._now_us())

    # --- streamed -------------------------------------------------------------------------------------------------

    async def watch(self, channel: str, instrument: str, timeframe: str | None) -> None:
        code = (await self.listing(instrument)).code
        if channel == "candles":
            key = (code, timeframe or "1m")
            self._candles[key] += 1
            self._next_open_us.setdefault(key, self._now_us())
            # What is not settled yet is not answered either: whoever asks now hears of it here.
            self._days_from_us.setdefault(key, self._now_us() - DAY_SETTLES_US)
            return
        new = [progid for progid in REALTIME[channel] if self._watched[(progid, code)] == 0]
        if sum(1 for count in self._watched.values() if count > 0) + len(new) > SUBSCRIPTION_LIMIT:
            raise TooManySubscriptionsError(f"expected at most {SUBSCRIPTION_LIMIT} realtime subscriptions")
        for progid in REALTIME[channel]:
            self._watched[(progid, code)] += 1
        if not new:
            return
        try:
            await self._client.on_thread("Subscribe", lambda desk: _subscribe(desk, new, code))
        except BaseException:
            # Nobody hears it: who asks next is the first again.
            self._let_go(channel, code)
            raise

    def _let_go(self, channel: str, code: str) -> list[str]:
        """The objects that nobody watches any more."""
        gone = []
        for progid in REALTIME[channel]:
            self._watched[(progid, code)] -= 1
            if self._watched[(progid, code)] <= 0:
                del self._watched[(progid, code)]
                gone.append(progid)
        return gone

    async def unwatch(self, channel: str, instrument: str, timeframe: str | None) -> None:
        code = to_code(instrument) or ""
        if channel == "candles":
            key = (code, timeframe or "1m")
            self._candles[key] -= 1
            if self._candles[key] <= 0:
                del self._candles[key]
                self._next_open_us.pop(key, None)
                self._days_from_us.pop(key, None)
            return
        gone = self._let_go(channel, code)
        if gone:
            with contextlib.suppress(CreonError):
                await self._client.on_thread("Unsubscribe", lambda desk: _unsubscribe(desk, gone, code))

    async def resubscribe(self) -> None:
        """A new session knows of no subscription."""
        wanted = [key for key, count in self._watched.items() if count > 0]
        self._books.clear()
        for progid, code in wanted:
            await self._client.on_thread("Subscribe", partial(_subscribe, progids=[progid], code=code))

    def on_tick(self, tick: Tick) -> None:
        if not tick.expected and tick.price > 0 and tick.quantity > 0:
            self._tell_trade(tick)
        bids, asks = self._books.get(tick.code, ([], []))
        quote: Json = {"instrument": to_instrument(tick.code), "timeUs": self._now_us(), "volume": str(tick.volume)}
        if tick.expected:
            quote["expectedPrice"] = str(tick.price)
        elif tick.price > 0:
            quote |= {"lastPrice": str(tick.price), "lastQuantity": str(tick.quantity)}
        quote |= _side("bid", tick.bid, bids) | _side("ask", tick.ask, asks)
        if tick.session in SESSION_OF_TICK:
            quote["session"] = SESSION_OF_TICK[tick.session]
        self._hub.market("quotes", quote["instrument"], {"type": "quote", "data": quote})

    def _tell_trade(self, tick: Tick) -> None:
        """Creon gives no trade ids: the day's volume so far rises with each trade and names it."""
        now, instrument = self._now_us(), to_instrument(tick.code)
        trade = {
            "instrument": instrument,
            "tradeId": f"{date_of(now)}-{tick.volume}",
            "timeUs": now,
            "price": str(tick.price),
            "quantity": str(tick.quantity),
            "aggressor": tick.aggressor,
        }
        self._hub.market("trades", instrument, {"type": "trade", "data": trade})

    def on_book(self, code: str, bids: Levels, asks: Levels) -> None:
        self._books[code] = (bids, asks)
        book = book_json(code, bids, asks, self._now_us())
        self._hub.market("orderBook", book["instrument"], {"type": "orderBook", "data": book})

    async def stream_candles(self) -> None:
        """Closed bars by asking for them: what is streamed is what would be answered."""
        while True:
            await asyncio.sleep(CANDLE_LOOK_S)
            for key in list(self._candles):
                try:
                    await self._next_candles(key)
                except CreonError as error:
                    log.info("no bars of %s: %s", key, error)
                except Exception:
                    log.exception("bars of %s could not be streamed", key)

    async def _next_candles(self, key: tuple[str, str]) -> None:
        code, timeframe = key
        now, since = self._now_us(), self._next_open_us.get(key)
        length = DAY_US if timeframe == "1D" else MINUTES[timeframe] * MINUTE_US
        if since is None or "candles" in self._hub.down:
            return
        # The bar that was running at `since` ends at the next multiple; days end at their close.
        due = (since // length + 1) * length if timeframe != "1D" else since
        if now < due + CANDLE_DELAY_US:
            return
        if timeframe == "1D":
            self._next_open_us[key] = now + MINUTE_US
        first = since // length * length if timeframe != "1D" else now - 2 * DAY_US
        rows = await self._client.chart(code, timeframe, first, now, False, Priority.QUOTES)
        if key not in self._candles:
            # Its last reader has left meanwhile.
            return
        bars = [to_candle(row, timeframe, self._ends_at(row.date)) for row in reversed(rows)]
        # A day is looked at now and then: what ended since it was first watched, whichever look that falls to.
        after = self._days_from_us[key] if timeframe == "1D" else since - CANDLE_DELAY_US
        fresh = [bar for bar in bars if bar.close_time_us >= after and is_final(bar, now)]
        for bar in fresh:
            if self._told_until.get(key, 0) < bar.close_time_us:
                self._told_until[key] = bar.close_time_us
                data = candle_json(code, timeframe, bar)
                self._hub.market("candles", f"{data['instrument']}:{timeframe}", {"type": "candle", "data": data})
        if timeframe != "1D":
            self._next_open_us[key] = now // length * length


def _subscribe(desk: Desk, progids: list[str], code: str) -> None:
    for progid in progids:
        if progid == "Dscbo1.StockCur":
            desk.realtime.watch_trades(code)
        else:
            desk.realtime.watch_book(code)


def _unsubscribe(desk: Desk, progids: list[str], code: str) -> None:
    for progid in progids:
        desk.realtime.unwatch(progid, code)


def instrument_json(listing: Listing, standing: Standing | None, listed_on: int, always_open: bool) -> Json:
    """Master data is of the day of the login; how it stands now, where that is known, is said in its place."""
    halted = listing.status == 1 if standing is None else standing.halted
    supervised = listing.supervised if standing is None else standing.supervised
    control = listing.control if standing is None else standing.control
    reasons = []
    if halted:
        reasons.append("HALTED")
    if listing.status == 2:
        reasons.append("SUSPENDED")
    if supervised:
        reasons.append("MANAGED")
    reasons += {1: ["CAUTION"], 2: ["WARNING"], 3: ["DANGER"], 4: ["DANGER"]}.get(control, [])
    instrument: Json = {
        "instrument": to_instrument(listing.code),
        "symbol": listing.code[1:],
        "name": listing.name,
        "baseCurrency": listing.code[1:],
        "quoteCurrency": "KRW",
        "tickSize": str(listing.tick),
        "lotSize": str(listing.lot),
        "quantityMin": str(listing.lot),
        "quantityMax": "0",
        "marketQuantityMax": "0",
        "notionalMin": "0",
        "notionalMax": "0",
        "tradable": not halted and listing.status != 2,
        "market": listing.market,
        "kind": listing.kind,
        "date": f"{listed_on // 10_000:04}-{listed_on // 100 % 100:02}-{listed_on % 100:02}",
    }
    if always_open:
        instrument["alwaysOpen"] = True
    if reasons:
        instrument["reasons"] = reasons
    if listing.upper > 0:
        instrument["upperLimit"] = str(listing.upper)
    if listing.lower > 0:
        instrument["lowerLimit"] = str(listing.lower)
    return instrument


def candle_json(code: str, timeframe: str, candle: Candle) -> Json:
    row = candle.row
    return {
        "instrument": to_instrument(code),
        "timeframe": timeframe,
        "openTimeUs": candle.open_time_us,
        "closeTimeUs": candle.close_time_us,
        "open": str(row.open),
        "high": str(row.high),
        "low": str(row.low),
        "close": str(row.close),
        "volume": str(row.volume),
        "final": True,
        "revision": 0,
        "source": "creon",
    }


def quote_json(row: QuoteRow, now_us: int) -> Json:
    quote: Json = {"instrument": to_instrument(row.code), "timeUs": now_us, "volume": str(row.volume)}
    auction = row.session == "1"
    for name, value in (
        ("lastPrice", row.last),
        ("bidPrice", row.bid),
        ("askPrice", row.ask),
        ("previousClose", row.previous_close),
        ("upperLimit", row.upper),
        ("lowerLimit", row.lower),
        ("expectedPrice", row.expected if auction else 0),
    ):
        if value > 0:
            quote[name] = str(value)
    if row.bid > 0:
        quote["bidQuantity"] = str(row.bid_quantity)
    if row.ask > 0:
        quote["askQuantity"] = str(row.ask_quantity)
    if row.session in SESSION_OF_QUOTE:
        quote["session"] = SESSION_OF_QUOTE[row.session]
    return quote


def book_json(code: str, bids: Levels, asks: Levels, now_us: int) -> Json:
    return {
        "instrument": to_instrument(code),
        "timeUs": now_us,
        "book": "KRX",
        "bids": [{"price": str(price), "quantity": str(quantity)} for price, quantity in bids],
        "asks": [{"price": str(price), "quantity": str(quantity)} for price, quantity in asks],
    }


def _side(name: str, price: int, levels: Levels) -> Json:
    if price <= 0:
        return {}
    side: Json = {f"{name}Price": str(price)}
    quantity = next((quantity for at, quantity in levels if at == price), None)
    return side if quantity is None else {**side, f"{name}Quantity": str(quantity)}
