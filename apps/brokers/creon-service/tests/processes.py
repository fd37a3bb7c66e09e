"""The service as a process of its own, started as a person would start it, and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from worlds import ACCOUNT, KRX_SAMSUNG, signed

HERE = Path(__file__).resolve().parent.parent
Json = dict[str, Any]
MORNING = "2026-04-22T10:00:00"


class ServiceProcess:
    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self._arguments = folder, arguments
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(HERE / "src/main.py"), "--com=simulated", "--port=0", "--json"]
        command += ["--data-dir", str(self.folder), "--sim-control-port=0", "--log-level=error", *self._arguments]
        # Once more than one service writes it, a pipe that nobody reads would block.
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"expected the service to say where it listens; it ended with {self.process.wait(10)}"
        self.place: Json = json.loads(line)
        key = json.loads(Path(self.place["keys"]).read_text())["keys"][0]
        self._key, self._secret = key["id"], key["secret"]
        self.http = httpx.Client(base_url=self.place["url"], timeout=30)
        self.control = httpx.Client(base_url=self.place["controlUrl"], timeout=30)

    def headers(self, method: str, target: str, data: bytes = b"") -> dict[str, str]:
        return signed(method, target, data, self._key, secret=self._secret)

    def call(self, method: str, target: str, body: Json | None = None) -> httpx.Response:
        data = b"" if body is None else json.dumps(body).encode()
        headers = self.headers(method, target, data)
        if body is not None:
            headers["content-type"] = "application/json"
        return self.http.request(method, target, content=data, headers=headers)

    def get(self, target: str) -> Any:
        answer = self.call("GET", target)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def connected(self) -> None:
        end = time.monotonic() + 30
        while self.get("/api/v1/health")["session"]["state"] != "connected":
            assert time.monotonic() < end, "expected the session to open"
            time.sleep(0.02)

    def order(self, client_order_id: str, **fields: Any) -> Json:
        now = self.get("/api/v1/health")["venueTimeUs"]
        return {
            "account": ACCOUNT,
            "clientOrderId": client_order_id,
            "instrument": KRX_SAMSUNG,
            "side": "buy",
            "type": "limit",
            "quantity": "1",
            "limitPrice": "60000",
            "intentTimeUs": now,
            "sendBeforeUs": now + 30_000_000,
            **fields,
        }

    def place_order(self, order: Json) -> Json | None:
        """None when there is no answer: the client does not know."""
        try:
            data: Json = self.call("POST", "/api/v1/orders", order).json()["data"]
        except (httpx.TransportError, ValueError):
            return None
        return data

    def venue(self) -> Json:
        state: Json = self.control.get("/state").json()
        return state

    def fault(self, name: str, **values: Any) -> None:
        assert self.control.post("/faults", json={"name": name, **values}).status_code == 200

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self._close()
        return code

    def _close(self) -> None:
        self.http.close()
        self.control.close()
        if self.process.stdout:
            self.process.stdout.close()


FULL = os.environ.get("JTS_TEST_FULL") == "1"
