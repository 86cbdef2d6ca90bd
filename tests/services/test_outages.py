"""The evaluator is away, killed, or runs twice: missed batches are judged as if it had been there, and once."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.columnar import marks as stored
from services import quotes
from services.columnar import passes
from services.columnar.passes import Marker
from services.jobs import work_queue
from tests.services.world import (
    EVALUATION,
    World,
    a_quote,
    a_world,
    act,
    books_hold,
    changed,
    elsewhere,
    rows,
    settle,
    value,
)


async def _quoted(world: World, mid: str, *, after: timedelta = timedelta(minutes=1)) -> None:
    """A batch that nobody looks at."""
    world.at += after
    await quotes.ingest([a_quote("EURUSD", mid, world.at)])


async def test_after_three_days_down_each_day_is_judged_as_it_was_and_the_breach_is_of_its_own_day(
    database: str,
) -> None:
    pausing = changed(EVALUATION, limits={"daily_loss": {"consequence": "PAUSE_DAY"}})
    world = await a_world(database, steps=[pausing])  # a Monday noon
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await passes.mark_shard(0)
    for mid in ("1.104", "1.098", "1.102"):  # Monday's high and low, and what it ends with
        await _quoted(world, mid)
    await _quoted(world, "1.095", after=timedelta(days=1))  # Tuesday: its day is paused
    await _quoted(world, "1.103")  # and healed
    await _quoted(world, "1.09", after=timedelta(days=1))  # Wednesday: below every floor
    failed_at = world.at
    await _quoted(world, "1.2")
    await _quoted(world, "1.15", after=timedelta(days=1))
    assert await value("select count(*) from breaches") == 0

    await settle()
    found = await rows(
        "select rule, consequence, day, day_date::text as date, batch, floor from breaches order by batch"
    )
    opened_at = Decimal(100_000) - 1_100  # after the fee
    monday, tuesday = opened_at + 2_000, opened_at + 3_000
    assert [tuple(row.values()) for row in found] == [
        ("MAX_DAILY_LOSS", "PAUSE_DAY", 2, "2026-03-03", 5, monday * Decimal("0.95")),
        ("MAX_DAILY_LOSS", "PAUSE_DAY", 3, "2026-03-04", 7, tuesday * Decimal("0.95")),
        ("MAX_TOTAL_LOSS", "FAIL", 3, "2026-03-04", 7, 90_000),
    ]
    days = await rows("select number, start_equity, equity, low, high, closed from days order by number")
    assert [tuple(day.values()) for day in days] == [
        (1, 100_000, monday, opened_at - 2_000, opened_at + 4_000, True),
        (2, monday, tuesday, opened_at - 5_000, tuesday, True),
        (3, tuesday, opened_at - 10_000, opened_at - 10_000, tuesday, True),
    ]
    assert await value("select ended_at from challenges where id = $1", challenge) == failed_at
    assert await value("select price from fills where verb = 'CLOSE'") == Decimal("1.15"), "at the newest quote"
    await books_hold()


async def test_one_killed_between_two_chunks_leaves_the_rest_to_the_next(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "CHUNK", 2)
    world = await a_world(database, price=0)
    held = [(await world.buy(f"k{n}"))[1] for n in range(5)]
    for account in held:
        await act(account, "OPEN", action_id="a1", quantity="100000")
    await passes.mark_shard(0)
    write, written = stored.write_marks, list[int]()

    async def dies_at_the_second(*args: Any) -> Any:
        if written:
            raise asyncio.CancelledError
        taken = await write(*args)
        written.append(int(taken.sum()))
        return taken

    await _quoted(world, "1.101")
    with monkeypatch.context() as patch:
        patch.setattr(stored, "write_marks", dies_at_the_second)
        with pytest.raises(asyncio.CancelledError):
            await Marker(0).drain()
    assert written == [2]
    assert await value("select count(*) from balances where marked_through = 2") == 2
    await Marker(0).drain()
    assert await rows("select distinct equity, marked_through from balances") == [
        {"equity": Decimal(100_000) - 110 + 100, "marked_through": 2}
    ]
    assert await value("select count(*) from metrics where batch = 2") == 5
    await books_hold()


async def test_one_killed_between_a_verdict_and_its_job_leaves_a_job_that_the_next_does(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await _quoted(world, "1.09")
    await Marker(0).drain()
    commits = """select count(distinct x) from (
      select xmin::text as x from challenges where id = $1
      union select xmin::text from breaches where challenge_id = $1
      union select xmin::text from jobs where challenge_id = $1 and kind = 'close_account') of"""
    assert await value(commits, challenge) == 1, "the verdict and its job are of one commit"
    assert await value("select count(*) from positions where status = 'OPEN'") == 1

    await Marker(0).drain()
    await work_queue.do_jobs()
    assert await value("select count(*) from jobs where kind = 'close_account'") == 1
    assert await value("select count(*) from fills where verb = 'CLOSE'") == 1
    await books_hold()


async def test_closes_that_race_the_marker_to_a_breach_never_undo_it(database: str) -> None:
    world = await a_world(database, cash=10_000)
    held = [await world.buy(f"k{n}") for n in range(6)]
    for _, account in held:
        await act(account, "OPEN", action_id="a1", quantity="1000000")
    await passes.mark_shard(0)
    await _quoted(world, "1.09")
    closes = [elsewhere(act(account, "CLOSE", action_id="a2")) for _, account in held]
    answers = await asyncio.gather(*closes[:3], elsewhere(passes.mark_shard(0)), *closes[3:])
    assert [answer.refusal.code for answer in answers if not isinstance(answer, int)] == ["ACCOUNT_NOT_OPEN"] * 6
    await settle()
    assert await rows("select status, count(*) as many from challenges group by status") == [{"status": 3, "many": 6}]
    assert await value("select count(*) from breaches") == 6
    assert await rows("select reason, count(*) as many from orders where verb = 'CLOSE' group by reason") == [
        {"reason": "PHASE_ENDED", "many": 6}
    ]
    await books_hold()
