"""The service's own record in one SQLite file: requests before they are sent, orders with their numbers, settled fills.

Whatever keeps a request from being sent twice is synced to disk before the call that it is about.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from domain.words import Fill, OrderRecord

RequestKind = Literal["place", "cancel", "amend"]
RequestState = Literal["queued", "sending", "answered"]
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RequestRow:
    request_id: str
    kind: RequestKind
    content: dict[str, Any]
    state: RequestState
    created_us: int
    # What it concerns, for finding its order at the venue.
    code: str
    side: str
    # KST day and the highest order number known when it was sent.
    date: int
    after_number: int
    outcome: dict[str, Any] | None


class Store:
    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(
            """
            CREATE TABLE IF NOT EXISTS requests (
                request_id TEXT PRIMARY KEY, kind TEXT NOT NULL, content TEXT NOT NULL, state TEXT NOT NULL,
                created_us INTEGER NOT NULL, code TEXT NOT NULL, side TEXT NOT NULL, date INTEGER NOT NULL,
                after_number INTEGER NOT NULL, outcome TEXT);
            CREATE INDEX IF NOT EXISTS requests_open ON requests (state) WHERE state <> 'answered';
            CREATE TABLE IF NOT EXISTS orders (
                client_order_id TEXT PRIMARY KEY, date INTEGER NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL,
                UNIQUE (date, number));
            CREATE TABLE IF NOT EXISTS fills (
                seq INTEGER PRIMARY KEY AUTOINCREMENT, fill_id TEXT NOT NULL UNIQUE, date INTEGER NOT NULL,
                number INTEGER NOT NULL, code TEXT NOT NULL, fill TEXT NOT NULL);
            CREATE INDEX IF NOT EXISTS fills_of_order ON fills (date, number);
            CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
            """
        )
        version = self.setting("schemaVersion")
        if version not in (None, SCHEMA_VERSION):
            raise RuntimeError(f"expected a record of version {SCHEMA_VERSION}, found {version} in {path}")
        with self.transaction():
            self.set("schemaVersion", SCHEMA_VERSION)
            if self.setting("recordId") is None:
                self.set("recordId", secrets.token_hex(4))
        self.record_id = str(self.setting("recordId"))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in it is on disk when it ends, or nothing of it."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # --- settings -------------------------------------------------------------------------------------------------

    def setting(self, name: str) -> Any:
        with self._lock:
            row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set(self, name: str, value: Any) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, json.dumps(value, ensure_ascii=False)),
            )

    # --- requests -------------------------------------------------------------------------------------------------

    def request(self, request_id: str) -> RequestRow | None:
        with self._lock:
            row = self._db.execute("SELECT * FROM requests WHERE request_id = ?", (request_id,)).fetchone()
        return None if row is None else _request(row)

    def unanswered(self) -> list[RequestRow]:
        with self._lock:
            rows = self._db.execute("SELECT * FROM requests WHERE state <> 'answered' ORDER BY created_us").fetchall()
        return [_request(row) for row in rows]

    def add_request(self, row: RequestRow) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.request_id,
                    row.kind,
                    _json(row.content),
                    row.state,
                    row.created_us,
                    row.code,
                    row.side,
                    row.date,
                    row.after_number,
                    None if row.outcome is None else _json(row.outcome),
                ),
            )

    def mark_sending(self, request_id: str, date: int, after_number: int) -> None:
        """From here on the request may have been sent: on disk before the call is made."""
        with self.transaction():
            changed = self._db.execute(
                "UPDATE requests SET state = 'sending', date = ?, after_number = ? "
                "WHERE request_id = ? AND state = 'queued'",
                (date, after_number, request_id),
            )
            if changed.rowcount != 1:
                raise RuntimeError(f"expected request {request_id} to be queued")

    def answer_request(self, request_id: str, outcome: dict[str, Any], settled: bool = True) -> None:
        """An unsettled outcome (unknown) is told and kept, and the request stays one to be settled."""
        with self.transaction():
            self._db.execute(
                "UPDATE requests SET outcome = ?, state = ? WHERE request_id = ?",
                (_json(outcome), "answered" if settled else "sending", request_id),
            )

    # --- orders and fills -----------------------------------------------------------------------------------------

    def save_order(self, record: OrderRecord) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?)"
                " ON CONFLICT (client_order_id) DO UPDATE SET record = excluded.record",
                (record.client_order_id, record.date, record.number, _json(asdict(record))),
            )

    def orders_since(self, date: int) -> list[OrderRecord]:
        with self._lock:
            rows = self._db.execute("SELECT record FROM orders WHERE date >= ?", (date,)).fetchall()
        return [OrderRecord(**json.loads(row[0])) for row in rows]

    def order(self, client_order_id: str) -> OrderRecord | None:
        with self._lock:
            row = self._db.execute("SELECT record FROM orders WHERE client_order_id = ?", (client_order_id,)).fetchone()
        return None if row is None else OrderRecord(**json.loads(row[0]))

    def open_orders_before(self, date: int) -> list[OrderRecord]:
        with self._lock:
            rows = self._db.execute(
                "SELECT record FROM orders WHERE date < ? AND json_extract(record, '$.status')"
                " IN ('accepted', 'partially_filled')",
                (date,),
            ).fetchall()
        return [OrderRecord(**json.loads(row[0])) for row in rows]

    def add_fill(self, fill: Fill) -> int:
        with self.transaction():
            cursor = self._db.execute(
                "INSERT INTO fills (fill_id, date, number, code, fill) VALUES (?, ?, ?, ?, ?)",
                (fill.fill_id, fill.date, fill.number, fill.code, _json(asdict(fill))),
            )
            return int(cursor.lastrowid or 0)

    def fills_of_order(self, date: int, number: int) -> list[Fill]:
        with self._lock:
            rows = self._db.execute(
                "SELECT fill FROM fills WHERE date = ? AND number = ? ORDER BY seq", (date, number)
            ).fetchall()
        return [Fill(**json.loads(row[0])) for row in rows]

    def fills_after(self, seq: int, limit: int, code: str | None) -> list[tuple[int, Fill]]:
        with self._lock:
            rows = self._db.execute(
                "SELECT seq, fill FROM fills WHERE seq > ? AND (? IS NULL OR code = ?) ORDER BY seq LIMIT ?",
                (seq, code, code, limit),
            ).fetchall()
        return [(int(row[0]), Fill(**json.loads(row[1]))) for row in rows]

    def last_fill(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT COALESCE(MAX(seq), 0) FROM fills").fetchone()[0])

    def seq_of_fill(self, fill_id: str, code: str) -> int | None:
        with self._lock:
            row = self._db.execute("SELECT seq FROM fills WHERE fill_id = ? AND code = ?", (fill_id, code)).fetchone()
        return None if row is None else int(row[0])


def _request(row: tuple[Any, ...]) -> RequestRow:
    request_id, kind, content, state, created, code, side, date, after, outcome = row
    loaded = None if outcome is None else json.loads(outcome)
    return RequestRow(request_id, kind, json.loads(content), state, created, code, side, date, after, loaded)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
