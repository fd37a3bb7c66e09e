"""Recorded bars flow through the venue, COM and the API unchanged, but for the stamps: minutes open at their start."""

from __future__ import annotations

import csv
import gzip
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from domain.candles import KST
from worlds import World, scenario

MINUTES, DAYS = "krx-creon-005930-1m-2018-01to02.csv.gz", "krx-005930-1d-2018to2026.csv.gz"
FOLDER = os.environ.get("JTS_RECORDINGS")
Json = dict[str, Any]


def write_minutes(path: Path) -> None:
    """Two short days as the broker gave them: end stamps, and the closing auction after a gap."""
    rows = []
    for day in ("20180207", "20180208"):
        for place, time in enumerate(("0901", "0902", "0903", "1519", "1520", "1530")):
            price = 2_300_000 + 1000 * place
            rows.append(f"0,{day}{time},{price},{price + 2000},{price - 1000},{price + 1000},{17 * place}")
    path.write_text("bar_end_ms,kst_yyyymmddhhmm,open,high,low,close,volume\n" + "\n".join(rows) + "\n")


def read(path: Path) -> list[Json]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


async def all_minutes(world: World) -> list[Json]:
    found: list[Json] = []
    start: Json = {"startDate": "2018-01-01"}
    while True:
        body = {"symbol": "005930", "timeframe": "1m", "limit": 5000, **start}
        page = (await world.call("POST", "/api/v1/market-data/candles", body)).json()["data"]
        found += page
        if len(page) < 5000:
            return found
        start = {"fromUs": page[-1]["openTimeUs"] + 1}


async def minutes_are_the_file(world: World, file: Path) -> None:
    expected = [
        (row["kst_yyyymmddhhmm"], *(row[name] for name in ("open", "high", "low", "close", "volume")))
        for row in read(file)
    ]
    found = []
    for bar in await all_minutes(world):
        opened = datetime.fromtimestamp(bar["openTimeUs"] / 1_000_000, tz=KST)
        end = (opened + timedelta(minutes=1)).strftime("%Y%m%d%H%M")
        found.append((end, *(bar[name] for name in ("open", "high", "low", "close", "volume"))))
    assert len(found) == len(expected)
    assert found == expected


def test_recorded_minutes_come_out_as_they_went_in(tmp_path: Path) -> None:
    file = Path(FOLDER) / MINUTES if FOLDER else tmp_path / "minutes.csv"
    if not FOLDER:
        write_minutes(file)
    last = read(file)[-1]["kst_yyyymmddhhmm"]
    recording = {"quiet": False, "recordings": (("A005930", str(file)),)}

    @scenario(hhmmss=160000, day=int(last[:8]), exchange=recording, window_us=1_000)
    async def run(world: World) -> None:
        await minutes_are_the_file(world, file)

    run()


if FOLDER is not None:

    def test_recorded_days_come_out_as_they_went_in() -> None:
        file = Path(FOLDER or "") / DAYS
        rows = read(file)
        recording = {"quiet": False, "recordings": (("A005930", str(file)),)}

        @scenario(hhmmss=160000, day=int(rows[-1]["date"].replace("-", "")), exchange=recording)
        async def run(world: World) -> None:
            body = {"symbol": "005930", "timeframe": "1D", "limit": 5000, "startDate": rows[0]["date"]}
            bars = (await world.call("POST", "/api/v1/market-data/candles", body)).json()["data"]
            found = [
                (
                    datetime.fromtimestamp(bar["openTimeUs"] / 1_000_000, tz=KST).strftime("%Y-%m-%d"),
                    *(bar[name] for name in ("open", "high", "low", "close", "volume")),
                )
                for bar in bars
            ]
            assert found == [
                tuple(row[name] for name in ("date", "open", "high", "low", "close", "volume")) for row in rows
            ]

        run()
