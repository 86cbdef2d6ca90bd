"""A day that is closed: orders go, positions close at fresh quotes, nothing is opened until the next day."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services import corrections, events, quotes
from services.checks import verify
from services.jobs import closing, work_queue
from services.jobs.job import Job
from services.unit_of_work.unit import UnitOfWork
from tests.services.winners import DAY, FREE
from tests.services.world import (
    EVALUATION,
    MANAGER,
    World,
    a_quote,
    a_world,
    act,
    books_hold,
    rows,
    settle,
    value,
)

CLOSING = replace(
    EVALUATION,
    max_daily_loss_pct=Decimal(1),
    max_total_loss_pct=Decimal(5),
    limits={"daily_loss": {"consequence": "CLOSE_DAY"}},
)
OPEN = "select symbol from positions where account_id = $1 and status = 'OPEN' order by symbol"


async def _quotes(world: World, after: timedelta, **mids: str) -> None:
    world.at += after
    await quotes.ingest([a_quote(symbol, mid, world.at) for symbol, mid in mids.items()])
    await settle()


async def _open(account: int) -> list[str]:
    return [row["symbol"] for row in await rows(OPEN, account)]


async def test_the_day_is_closed_and_the_next_one_begins_free(database: str) -> None:
    world = await a_world(database, steps=[CLOSING], policy=FREE)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000", stop_loss="1.05")
    await world.quote("1.089")  # 1,100 of the 1,000 that a day may lose
    assert await _open(account) == []
    assert await rows("select status, outcome ->> 'reason' as reason from orders where type = 'STOP_LOSS'") == [
        {"status": "CANCELLED", "reason": "CLOSE_DAY"}
    ]
    assert await rows("select reason, status from orders where verb = 'CLOSE' and type = 'MARKET'") == [
        {"reason": "CLOSE_DAY", "status": "FILLED"}
    ]
    assert await value("select status from challenges where id = $1", challenge) == 1
    refused = await act(account, "OPEN", action_id="a2", quantity="1000")
    assert refused.refusal and refused.refusal.code == "ACCOUNT_NOT_OPEN"
    await world.quote("1.0")  # the paused day runs into no other limit
    assert await rows("select rule, consequence from breaches") == [
        {"rule": "MAX_DAILY_LOSS", "consequence": "CLOSE_DAY"}
    ]
    await events.stamp()
    paused = "select payload ->> 'consequence' from events where name = 'prop.challenge.paused'"
    assert await value(paused) == "CLOSE_DAY"
    await world.quote("1.0", after=DAY)
    opened = await act(account, "OPEN", action_id="a3", quantity="1000")
    assert opened.status == "EXECUTED"
    await world.quote("1.0")
    assert await _open(account) == ["EURUSD"]
    await books_hold()


async def test_what_has_no_fresh_quote_is_closed_at_the_first_and_what_was_opened_since_stays(
    database: str,
) -> None:
    world = await a_world(database, steps=[CLOSING], policy=FREE, symbols=2)
    _, account = await world.buy()
    for symbol in world.symbols:
        await act(account, "OPEN", action_id=symbol, symbol=symbol, quantity="100000")
    await _quotes(world, timedelta(minutes=5), EURUSD="1.089")
    assert await _open(account) == ["XX01USD"]
    assert await value("select outcome from jobs where kind = 'close_day'") == "waits for quotes: XX01USD"
    await _quotes(world, DAY, EURUSD="1.089")
    await act(account, "OPEN", action_id="next", quantity="1000")
    await _quotes(world, timedelta(minutes=1), EURUSD="1.09", XX01USD="1.1")
    assert await _open(account) == ["EURUSD"]
    assert await rows("select status from jobs where kind = 'close_day'") == [{"status": "DONE"}]
    await books_hold()


async def test_a_closing_that_is_killed_is_done_once_all_the_same(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(work: UnitOfWork, job: Job) -> str:
        await closing.close_day(work, job)
        raise RuntimeError

    world = await a_world(database, steps=[CLOSING], policy=FREE)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    with monkeypatch.context() as patch:
        patch.setitem(work_queue.HANDLERS, "close_day", killed)
        await world.quote("1.089")
    assert await _open(account) == ["EURUSD"]
    await value("update jobs set due_at = now() where kind = 'close_day' returning id")
    await settle()
    assert await _open(account) == []
    assert await value("select count(*) from fills") == 2
    await books_hold()


async def test_a_position_that_a_void_opens_again_is_closed_again(database: str) -> None:
    world = await a_world(database, steps=[CLOSING], policy=FREE)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.089")
    closed: int = await value("select max(seq) from fills")
    await corrections.void_fills(MANAGER, [(account, closed)], "a bad tick")
    assert await _open(account) == ["EURUSD"]
    await settle()
    assert await _open(account) == []
    await books_hold()
    await value("update positions set status = 'OPEN', quantity = 1, closed_at = null returning seq")
    found = await verify.check_books()
    assert any("no job closes it" in violation.message for violation in found)


async def test_what_the_closing_costs_is_judged(database: str) -> None:
    """The fees of opening close the day; those of closing are more than what is left in all."""
    costly: dict[str, Any] = FREE | {"fee_bps": Decimal(100)}
    world = await a_world(database, steps=[replace(CLOSING, max_total_loss_pct=Decimal(4))], policy=costly)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="200000")  # 2,200 of fees
    await world.quote("1.0999")
    assert await _open(account) == []
    assert await rows("select rule, consequence from breaches order by id") == [
        {"rule": "MAX_DAILY_LOSS", "consequence": "CLOSE_DAY"},
        {"rule": "MAX_TOTAL_LOSS", "consequence": "FAIL"},
    ]
    assert await value("select status from challenges where id = $1", challenge) == 3
    await books_hold()
