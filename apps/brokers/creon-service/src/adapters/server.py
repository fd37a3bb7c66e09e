"""The listening socket and the heartbeat's close code, which the server library has no setting for."""

from __future__ import annotations

import socket
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

NO_PONG = 4409


class HeartbeatProtocol(WebSocketsSansIOProtocol):
    """Closes with the contract's code what has not answered a ping for two heartbeats."""

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # Answered instead of upgraded: the library would log an error for whoever knocks, with a key or without.
            self.handshake_complete = True

    def keepalive_timeout(self) -> None:
        original = self.conn.fail

        def fail(code: int, reason: str = "") -> None:
            original(NO_PONG if code == 1011 else code, reason)

        self.conn.fail = fail  # type: ignore[method-assign]
        super().keepalive_timeout()


def listening_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise OSError(f"expected a free port at {host}:{port}: {error.strerror}") from None
    return listening
