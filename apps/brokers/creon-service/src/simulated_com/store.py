"""The venue's memory: what was accepted is on disk before the caller hears of it, so it may be killed too."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class VenueStore:
    """Documents by kind and key; without a path it lives in memory."""

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS documents"
            " (kind TEXT, key TEXT, value TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    def put(self, documents: Iterable[tuple[str, str, Any]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                [(kind, key, json.dumps(value, ensure_ascii=False)) for kind, key, value in documents],
            )
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def all(self, kind: str) -> list[tuple[str, Any]]:
        rows = self._db.execute("SELECT key, value FROM documents WHERE kind = ? ORDER BY key", (kind,))
        return [(str(key), json.loads(value)) for key, value in rows]

    def get(self, kind: str, key: str) -> Any:
        row = self._db.execute("SELECT value FROM documents WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if row is None else json.loads(row[0])

    def close(self) -> None:
        self._db.close()
