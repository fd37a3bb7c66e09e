"""Signs what schemathesis sends, as authentication.md tells it. Key from JTS_FUZZ_KEY and JTS_FUZZ_SECRET."""

import hashlib
import hmac
import os
import secrets
import time
from typing import Any

import requests
import schemathesis


class Signature(requests.auth.AuthBase):
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        timestamp = str(time.time_ns() // 1000)
        nonce = secrets.token_urlsafe(16)
        lines = [
            "JTS-HMAC-SHA256-1",
            (request.method or "GET").upper(),
            request.path_url,
            hashlib.sha256(body).hexdigest(),
            timestamp,
            nonce,
        ]
        secret = os.environ["JTS_FUZZ_SECRET"].encode()
        request.headers["X-JTS-Key"] = os.environ["JTS_FUZZ_KEY"]
        request.headers["X-JTS-Timestamp"] = timestamp
        request.headers["X-JTS-Nonce"] = nonce
        request.headers["X-JTS-Signature"] = hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        return request


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    kwargs["auth"] = Signature()
