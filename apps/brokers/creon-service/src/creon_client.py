"""Creon for whoever awaits: each question becomes a job of the COM thread, under its budget and by its priority."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from adapters.desk import Desk
from adapters.desk.rows import Balance, BuyingPower, HoldingRow, Levels, Listing, QuoteRow, Standing
from adapters.errors import BudgetError, NoRoomError, UnavailableError, UnreadableError
from adapters.sta_thread import Job, StaThread
from domain.candles import ChartRow, pages_on, rows_needed
from domain.words import Placement, Priority, VenueOrder
from rate_limiter import Budget, RateLimiter

T = TypeVar("T")
# More pages than a day of orders or a history of minutes has.
PAGES_MAX = 500
CODES_AT_ONCE = 200


@dataclass(frozen=True)
class Waits:
    """How long a question may take, queue and budget included: less than its asker waits (35 s; 40 s for the past)."""

    answer_us: int = 20_000_000
    history_us: int = 30_000_000
    # A whole chart waits for room no longer than this, however many pages it has.
    chart_us: int = 38_000_000


class CreonClient:
    def __init__(self, sta: StaThread, desk: Desk, limiters: dict[Budget, RateLimiter], waits: Waits) -> None:
        self._sta, self._desk, self._limiters, self._waits = sta, desk, limiters, waits

    # --- what acts: submitted once, never repeated; `before` has the last word on the thread itself ---------------

    def place(self, order: Placement, before: Callable[[], None], priority: Priority, wait_us: int) -> Job[int]:
        return self._act("CpTd0311", lambda: self._desk.trade.place(order), before, priority, wait_us)

    def cancel(self, number: int, code: str, before: Callable[[], None], wait_us: int) -> Job[int]:
        return self._act("CpTd0314", lambda: self._desk.trade.cancel(number, code), before, Priority.CANCEL, wait_us)

    def modify(
        self, number: int, code: str, quantity: int, price: int, before: Callable[[], None], wait_us: int
    ) -> Job[int]:
        work = partial(self._desk.trade.modify, number, code, quantity, price)
        return self._act("CpTd0313", work, before, Priority.NEW, wait_us)

    def _act(
        self, name: str, work: Callable[[], int], before: Callable[[], None], priority: Priority, wait_us: int
    ) -> Job[int]:
        def once() -> int:
            before()
            return work()

        return self._sta.submit(name, once, priority, "trade", wait_us)

    # --- questions ------------------------------------------------------------------------------------------------

    async def orders_from(self, start: int) -> list[VenueOrder]:
        """Today's orders whose number is not below `start`, oldest first."""
        rows: list[VenueOrder] = []
        seen: set[tuple[int, int]] = set()
        for page in range(PAGES_MAX):
            found, more = await self._ask(
                "CpTd5341", partial(self._desk.trade.today_orders, start, page == 0), Priority.RECONCILE, "trade"
            )
            keys = {(order.number, price) for order in found for price in order.prices}
            if page > 0 and found and keys <= seen:
                raise UnreadableError("expected the next page of today's orders, found one that was there before")
            seen |= keys
            rows += found
            if not more or not found:
                return _together(rows)
        raise UnreadableError(f"expected today's orders to end within {PAGES_MAX} pages")

    async def balance(self) -> Balance:
        cash = 0
        holdings: dict[str, HoldingRow] = {}
        for page in range(PAGES_MAX):
            found, more = await self._ask(
                "CpTd6033", partial(self._desk.trade.balance_page, page == 0), Priority.RECONCILE, "trade"
            )
            cash = found.cash_in_two_days
            fresh = [row for row in found.holdings if row.code not in holdings]
            holdings |= {row.code: row for row in fresh}
            if not more or not fresh:
                break
        return Balance(cash, tuple(holdings.values()))

    async def buying_power(self, code: str) -> BuyingPower:
        return await self._ask("CpTdNew5331A", lambda: self._desk.trade.buying_power(code), Priority.RECONCILE, "trade")

    async def listings(self, codes: Sequence[str] | None) -> list[Listing]:
        return await self._ask("CpCodeMgr", lambda: self._desk.market.listings(codes), Priority.QUOTES, None)

    async def market_hours(self) -> tuple[int, int]:
        return await self._ask("CpCodeMgr", self._desk.market.market_hours, Priority.QUOTES, None)

    async def standing(self, code: str) -> Standing:
        return await self._ask("StockMst", lambda: self._desk.market.standing(code), Priority.QUOTES, "quote")

    async def quotes(self, codes: Sequence[str]) -> list[QuoteRow]:
        found: list[QuoteRow] = []
        for start in range(0, len(codes), CODES_AT_ONCE):
            part = codes[start : start + CODES_AT_ONCE]
            found += await self._ask("MarketEye", partial(self._desk.market.quotes, part), Priority.QUOTES, "quote")
        return found

    async def order_book(self, code: str) -> tuple[Levels, Levels]:
        return await self._ask("StockJpBid2", lambda: self._desk.market.order_book(code), Priority.QUOTES, "quote")

    async def chart(
        self, code: str, timeframe: str, from_us: int, now_us: int, adjusted: bool, priority: Priority
    ) -> list[ChartRow]:
        """All bars from `from_us` to now, newest first: pages until one reaches far enough, ends, or repeats."""
        until_us = self._sta.now_us() + self._waits.chart_us
        count = rows_needed(timeframe, from_us, now_us)
        page = await self._ask(
            "StockChart", lambda: self._desk.market.chart(code, timeframe, count, adjusted), priority, None
        )
        rows: list[ChartRow] = []
        for _ in range(PAGES_MAX):
            self._check_room("StockChart", priority, "quote", until_us)
            found, more = await self._ask("StockChart", page, priority, "quote", self._waits.history_us)
            if not pages_on(rows, found):
                return rows
            rows += found
            if not more or len(rows) >= count:
                return rows
        raise UnreadableError(f"expected the chart of {code} to end within {PAGES_MAX} pages")

    async def on_thread(self, name: str, work: Callable[[Desk], T], wait_us: int | None = None) -> T:
        """For the session and subscriptions: no budget, ahead of everything."""
        return await self._sta.call(
            name, lambda: work(self._desk), Priority.CANCEL, None, wait_us or self._waits.answer_us
        )

    def _check_room(self, name: str, priority: Priority, budget: Budget, until_us: int) -> None:
        """What would only have room when nobody waits for it any more is not asked."""
        room_in_us = self._limiters[budget].wait_us(priority)
        if room_in_us > 0 and self._sta.now_us() + room_in_us > until_us:
            raise NoRoomError(budget, name, room_in_us)

    async def _ask(
        self, name: str, work: Callable[[], T], priority: Priority, budget: Budget | None, wait_us: int | None = None
    ) -> T:
        try:
            return await self._sta.call(name, work, priority, budget, wait_us or self._waits.answer_us)
        except NoRoomError:
            raise
        except BudgetError as error:
            # Creon's own count says no: everybody waits until its window ends.
            if budget is not None:
                self._limiters[budget].block_for(error.retry_after_us)
            raise
        except self._desk.com_error as error:
            raise UnavailableError(f"{name}: {error}") from error


def _together(rows: list[VenueOrder]) -> list[VenueOrder]:
    """The rows of an order, one for each price, as one order."""
    orders: dict[int, VenueOrder] = {}
    for row in rows:
        known = orders.get(row.number)
        prices = dict(known.prices) if known else {}
        for price, quantity in row.prices.items():
            if quantity > 0:
                prices[price] = prices.get(price, 0) + quantity
        orders[row.number] = replace(row, prices=prices)
    for order in orders.values():
        if sum(order.prices.values()) != order.filled:
            raise UnreadableError(
                f"expected the fills of order {order.number} to add up to {order.filled}, found {order.prices}"
            )
    return sorted(orders.values(), key=lambda order: order.number)
