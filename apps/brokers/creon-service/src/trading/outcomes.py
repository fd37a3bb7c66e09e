"""What a request that acts may come to, in the contract's words."""

from __future__ import annotations

from typing import Any

from adapters.errors import NotSentCode

Outcome = dict[str, Any]


class ConflictError(Exception):
    """The request id was used for something else."""


class AmbiguousError(Exception):
    """Several of the venue's orders fit one request, or several requests one order."""


def not_sent(code: NotSentCode, message: str) -> Outcome:
    return {"kind": "not_sent", "code": code, "message": message}


def unknown(message: str) -> Outcome:
    return {"kind": "unknown", "message": message}
