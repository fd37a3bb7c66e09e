"""The tests' side channel: faults, the clock, trades of others and the venue's own truth, on loopback only."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .clock import ManualVenueClock
from .orders import Refused
from .terminal import Terminal


class ControlServer:
    """POST with a JSON object: /faults /clock /print /orders /shares /session /popup /release; GET /state."""

    def __init__(self, terminal: Terminal, port: int = 0) -> None:
        self._terminal = terminal
        control = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(lambda: control.state() if self.path == "/state" else None)

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                text = self.rfile.read(length)
                self._answer(lambda: control.command(self.path, json.loads(text or b"{}")))

            def _answer(self, work: Any) -> None:
                try:
                    answer = work()
                    status = 404 if answer is None else 200
                except (Refused, ValueError, KeyError, TypeError) as error:
                    answer, status = {"error": str(error)}, 400
                body = json.dumps(answer, ensure_ascii=False).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="simulated-com-control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def command(self, path: str, body: dict[str, Any]) -> Any:
        terminal, exchange = self._terminal, self._terminal.exchange
        faults = terminal.faults
        if path == "/faults":
            if body.get("clear"):
                faults.clear(None if body["clear"] is True else str(body["clear"]))
            else:
                values = {key: value for key, value in body.items() if key not in ("name", "count", "match")}
                faults.set(str(body["name"]), int(body.get("count", -1)), str(body.get("match", "")), **values)
            return {"active": faults.active()}
        if path == "/popup":
            faults.popup_answer = str(body["answer"])
            faults.released.set()
            return {"answered": faults.popup_answer}
        if path == "/release":
            faults.released.set()
            terminal.release_notices()
            return {"released": True}
        with terminal.lock:
            if path == "/clock":
                if not isinstance(terminal.clock, ManualVenueClock):
                    raise ValueError("expected a manual clock (--sim-clock manual:…); found one that runs by itself")
                terminal.clock.move_to(int(body["nowUs"]))
                terminal.advance()
                return {"nowUs": terminal.clock.now_us()}
            if path == "/print":
                exchange.advance()
                exchange.print(str(body["code"]), int(body["price"]), int(body["quantity"]))
                return {"printed": True}
            if path == "/orders":
                # A person at the HTS.
                order = exchange.place(
                    str(body["code"]), body["side"], int(body["quantity"]), int(body["price"]), media="02"
                )
                return {"number": order.number}
            if path == "/shares":
                exchange.give(str(body["code"]), int(body["quantity"]), int(body["price"]))
                return {"given": True}
            if path == "/restrict":
                allowed = {"halted": bool, "administrative": bool, "control": int}
                changes = {name: kind(body[name]) for name, kind in allowed.items() if name in body}
                exchange.restrict(str(body["code"]), **changes)
                return changes
            if path == "/session":
                if body["state"] == "lost":
                    terminal.disconnect(bool(body.get("restart", False)))
                elif not terminal.login():
                    return {"connected": False}
                return {"connected": terminal.connected}
        return None

    def state(self) -> dict[str, Any]:
        terminal, exchange = self._terminal, self._terminal.exchange
        with terminal.lock:
            return {
                "nowUs": terminal.clock.now_us(),
                "connected": terminal.connected,
                "logins": terminal.logins,
                "popupOpen": terminal.faults.popup_open.is_set(),
                "hanging": terminal.faults.hanging.is_set(),
                "orders": [order.to_json() for _, order in sorted(exchange.orders.items())],
                "fills": [asdict(fill) for _, fill in sorted(exchange.fills.items())],
                "ledger": exchange.ledger.to_json(),
                "subscriptions": sum(1 for _ in terminal.subscribers),
                "calls": len(terminal.calls),
            }
