"""Every refusal of the Broker API: a problem document (RFC 9457) with a code of the contract's closed list."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

PROBLEMS: dict[str, tuple[int, str]] = {
    "INVALID_REQUEST": (400, "The request is not what the contract says"),
    "AUTHENTICATION_MISSING": (401, "The request is not signed"),
    "AUTHENTICATION_FAILED": (401, "The key is unknown or the signature does not fit"),
    "CLOCK_SKEW": (401, "The timestamp is outside the accepted window"),
    "NONCE_REUSED": (401, "The nonce was used before"),
    "FORBIDDEN": (403, "The key may not do this"),
    "NOT_FOUND": (404, "There is no such path"),
    "ACCOUNT_NOT_FOUND": (404, "This service does not hold the account"),
    "INSTRUMENT_NOT_FOUND": (404, "The venue does not list the instrument"),
    "ORDER_NOT_FOUND": (404, "The venue says that it has no such order"),
    "METHOD_NOT_ALLOWED": (405, "The path has no such method"),
    "ORDER_CONFLICT": (409, "The request id was used for something else"),
    "ORDER_AMBIGUOUS": (409, "Several orders at the venue could be this one"),
    "STALE_LEASE": (409, "A later owner of the account is known"),
    "CURSOR_UNKNOWN": (410, "The cursor is not of this record; begin again without one"),
    "PAYLOAD_TOO_LARGE": (413, "The body is too large"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "The body is not JSON"),
    "NOT_SUPPORTED": (422, "This broker cannot do that"),
    "RATE_LIMITED": (429, "The rate budget is used up"),
    "INTERNAL": (500, "The service failed"),
    "VENUE_ANSWER_UNREADABLE": (502, "The venue answered in words that we cannot read"),
    "BROKER_UNAVAILABLE": (503, "The venue cannot be reached"),
    "VENUE_TIMEOUT": (504, "The venue did not answer in time"),
}


class ProblemError(Exception):
    def __init__(self, code: str, detail: str, **more: Any) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.more = code, detail, more

    def document(self, instance: str | None = None) -> dict[str, Any]:
        status, title = PROBLEMS[self.code]
        document: dict[str, Any] = {
            "type": f"urn:jts:broker-api:problem:{self.code}",
            "title": title,
            "status": status,
            "code": self.code,
            "detail": self.detail,
            **self.more,
        }
        return document if instance is None else {**document, "instance": instance}

    def response(self, instance: str) -> Response:
        document = self.document(instance)
        return Response(to_bytes(document), document["status"], media_type="application/problem+json")


def to_bytes(value: Any) -> bytes:
    # What somebody sent may hold half a character; an answer about it must not fail.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="replace")


def answer(data: Any, **beside: Any) -> Response:
    body = to_bytes({"success": True, "data": data, **beside})
    return Response(body, media_type="application/json; charset=utf-8")
