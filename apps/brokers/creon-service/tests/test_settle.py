"""Fills without ids: whatever notices are lost, doubled or wrong, what is settled adds up to the venue's quantities."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.settle import LISTS_TO_DISPROVE, Provisional, settle
from domain.status import cancelled_quantity, status_of
from domain.words import VenueOrder

FILLS = st.lists(st.tuples(st.integers(1, 5), st.sampled_from([100, 101, 102])), max_size=12)
WHAT_HAPPENS = st.lists(st.sampled_from(["told", "lost", "twice", "wrong"]), min_size=12, max_size=12)


@given(FILLS, WHAT_HAPPENS, st.integers(0, 12))
def test_what_is_settled_is_what_the_venue_says(
    fills: list[tuple[int, int]], fates: list[str], settled_first: int
) -> None:
    venue: Counter[int] = Counter()
    recorded: Counter[int] = Counter()
    notices: list[Provisional] = []
    cumulative: list[int] = []
    for place, ((quantity, price), fate) in enumerate(zip(fills, fates, strict=False)):
        venue[price] += quantity
        told = {"told": [price], "lost": [], "twice": [price, price], "wrong": [price + 50]}[fate]
        for at in told:
            total = sum(recorded.values()) + sum(one.quantity for one in notices) + quantity
            notices.append(Provisional(f"o:{total}", quantity, at, place))
        if place == settled_first:
            notices = _settled(venue, recorded, notices, cumulative)
    for _ in range(LISTS_TO_DISPROVE):
        notices = _settled(venue, recorded, notices, cumulative)
    assert +recorded == +venue
    assert notices == []
    assert cumulative == sorted(set(cumulative))


def _settled(
    venue: Counter[int], recorded: Counter[int], notices: list[Provisional], cumulative: list[int]
) -> list[Provisional]:
    settlement = settle("o", dict(recorded), notices, dict(venue), len(notices))
    assert not settlement.taken_back
    for fill in settlement.fills:
        recorded[fill.price] += fill.quantity
        cumulative.append(fill.cumulative)
        assert fill.cumulative == sum(recorded.values())
    return list(settlement.waiting)


def test_a_notice_keeps_its_id_when_the_list_agrees() -> None:
    notices = [Provisional("o:4", 4, 100, 1), Provisional("o:8", 4, 100, 2)]
    settlement = settle("o", {}, notices, {100: 8}, 2)
    assert [(fill.cumulative, fill.corrects) for fill in settlement.fills] == [(4, None), (8, None)]


def test_a_fill_told_otherwise_is_corrected() -> None:
    settlement = settle("o", {}, [Provisional("o:4", 4, 150, 1)], {100: 4}, 1)
    assert [(fill.price, fill.cumulative, fill.corrects) for fill in settlement.fills] == [(100, 4, "o:4")]


def test_a_notice_after_the_list_was_asked_is_not_judged_by_it() -> None:
    notices = [Provisional("o:4", 4, 100, 1), Provisional("o:8", 4, 100, 2)]
    once = settle("o", {}, notices, {100: 4}, 1)
    assert [notice.missed for notice in once.waiting] == [0]


def test_what_the_venue_takes_back_is_for_a_person() -> None:
    assert settle("o", {100: 5}, [], {100: 3}, 0).taken_back == {100: 2}


def order(**fields: object) -> VenueOrder:
    values: dict[str, object] = {
        "number": 1,
        "original": 0,
        "code": "A005930",
        "side": "buy",
        "quantity": 10,
        "price": 100,
        "price_type": "01",
        "kind": "1",
        "filled": 0,
        "leaves": 0,
        "confirmed": 0,
        "reason": "",
    }
    return VenueOrder(**{**values, **fields})  # type: ignore[arg-type]


def test_the_end_of_an_order_is_told_by_what_took_its_quantity() -> None:
    cancel = order(number=2, original=1, kind="3", confirmed=6)
    for row, others, expected in (
        (order(leaves=10), [], "accepted"),
        (order(leaves=6, filled=4), [], "partially_filled"),
        (order(filled=10), [], "filled"),
        (order(filled=4), [cancel], "cancelled"),
        (order(confirmed=10), [], "cancelled"),
        (order(reason="거부"), [], "rejected"),
        (order(filled=4), [], "expired"),
    ):
        assert status_of(row, cancelled_quantity(row, [row, *others])) == expected
