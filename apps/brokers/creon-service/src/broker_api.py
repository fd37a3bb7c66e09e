"""What each request of the Broker API means for Creon: checks of the contract, then the service, then its words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from adapters import messages as m
from adapters.desk.rows import Listing
from adapters.errors import NotSentCode
from adapters.problems import ProblemError
from adapters.symbols import instrument_of_symbol, to_code, to_instrument
from domain.amounts import whole
from domain.candles import TIMEFRAMES
from domain.words import Placement
from market_data import CandleQuery, InstrumentNotFoundError
from reports import fill_json, order_json
from service import CreonService
from trading import Act, AmbiguousError, Outcome

Json = dict[str, Any]
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
# Any listing will do to ask for the cash that an order may use.
CASH_OF = "A005930"


@dataclass(frozen=True)
class FillPage:
    fills: list[Json]
    cursor: str
    more: bool


class BrokerApi:
    def __init__(self, service: CreonService) -> None:
        self._service = service

    # --- market data ----------------------------------------------------------------------------------------------

    def candle_query(self, body: m.Candles) -> CandleQuery:
        if (body.start_date and body.from_us is not None) or (body.end_date and body.to_us is not None):
            raise ProblemError("INVALID_REQUEST", "expected a date or µs at either end, found both")
        first, last = m.day_bounds(body.start_date, body.end_date)
        instrument = instrument_of_symbol(body.symbol)
        code = to_code(instrument) if instrument else None
        if code is None:
            raise InstrumentNotFoundError(body.symbol)
        if body.timeframe not in TIMEFRAMES:
            raise ProblemError("NOT_SUPPORTED", f"expected one of {', '.join(TIMEFRAMES)}, found {body.timeframe}")
        self.check_book(body.book)
        return CandleQuery(
            code,
            body.timeframe,
            first if first is not None else body.from_us,
            last if last is not None else body.to_us,
            body.limit,
            body.adjusted,
        )

    def check_book(self, book: str | None) -> None:
        if book not in (None, "KRX"):
            raise ProblemError("NOT_SUPPORTED", f"expected the book of KRX, found {book}")

    # --- the account ----------------------------------------------------------------------------------------------

    async def balances(self) -> list[Json]:
        client = self._service.client
        cash = (await client.balance()).cash_in_two_days
        power = await client.buying_power(CASH_OF)
        free = min(power.orderable, cash)
        held = str(max(0, cash - free))
        return [{"currency": "KRW", "free": str(free), "locked": held, "settled": str(power.deposit)}]

    async def positions(self) -> list[Json]:
        now = self._service.venue_now_us()
        rows = (await self._service.client.balance()).holdings
        return [
            {
                "instrument": to_instrument(row.code),
                "quantity": str(row.quantity),
                "sellable": str(row.sellable),
                "totalCost": str(row.cost),
                "timeUs": now,
            }
            for row in rows
            if row.quantity > 0
        ]

    # --- orders ---------------------------------------------------------------------------------------------------

    def request_id(self, text: str) -> str:
        if not _REQUEST_ID.fullmatch(text):
            raise ProblemError("INVALID_REQUEST", "expected a request id of 1 to 36 letters, digits, _ and -")
        return text

    async def place(self, body: m.PlaceOrder) -> Json:
        content = _content(body)
        trading = self._service.trading
        seen = await trading.seen_before("place", body.client_order_id, content)
        if seen is not None:
            return self._told(seen)
        act = _act(body.client_order_id, content, body)
        invalid = await self._why_invalid(body)
        code = to_code(body.instrument) or "?"
        if invalid is not None or body.quantity is None:
            again = await trading.seen_before("place", body.client_order_id, content)
            if again is not None:
                return self._told(again)
            return self._told(trading.refuse(act, "place", code, body.side, _not_sent("INVALID", invalid or "no size")))
        again = await trading.seen_before("place", body.client_order_id, content)
        if again is not None:
            return self._told(again)
        order = Placement(
            body.client_order_id,
            code,
            body.side,
            "market" if body.type == "market" else "limit",
            _time_in_force(body),
            int(body.quantity),
            int(body.limit_price) if body.limit_price is not None else None,
        )
        return self._told(await trading.place(act, order, bool(body.reduce_only)))

    async def cancel(self, client_order_id: str, query: m.CancelOrder) -> Json:
        trading = self._service.trading
        content = {**_content(query), "clientOrderId": client_order_id}
        seen = await trading.seen_before("cancel", query.cancel_id, content)
        if seen is not None:
            return self._told(seen)
        act = _act(query.cancel_id, content, query)
        code = to_code(query.instrument) or "?"
        target = self._service.record.get(client_order_id)
        if target is None and self._service.settling.is_pending(client_order_id):
            words = "the number of that order is not known yet"
            return self._told(trading.refuse(act, "cancel", code, "?", _not_sent("ORDER_IN_FLIGHT", words)))
        if target is None or not target.open or target.code != code:
            words = "no such open order is known" if target is None or target.code != code else f"it is {target.status}"
            return self._told(trading.refuse(act, "cancel", code, "?", {"kind": "not_open", "message": words}))
        numbered = _numbered(act, target.number)
        return self._told(await trading.cancel(numbered, target))

    async def amend(self, client_order_id: str, body: m.AmendOrder) -> Json:
        trading = self._service.trading
        content = {**_content(body), "clientOrderId": client_order_id}
        seen = await trading.seen_before("amend", body.amend_id, content)
        if seen is not None:
            return self._told(seen)
        act = _act(body.amend_id, content, body)
        code = to_code(body.instrument) or "?"
        target = self._service.record.get(client_order_id)
        if body.quantity is not None:
            raise ProblemError("NOT_SUPPORTED", "Creon changes prices only: cancel, or split with splitQuantity")
        invalid = self._why_amend_invalid(body)
        if invalid is not None:
            return self._told(trading.refuse(act, "amend", code, "?", _not_sent("INVALID", invalid)))
        if target is None and self._service.settling.is_pending(client_order_id):
            words = "the number of that order is not known yet"
            return self._told(trading.refuse(act, "amend", code, "?", _not_sent("ORDER_IN_FLIGHT", words)))
        if target is None or not target.open or target.code != code:
            words = "no such open order is known" if target is None or target.code != code else f"it is {target.status}"
            return self._told(trading.refuse(act, "amend", code, "?", {"kind": "not_open", "message": words}))
        split = int(body.split_quantity) if body.split_quantity is not None else 0
        if split >= target.quantity - target.cumulative:
            split = 0
        return self._told(await trading.amend(_numbered(act, target.number), target, split, int(body.limit_price or 0)))

    def _why_amend_invalid(self, body: m.AmendOrder) -> str | None:
        if body.limit_price is None:
            return "expected limitPrice, the only thing that Creon changes"
        if whole(body.limit_price) is None:
            return f"expected whole won, found {body.limit_price}"
        if body.split_quantity is not None and whole(body.split_quantity) is None:
            return f"expected whole shares, found {body.split_quantity}"
        return _why_untimely(body)

    async def order(self, client_order_id: str, instrument: str) -> Json:
        service = self._service
        await service.market.listing(instrument)
        record = service.record.get(client_order_id)
        if record is None or not service.record.is_final(client_order_id):
            await service.reconcile()
            record = service.record.get(client_order_id)
        if service.settling.is_ambiguous(client_order_id):
            raise AmbiguousError(f"several of today's orders fit {client_order_id}")
        if record is None or to_instrument(record.code) != instrument:
            raise ProblemError("ORDER_NOT_FOUND", f"expected {client_order_id} among today's orders in {instrument}")
        return order_json(record)

    async def open_orders(self, instrument: str | None) -> list[Json]:
        if instrument is not None:
            await self._service.market.listing(instrument)
        await self._service.reconcile()
        return [
            order_json(record)
            for record in self._service.record.open_orders()
            if instrument in (None, to_instrument(record.code))
        ]

    async def fills(self, query: m.FillsQuery) -> FillPage:
        store = self._service.store
        code = None
        if query.instrument is not None:
            code = (await self._service.market.listing(query.instrument)).code
        after = self._place_in_record(query, code)
        await self._service.reconcile()
        last = store.last_fill()
        found = store.fills_after(after, query.limit + 1, code)
        page, more = found[: query.limit], len(found) > query.limit
        place = page[-1][0] if more else max(last, after)
        fills = [{**fill_json(fill), "cursor": self._cursor(seq)} for seq, fill in page]
        return FillPage(fills, self._cursor(place), more)

    def _place_in_record(self, query: m.FillsQuery, code: str | None) -> int:
        store = self._service.store
        if query.after is not None and query.after_fill_id is not None:
            raise ProblemError("INVALID_REQUEST", "expected after or afterFillId, found both")
        if query.after_fill_id is not None:
            if code is None:
                raise ProblemError("INVALID_REQUEST", "expected instrument with afterFillId")
            seq = store.seq_of_fill(query.after_fill_id, code)
            if seq is None:
                raise ProblemError("CURSOR_UNKNOWN", "expected a fill of this record")
            return seq
        if query.after is None:
            return 0
        record, _, place = query.after.partition(".")
        if record != store.record_id or not place.isascii() or not place.isdigit() or int(place) > store.last_fill():
            raise ProblemError("CURSOR_UNKNOWN", "expected a cursor of this record")
        return int(place)

    def _cursor(self, seq: int) -> str:
        return f"{self._service.store.record_id}.{seq}"

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _why_invalid(self, body: m.PlaceOrder) -> str | None:
        if body.quote_quantity is not None:
            return "expected quantity in shares, found quoteQuantity"
        if body.quantity is None:
            return "expected quantity"
        if whole(body.quantity) is None:
            return f"expected whole shares, found {body.quantity}"
        if body.type == "limit_maker":
            return "expected market or limit, found limit_maker"
        if body.type == "market" and (body.limit_price is not None or body.time_in_force is not None):
            return "expected neither limitPrice nor timeInForce with a market order"
        if body.type == "limit" and body.limit_price is None:
            return "expected limitPrice with a limit order"
        if body.limit_price is not None and whole(body.limit_price) is None:
            return f"expected whole won, found {body.limit_price}"
        if body.time_in_force == "gtc":
            return "expected day, ioc or fok, found gtc"
        if body.route is not None:
            return "expected no route: Creon sends orders to KRX"
        if int(body.quantity) > 2**31 - 1 or int(body.limit_price or 0) > 2**31 - 1:
            return "expected amounts that fit into Creon's 32 bits"
        untimely = _why_untimely(body)
        return untimely if untimely is not None else await self._why_unlisted(body.instrument)

    async def _why_unlisted(self, instrument: str) -> str | None:
        """Known from the login's master data, without a request; while there is no session, later checks say so."""
        if to_code(instrument) is None:
            return f"expected an instrument of KRX, found {instrument}"
        if self._service.session.state != "connected":
            return None
        try:
            listing: Listing = await self._service.market.listing(instrument)
        except InstrumentNotFoundError:
            return f"expected an instrument that KRX lists, found {instrument}"
        return None if listing.lot == 1 else f"expected an instrument with lots of 1, found {listing.lot}"

    def _told(self, outcome: Outcome) -> Json:
        """The outcome with the reports as they are now."""
        record, store = self._service.record, self._service.store
        told = dict(outcome)
        for name in ("order", "replaced"):
            if name in told:
                found = record.get(str(told[name]))
                if found is None:
                    raise RuntimeError(f"expected order {told[name]} in the record")
                told[name] = order_json(found)
                if name == "order" and told["kind"] == "accepted":
                    told["fills"] = [fill_json(fill) for fill in store.fills_of_order(found.date, found.number)]
        return told


def _content(body: m.PlaceOrder | m.CancelOrder | m.AmendOrder) -> Json:
    """Every field but the fences, as they came."""
    dumped: Json = body.model_dump(by_alias=True, exclude_unset=True)
    return {name: value for name, value in dumped.items() if name not in ("leaseEpoch", "tradingStateVersion")}


def _act(request_id: str, content: Json, body: m.PlaceOrder | m.CancelOrder | m.AmendOrder) -> Act:
    version = None if isinstance(body, m.CancelOrder) else body.trading_state_version
    return Act(request_id, content, body.send_before_us, body.lease_epoch, version)


def _numbered(act: Act, number: int) -> Act:
    return Act(
        act.request_id,
        {**act.content, "_venueNumber": number},
        act.send_before_us,
        act.lease_epoch,
        act.trading_version,
    )


def _time_in_force(body: m.PlaceOrder) -> Any:
    return body.time_in_force or "day"


def _why_untimely(body: m.PlaceOrder | m.AmendOrder) -> str | None:
    return None if body.send_before_us > body.intent_time_us else "expected sendBeforeUs after intentTimeUs"


def _not_sent(code: NotSentCode, message: str) -> Outcome:
    return {"kind": "not_sent", "code": code, "message": message}
