"""
Requests drawn from the contract's own document, signed: no 5xx, no crash, no answer that is not of the contract.
JTS_BROKER_API names another service that speaks it, as {"url", "key", "secret"}; without it, it is this one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import schemathesis.checks
from hypothesis import HealthCheck, settings

from processes import FULL, MORNING, ServiceProcess
from worlds import signed

CONTRACT = Path(__file__).resolve().parents[4] / "libs/shared/contracts/broker-api/openapi.yaml"
schema = schemathesis.openapi.from_path(CONTRACT)
EXAMPLES = 200 if FULL else 2 if "JTS_BROKER_API" in os.environ else 5


GIVEN = os.environ.get("JTS_BROKER_API")


class GivenService:
    def __init__(self, given: str) -> None:
        self.place: dict[str, Any] = json.loads(given)

    def headers(self, method: str, target: str, data: bytes = b"") -> dict[str, str]:
        return signed(method, target, data, self.place["key"], secret=self.place["secret"])


class Signature(requests.auth.AuthBase):
    """Signs what is sent, whatever was drawn."""

    def __init__(self, service: ServiceProcess | GivenService) -> None:
        self._service = service

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body: Any = request.body or b""
        data = body if isinstance(body, bytes) else body.encode()
        request.headers.update(self._service.headers(request.method or "GET", request.path_url, data))
        return request


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess | GivenService]:
    if GIVEN is not None:
        yield GivenService(GIVEN)
        return
    folder = tmp_path_factory.mktemp("schemathesis")
    started = ServiceProcess(folder, f"--sim-clock=start:{MORNING}", "--sim-window-ms=20", "--reply-timeout-ms=2000")
    started.connected()
    yield started
    assert started.process.poll() is None, "expected the service to be alive"
    started.stop()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_no_drawn_request_breaks_it(case: Any, service: ServiceProcess | GivenService) -> None:
    response = case.call(base_url=service.place["url"], auth=Signature(service), timeout=30)
    assert response.status_code < 500, (response.status_code, response.text)
    media = response.headers["content-type"][0]
    if response.status_code >= 400:
        problem = json.loads(response.text)
        assert media.startswith("application/problem+json")
        assert problem["status"] == response.status_code and problem["code"] in problem["type"]
    case.validate_response(
        response,
        checks=[schemathesis.checks.not_a_server_error, *_checks()],
    )


def _checks() -> list[Any]:
    from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

    return [status_code_conformance, response_schema_conformance]
