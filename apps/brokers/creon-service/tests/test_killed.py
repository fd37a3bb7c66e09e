"""Killed at any moment and started again: at most one venue order for each request, every fill found once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from processes import FULL, MORNING, ServiceProcess
from worlds import ACCOUNT, KRX_SAMSUNG

RUNS = range(20 if FULL else 1)
ORDERS = 8 if FULL else 5


def test_a_death_between_the_broker_s_yes_and_its_reply_sends_nothing_again(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path, f"--sim-clock=start:{MORNING}", "--sim-quiet")
    service.connected()
    service.fault("crash-after-accept", count=1)
    order = service.order("crash")
    assert service.place_order(order) is None
    assert service.process.wait(20) == 137
    service.start()
    service.connected()
    again = service.place_order(order)
    assert again is not None and again["repeated"] is True and again["kind"] in ("unknown", "accepted")
    found = service.get(f"/api/v1/orders/crash?account={ACCOUNT}&instrument={KRX_SAMSUNG}")
    assert found["status"] == "accepted"
    assert len(service.venue()["orders"]) == 1
    # It is ours again: a cancel reaches it.
    now = service.get("/api/v1/health")["venueTimeUs"]
    times = f"intentTimeUs={now}&sendBeforeUs={now + 30_000_000}"
    target = f"/api/v1/orders/crash?account={ACCOUNT}&instrument={KRX_SAMSUNG}&cancelId=c&{times}"
    end = time.monotonic() + 60
    while (kind := service.call("DELETE", target).json()["data"]["kind"]) == "unknown" and time.monotonic() < end:
        service.get(f"/api/v1/orders/crash?account={ACCOUNT}&instrument={KRX_SAMSUNG}")
        time.sleep(0.05)
    assert kind == "cancelled"
    service.stop()


@pytest.mark.parametrize("seed", RUNS)
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    arguments = (f"--sim-clock=start:{MORNING}", "--sim-quiet", "--sim-window-ms=1000")
    service = ServiceProcess(tmp_path, *arguments)
    service.connected()
    for n in range(ORDERS):
        order = service.order(f"k{seed}-{n}", quantity=str(n + 1), limitPrice=str(60_000 + 100 * n))
        if chance.random() < 0.5:
            order["limitPrice"] = "90000"
        killer = threading.Timer(chance.random() * 0.03, service.process.kill)
        kills = chance.random() < 0.5
        if kills:
            killer.start()
        answer = service.place_order(order)
        if kills:
            killer.join()
            service.process.wait()
            service.start()
            service.connected()
        tries = 0
        while True:
            # The same request until it is known: it sends nothing.
            answer = service.place_order(order)
            assert answer is not None
            if answer["kind"] != "unknown" or tries > 40:
                break
            service.call("GET", f"/api/v1/orders/{order['clientOrderId']}?account={ACCOUNT}&instrument={KRX_SAMSUNG}")
            tries += 1
            time.sleep(0.05)
    venue = service.venue()
    sent = Counter((order["quantity"]) for order in venue["orders"])
    assert all(count == 1 for count in sent.values()), f"seed {seed}: {venue['orders']}"
    filled = {fill["clientOrderId"]: 0 for fill in fills_of(service)}
    for fill in fills_of(service):
        filled[fill["clientOrderId"]] += int(fill["quantity"])
    at_venue: Counter[int] = Counter()
    for fill in venue["fills"]:
        at_venue[fill["number"]] += fill["quantity"]
    assert sorted(filled.values()) == sorted(at_venue.values()), f"seed {seed}"
    assert len({fill["fillId"] for fill in fills_of(service)}) == len(fills_of(service))
    assert not any(client.startswith("venue-") for client in filled)
    service.stop()


def fills_of(service: ServiceProcess) -> list[dict[str, str]]:
    found: list[dict[str, str]] = service.get(f"/api/v1/fills?account={ACCOUNT}")
    return found
