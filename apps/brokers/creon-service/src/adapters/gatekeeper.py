"""Before any route: path and method, size, signature, right, in the contract's order."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth import Right, SignatureCheck, Signed
from .problems import ProblemError

BODY_BYTES_MAX = 1024 * 1024
_ACCOUNT, _ID = r"[^/]+", r"[^/]+"
_METHODS: tuple[tuple[str, dict[str, Right]], ...] = (
    ("/health", {"GET": "read"}),
    ("/capabilities", {"GET": "read"}),
    ("/venue-time", {"GET": "read"}),
    ("/instruments", {"GET": "read"}),
    ("/market-data/candles", {"POST": "read"}),
    ("/market-data/trades", {"GET": "read"}),
    ("/market-data/quotes", {"GET": "read"}),
    ("/market-data/order-book", {"GET": "read"}),
    (f"/accounts/{_ACCOUNT}/balances", {"GET": "read"}),
    (f"/accounts/{_ACCOUNT}/positions", {"GET": "read"}),
    (f"/accounts/{_ACCOUNT}/gate", {"PUT": "trade"}),
    (f"/accounts/{_ACCOUNT}/lease", {"PUT": "trade"}),
    ("/orders", {"GET": "read", "POST": "trade"}),
    (f"/orders/{_ID}", {"GET": "read", "PATCH": "trade", "DELETE": "trade"}),
    ("/fills", {"GET": "read"}),
    ("/stream", {"GET": "read"}),
)
STREAM = "/api/v1/stream"
ROUTES = tuple((re.compile(f"/api/v1{path}"), methods) for path, methods in _METHODS)


class Gatekeeper:
    def __init__(self, app: ASGIApp, check: SignatureCheck) -> None:
        self._app, self._check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            replay = await self._admit(scope, receive)
        except ProblemError as problem:
            await _refuse(problem, scope, receive, send)
            return
        await self._app(scope, replay, send)

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        path, method = scope["path"], scope.get("method", "GET")
        if scope["type"] == "websocket" and path != STREAM:
            raise ProblemError("NOT_FOUND", f"expected a WebSocket at {STREAM} only")
        if path == "/health":
            if method != "GET":
                raise ProblemError("METHOD_NOT_ALLOWED", f"expected GET, found {method}")
            return receive
        right = _right_of(path, method, scope["type"] == "websocket")
        body = b"" if scope["type"] == "websocket" else await _read(receive)
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        key = self._check.check(Signed(method, _target(scope), body, headers))
        if not key.may(right):
            raise ProblemError("FORBIDDEN", f"expected a key with the right {right}")
        scope["jts.key"] = key
        if scope["type"] == "websocket":
            return receive
        media = next((value for name, value in headers if name == "content-type"), "")
        if method in ("POST", "PUT", "PATCH") and media.split(";")[0].strip().lower() != "application/json":
            raise ProblemError("UNSUPPORTED_MEDIA_TYPE", "expected content-type: application/json")
        if method == "DELETE" and body:
            raise ProblemError("INVALID_REQUEST", "expected no body")
        return _again(body, receive)


def _right_of(path: str, method: str, is_stream: bool) -> Right:
    for pattern, methods in ROUTES:
        if not pattern.fullmatch(path):
            continue
        if path.endswith("/stream") and not is_stream:
            raise ProblemError("INVALID_REQUEST", "expected a WebSocket")
        right = methods.get(method)
        if right is None:
            raise ProblemError("METHOD_NOT_ALLOWED", f"expected {', '.join(methods)}, found {method[:20]}")
        return right
    raise ProblemError("NOT_FOUND", "expected a path of the Broker API")


def _target(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return (path + (b"?" + query if query else b"")).decode("latin-1")


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ProblemError("INVALID_REQUEST", "expected the whole request")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_BYTES_MAX:
            raise ProblemError("PAYLOAD_TOO_LARGE", f"expected at most {BODY_BYTES_MAX} bytes")
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body was read for its signature; the route reads it once more."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(problem: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem.response(scope["path"])
    if scope["type"] == "http":
        await response(scope, receive, send)
        return
    # Instead of an upgrade: the problem document and its status.
    await receive()
    start: Message = {
        "type": "websocket.http.response.start",
        "status": response.status_code,
        "headers": response.raw_headers,
    }
    await send(start)
    await send({"type": "websocket.http.response.body", "body": response.body})
