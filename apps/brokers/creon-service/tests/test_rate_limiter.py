"""However requests come, no 15 s hold more than the broker allows, and cancels find room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.words import Priority
from rate_limiter import TRADE_LIMIT, RateLimiter

ATTEMPTS = st.lists(st.tuples(st.integers(0, 3_000_000), st.sampled_from(list(Priority)[:4])), max_size=200)


@given(ATTEMPTS)
def test_no_window_holds_more_than_its_limit(attempts: list[tuple[int, Priority]]) -> None:
    now = [0]
    limiter = RateLimiter(TRADE_LIMIT, lambda: now[0])
    taken: list[tuple[int, Priority]] = []
    for pause, priority in attempts:
        now[0] += pause
        wait = limiter.wait_us(priority)
        if limiter.try_take(priority):
            assert wait == 0
            taken.append((now[0], priority))
        else:
            assert wait > 0
        inside = [moment for moment, _ in taken if now[0] - moment < TRADE_LIMIT.window_us]
        assert len(inside) <= TRADE_LIMIT.limit
        assert limiter.state().remaining == TRADE_LIMIT.limit - len(inside)
    for priority, share in TRADE_LIMIT.shares.items():
        for moment, who in taken:
            if who >= priority:
                before = [m for m, _ in taken if m <= moment and moment - m < TRADE_LIMIT.window_us]
                assert who != priority or len([1 for m in before if m < moment]) < share


@given(st.sampled_from(list(Priority)[1:4]))
def test_what_others_leave_is_there_for_a_cancel(priority: Priority) -> None:
    limiter = RateLimiter(TRADE_LIMIT, lambda: 0)
    while limiter.try_take(priority):
        pass
    assert limiter.try_take(Priority.CANCEL)


def test_the_broker_s_own_count_stops_everybody() -> None:
    now = [0]
    limiter = RateLimiter(TRADE_LIMIT, lambda: now[0])
    limiter.block_for(5_000)
    assert not limiter.try_take(Priority.CANCEL) and limiter.wait_us(Priority.CANCEL) == 5_000
    assert limiter.state().remaining == 0
    now[0] = 5_000
    assert limiter.try_take(Priority.CANCEL)
