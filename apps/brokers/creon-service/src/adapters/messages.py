"""Requests of the Broker API, parsed once. What the contract does not name is refused."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from domain.candles import KST

from .problems import ProblemError

POSITIVE = r"0\.[0-9]{0,7}[1-9]|[1-9][0-9]{0,18}(\.[0-9]{0,7}[1-9])?"
SAFE_INTEGER = 2**53 - 1
_DIGITS = re.compile(r"^(0|[1-9][0-9]{0,15})$")


def _whole(value: Any) -> Any:
    """1.0 is an integer to JSON; in a query it is digits and nothing else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value


def _json_whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


DecimalPositive = Annotated[str, StringConstraints(pattern=f"^({POSITIVE})$")]
TimeUs = Annotated[int, BeforeValidator(_json_whole), Field(ge=0, le=SAFE_INTEGER)]
QueryTimeUs = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=SAFE_INTEGER)]
Account = Annotated[
    str, StringConstraints(pattern=r"^(sim|paper|live)\.[a-z][a-z0-9]*\.[a-z0-9][a-z0-9_-]*$", max_length=64)
]
Instrument = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]*:[A-Z0-9][A-Z0-9._-]*$", max_length=64)]
RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,36}$")]
Timeframe = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}[smhDW]$")]
DateKst = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
Side = Literal["buy", "sell"]
BookScope = Literal["KRX", "NXT", "unified"]
Route = Literal["KRX", "NXT", "SOR"]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, frozen=True)


class PlaceOrder(_Closed):
    account: Account
    client_order_id: RequestId
    instrument: Instrument
    side: Side
    type: Literal["market", "limit", "limit_maker"]
    time_in_force: Literal["gtc", "day", "ioc", "fok"] | None = None
    quantity: DecimalPositive | None = None
    quote_quantity: DecimalPositive | None = None
    limit_price: DecimalPositive | None = None
    route: Route | None = None
    reduce_only: bool | None = None
    intent_time_us: TimeUs
    send_before_us: TimeUs
    lease_epoch: TimeUs | None = None
    trading_state_version: TimeUs | None = None


class AmendOrder(_Closed):
    account: Account
    instrument: Instrument
    amend_id: RequestId
    limit_price: DecimalPositive | None = None
    quantity: DecimalPositive | None = None
    split_quantity: DecimalPositive | None = None
    intent_time_us: TimeUs
    send_before_us: TimeUs
    lease_epoch: TimeUs | None = None
    trading_state_version: TimeUs | None = None


class CancelOrder(_Closed):
    account: Account
    instrument: Instrument
    cancel_id: RequestId
    intent_time_us: QueryTimeUs
    send_before_us: QueryTimeUs
    lease_epoch: QueryTimeUs | None = None


class Candles(_Closed):
    symbol: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    timeframe: Timeframe
    start_date: DateKst | None = None
    end_date: DateKst | None = None
    from_us: TimeUs | None = None
    to_us: TimeUs | None = None
    limit: Annotated[int, BeforeValidator(_json_whole), Field(ge=1, le=10_000)] = 1000
    adjusted: bool = False
    book: BookScope | None = None


class Gate(_Closed):
    state: Literal["open", "halted"]
    reason: Annotated[str, StringConstraints(max_length=500)]
    trading_state_version: TimeUs | None = None


class Lease(_Closed):
    epoch: TimeUs
    trading_state_version: TimeUs | None = None


class InstrumentsQuery(_Closed):
    instrument: Annotated[list[Instrument], Field(max_length=200)] | None = None


class QuotesQuery(_Closed):
    instrument: Annotated[list[Instrument], Field(min_length=1, max_length=200)]


class OrderBookQuery(_Closed):
    instrument: Instrument
    depth: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1000)] = 10
    book: BookScope | None = None


class TradesQuery(_Closed):
    instrument: Instrument
    after_trade_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    limit: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=10_000)] = 500


class OpenOrdersQuery(_Closed):
    account: Account
    status: Literal["open"]
    instrument: Instrument | None = None


class OrderQuery(_Closed):
    account: Account
    instrument: Instrument


class FillsQuery(_Closed):
    account: Account
    after: Cursor | None = None
    instrument: Instrument | None = None
    after_fill_id: Annotated[str, StringConstraints(min_length=1, max_length=96)] | None = None
    limit: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1000)] = 500


class Nothing(_Closed):
    pass


class MarketSubscription(_Closed):
    channel: Literal["trades", "quotes", "orderBook"]
    instrument: Instrument


class CandlesSubscription(_Closed):
    channel: Literal["candles"]
    instrument: Instrument
    timeframe: Timeframe


class OrdersSubscription(_Closed):
    channel: Literal["orders"]
    account: Account
    after: Cursor | None = None


Subscription = MarketSubscription | CandlesSubscription | OrdersSubscription
MessageId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class SubscribeMessage(_Closed):
    op: Literal["subscribe", "unsubscribe"]
    id: MessageId
    subscription: Subscription


class PingMessage(_Closed):
    op: Literal["ping"]
    id: MessageId


Model = TypeVar("Model", bound=BaseModel)
_LISTS = frozenset({"instrument"})


def parse_body(model: type[Model], body: bytes) -> Model:
    try:
        parsed = model.model_validate_json(body)
    except ValidationError as error:
        raise ProblemError("INVALID_REQUEST", _said(error)) from None
    _no_nulls(parsed)
    return parsed


def parse_query(model: type[Model], pairs: list[tuple[str, str]]) -> Model:
    """Each name once, but for lists of instruments."""
    lists = {name for name in _LISTS if name in model.model_fields and _is_list(model, name)}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise ProblemError("INVALID_REQUEST", f"expected {name[:40]!r} once")
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ProblemError("INVALID_REQUEST", _said(error)) from None


def day_bounds(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """A date stands for its first or its last µs in Seoul."""
    return (
        None if start is None else _day_us(start),
        None if end is None else _day_us(end) + 86_400_000_000 - 1,
    )


def _day_us(date: str) -> int:
    try:
        moment = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=KST)
    except ValueError:
        raise ProblemError("INVALID_REQUEST", f"expected a day of the calendar, found {date}") from None
    return (moment - datetime(1970, 1, 1, 9, tzinfo=KST)) // timedelta(microseconds=1)


def _is_list(model: type[BaseModel], name: str) -> bool:
    return "list[" in str(model.model_fields[name].annotation)


def _no_nulls(parsed: BaseModel) -> None:
    """An optional field without a value is left out, never null."""
    for name in parsed.model_fields_set:
        if getattr(parsed, name) is None:
            raise ProblemError("INVALID_REQUEST", f"expected {to_camel(name)} to have a value or to be left out")


def _said(error: ValidationError) -> str:
    """Where and what; never the value, which could be a secret in the wrong place."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part)[:40] for part in first["loc"]) or "the request"
    return f"{where}: {first['msg'][:200]}"
