"""The Broker API over HTTP: each route asks the service and says what it answered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Request, WebSocket
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

import broker_api
from market_data import CandleQuery, InstrumentNotFoundError, TooManySubscriptionsError
from service import CreonService
from trading import AmbiguousError, ConflictError

from . import messages as m
from .auth import Key
from .errors import BudgetError, CallTimeoutError, CreonError, UnreadableError
from .gatekeeper import Gatekeeper
from .problems import ProblemError, answer
from .stream import serve_stream

log = logging.getLogger("creon.http")
Model = TypeVar("Model", bound=BaseModel)


def body_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    async def read(request: Request) -> Model:
        return m.parse_body(model, await request.body())

    return read


def query_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    async def read(request: Request) -> Model:
        return m.parse_query(model, request.query_params.multi_items())

    return read


def key_of(request: Request) -> Key:
    key = request.scope.get("jts.key")
    if not isinstance(key, Key):
        raise ProblemError("AUTHENTICATION_MISSING", "expected a signed request")
    return key


WithKey = Annotated[Key, Depends(key_of)]


def create_app(service: CreonService, gatekeeper_keys: Any, lifespan: Any = None) -> FastAPI:
    app = FastAPI(
        title="JTS Creon Service",
        version="1.0.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    api = broker_api.BrokerApi(service)

    def own(account: str, key: Key) -> None:
        if not key.may_use(account):
            raise ProblemError("FORBIDDEN", f"expected an account of this key, found {account}")
        if account != service.options.account:
            raise ProblemError("ACCOUNT_NOT_FOUND", f"expected {service.options.account}, found {account}")

    nothing = [Depends(query_of(m.Nothing))]

    @app.get("/health")
    async def liveness() -> Response:
        up = service.health()["status"] != "down"
        return JSONResponse({"status": "up" if up else "down"}, 200 if up else 503)

    @app.get("/api/v1/health", dependencies=nothing)
    async def health() -> Response:
        return answer(service.health())

    @app.get("/api/v1/capabilities", dependencies=nothing)
    async def capabilities(key: WithKey) -> Response:
        accounts = [service.options.account] if key.may_use(service.options.account) else []
        return answer(service.capabilities(accounts))

    @app.get("/api/v1/venue-time", dependencies=nothing)
    async def venue_time() -> Response:
        raise ProblemError("NOT_SUPPORTED", "Creon proves no absence, which would need its clock")

    @app.get("/api/v1/instruments")
    async def instruments(query: Annotated[m.InstrumentsQuery, Depends(query_of(m.InstrumentsQuery))]) -> Response:
        return answer(await service.market.instruments(query.instrument))

    @app.post("/api/v1/market-data/candles", dependencies=nothing)
    async def candles(body: Annotated[m.Candles, Depends(body_of(m.Candles))]) -> Response:
        query: CandleQuery = api.candle_query(body)
        return answer(await service.market.candles(query))

    @app.get("/api/v1/market-data/trades")
    async def trades(query: Annotated[m.TradesQuery, Depends(query_of(m.TradesQuery))]) -> Response:
        await service.market.listing(query.instrument)
        raise ProblemError("NOT_SUPPORTED", "Creon lists no trades: they are streamed")

    @app.get("/api/v1/market-data/quotes")
    async def quotes(query: Annotated[m.QuotesQuery, Depends(query_of(m.QuotesQuery))]) -> Response:
        return answer(await service.market.quotes(query.instrument))

    @app.get("/api/v1/market-data/order-book")
    async def order_book(query: Annotated[m.OrderBookQuery, Depends(query_of(m.OrderBookQuery))]) -> Response:
        await service.market.listing(query.instrument)
        api.check_book(query.book)
        return answer(await service.market.order_book(query.instrument, query.depth))

    @app.get("/api/v1/accounts/{account}/balances", dependencies=nothing)
    async def balances(account: str, key: WithKey) -> Response:
        own(account, key)
        return answer(await api.balances())

    @app.get("/api/v1/accounts/{account}/positions", dependencies=nothing)
    async def positions(account: str, key: WithKey) -> Response:
        own(account, key)
        return answer(await api.positions())

    @app.put("/api/v1/accounts/{account}/gate", dependencies=nothing)
    async def gate(account: str, key: WithKey, body: Annotated[m.Gate, Depends(body_of(m.Gate))]) -> Response:
        own(account, key)
        await service.trading.set_gate(body.state, body.reason, body.trading_state_version)
        return answer(service.account_state())

    @app.put("/api/v1/accounts/{account}/lease", dependencies=nothing)
    async def lease(account: str, key: WithKey, body: Annotated[m.Lease, Depends(body_of(m.Lease))]) -> Response:
        own(account, key)
        if not service.fences.set_lease(body.epoch, body.trading_state_version):
            seen = service.fences.lease_epoch
            raise ProblemError("STALE_LEASE", f"expected an epoch of at least {seen}, found {body.epoch}")
        return answer(service.account_state())

    @app.post("/api/v1/orders", dependencies=nothing)
    async def place_order(key: WithKey, body: Annotated[m.PlaceOrder, Depends(body_of(m.PlaceOrder))]) -> Response:
        own(body.account, key)
        return answer(await api.place(body))

    @app.get("/api/v1/orders")
    async def open_orders(
        key: WithKey, query: Annotated[m.OpenOrdersQuery, Depends(query_of(m.OpenOrdersQuery))]
    ) -> Response:
        own(query.account, key)
        return answer(await api.open_orders(query.instrument))

    @app.get("/api/v1/orders/{client_order_id}")
    async def get_order(
        client_order_id: str, key: WithKey, query: Annotated[m.OrderQuery, Depends(query_of(m.OrderQuery))]
    ) -> Response:
        own(query.account, key)
        return answer(await api.order(api.request_id(client_order_id), query.instrument))

    @app.patch("/api/v1/orders/{client_order_id}", dependencies=nothing)
    async def amend_order(
        client_order_id: str, key: WithKey, body: Annotated[m.AmendOrder, Depends(body_of(m.AmendOrder))]
    ) -> Response:
        own(body.account, key)
        return answer(await api.amend(api.request_id(client_order_id), body))

    @app.delete("/api/v1/orders/{client_order_id}")
    async def cancel_order(
        client_order_id: str, key: WithKey, query: Annotated[m.CancelOrder, Depends(query_of(m.CancelOrder))]
    ) -> Response:
        own(query.account, key)
        return answer(await api.cancel(api.request_id(client_order_id), query))

    @app.get("/api/v1/fills")
    async def fills(key: WithKey, query: Annotated[m.FillsQuery, Depends(query_of(m.FillsQuery))]) -> Response:
        own(query.account, key)
        page = await api.fills(query)
        return answer(page.fills, cursor=page.cursor, more=page.more)

    @app.websocket("/api/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await serve_stream(socket, service, own)

    for kind in (ProblemError, CreonError, InstrumentNotFoundError, ConflictError, AmbiguousError, Exception):
        app.add_exception_handler(kind, _refuse)
    app.add_middleware(Gatekeeper, check=gatekeeper_keys)
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    return problem_of(error).response(request.url.path)


def problem_of(error: BaseException) -> ProblemError:
    match error:
        case ProblemError():
            return error
        case InstrumentNotFoundError():
            return ProblemError("INSTRUMENT_NOT_FOUND", f"expected an instrument of KRX, found {error}")
        case ConflictError():
            return ProblemError("ORDER_CONFLICT", str(error))
        case AmbiguousError():
            return ProblemError("ORDER_AMBIGUOUS", str(error))
        case TooManySubscriptionsError():
            return ProblemError("RATE_LIMITED", str(error))
        case BudgetError():
            return ProblemError("RATE_LIMITED", str(error), retryAfterMs=max(1, error.retry_after_us // 1000))
        case CallTimeoutError():
            return ProblemError("VENUE_TIMEOUT", str(error))
        case UnreadableError():
            return ProblemError("VENUE_ANSWER_UNREADABLE", str(error))
        case CreonError():
            return ProblemError("BROKER_UNAVAILABLE", str(error))
        case _:
            log.error("a request failed", exc_info=error)
            return ProblemError("INTERNAL", "the service failed; its log says why")
