"""Who asks: HMAC over method, target, body, timestamp and nonce, as authentication.md of the Broker API says."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .problems import ProblemError

SCHEME = "JTS-HMAC-SHA256-1"
HEADERS = ("x-jts-key", "x-jts-timestamp", "x-jts-nonce", "x-jts-signature")
CLOCK_WINDOW_US = 30_000_000
SECRET_BYTES_MIN = 32
NONCES_MAX = 100_000
_FORMS = (
    re.compile(r"^[A-Za-z0-9._-]{1,64}$"),
    re.compile(r"^[0-9]{16}$"),
    re.compile(r"^[A-Za-z0-9_-]{16,64}$"),
    re.compile(r"^[0-9a-f]{64}$"),
)
Right = Literal["read", "trade"]


@dataclass(frozen=True)
class Key:
    id: str
    secret: str = field(repr=False)
    right: Right
    # None: all accounts of the service.
    accounts: tuple[str, ...] | None

    def may(self, right: Right) -> bool:
        return self.right == "trade" or right == "read"

    def may_use(self, account: str) -> bool:
        return self.accounts is None or account in self.accounts


@dataclass(frozen=True)
class Signed:
    method: str
    # Path and query exactly as they stand in the request line.
    target: str
    body: bytes
    headers: Sequence[tuple[str, str]]


def canonical_text(method: str, target: str, body: bytes, timestamp: str, nonce: str) -> str:
    return "\n".join((SCHEME, method.upper(), target, hashlib.sha256(body).hexdigest(), timestamp, nonce))


def signature_of(secret: str, method: str, target: str, body: bytes, timestamp: str, nonce: str) -> str:
    text = canonical_text(method, target, body, timestamp, nonce)
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def read_keys(path: Path) -> list[Key]:
    """Errors name places, never values."""
    try:
        document = json.loads(path.read_text("utf-8"))
        entries = document["keys"]
    except OSError as error:
        raise ValueError(f"expected a file of keys at {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(f'expected {{"keys": [...]}} in {path}') from None
    keys = [_key(entry, f"{path} keys[{place}]") for place, entry in enumerate(entries)]
    if not keys:
        raise ValueError(f"expected at least one key in {path}, found none")
    if len({key.id for key in keys}) != len(keys):
        raise ValueError(f"expected every key in {path} to have its own id")
    return keys


def _key(entry: Any, where: str) -> Key:
    if not isinstance(entry, dict):
        raise ValueError(f"expected an object at {where}")
    id, secret, right = entry.get("id"), entry.get("secret"), entry.get("right")
    if not isinstance(id, str) or not _FORMS[0].fullmatch(id):
        raise ValueError(f"expected an id of 1 to 64 letters, digits and ._- at {where}")
    if not isinstance(secret, str) or len(secret.encode()) < SECRET_BYTES_MIN:
        raise ValueError(f"expected a secret of at least {SECRET_BYTES_MIN} bytes at {where}")
    if right not in ("read", "trade"):
        raise ValueError(f'expected the right "read" or "trade" at {where}')
    accounts = entry.get("accounts")
    if accounts is not None and not (isinstance(accounts, list) and all(isinstance(one, str) for one in accounts)):
        raise ValueError(f"expected a list of accounts, or none, at {where}")
    return Key(id, secret, right, None if accounts is None else tuple(accounts))


class SignatureCheck:
    """In the order of the contract. Nonces live in memory: nothing signed before our start is taken."""

    def __init__(self, keys: Sequence[Key], now_us: Callable[[], int]) -> None:
        self._keys = {key.id: key for key in keys}
        self._now_us = now_us
        self._started_us = now_us()
        self._nonces: OrderedDict[tuple[str, str], int] = OrderedDict()

    def check(self, request: Signed) -> Key:
        key_id, timestamp, nonce, signature = self._headers(request)
        key = self._keys.get(key_id)
        secret = key.secret if key is not None else "x" * SECRET_BYTES_MIN
        fits = hmac.compare_digest(
            signature_of(secret, request.method, request.target, request.body, timestamp, nonce), signature
        )
        if key is None or not fits:
            raise ProblemError("AUTHENTICATION_FAILED", "expected a known key and a signature that fits the request")
        self._check_time(int(timestamp))
        self._remember(key.id, nonce, int(timestamp))
        return key

    def _headers(self, request: Signed) -> list[str]:
        values = []
        for name, form in zip(HEADERS, _FORMS, strict=True):
            found = [value for header, value in request.headers if header == name]
            if len(found) != 1 or not form.fullmatch(found[0]):
                raise ProblemError("AUTHENTICATION_MISSING", f"expected one header {name} of the form of the contract")
            values.append(found[0])
        return values

    def _check_time(self, timestamp_us: int) -> None:
        now = self._now_us()
        behind = now - timestamp_us
        if abs(behind) > CLOCK_WINDOW_US:
            side = "behind" if behind > 0 else "ahead of"
            seconds = abs(behind) // 1_000_000
            detail = f"expected a timestamp within 30 s of this service's clock, found one {seconds} s {side} it"
            raise ProblemError("CLOCK_SKEW", detail, serverTimeUs=now)
        if timestamp_us < self._started_us:
            detail = "expected a timestamp after this service's start: nonces of before are not known any more"
            raise ProblemError("CLOCK_SKEW", detail, serverTimeUs=now)

    def _remember(self, key_id: str, nonce: str, timestamp_us: int) -> None:
        now = self._now_us()
        while self._nonces and next(iter(self._nonces.values())) < now - 2 * CLOCK_WINDOW_US:
            self._nonces.popitem(last=False)
        if (key_id, nonce) in self._nonces:
            raise ProblemError("NONCE_REUSED", "expected a nonce that was never used under this key")
        if len(self._nonces) >= NONCES_MAX:
            raise ProblemError("RATE_LIMITED", f"expected fewer than {NONCES_MAX} requests a minute", retryAfterMs=1000)
        # By arrival: none is forgotten before its timestamp is out of the window.
        self._nonces[(key_id, nonce)] = max(now, timestamp_us)
