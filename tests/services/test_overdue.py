"""What the actors rely on: a busy shard takes turns, and accounts that were left behind are marked."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from config import wakeups
from config.database import connection
from services import marking, quotes, system
from services.columnar import passes
from services.jobs import work_queue
from tests.services.world import World, a_quote, a_world, act, value


async def _ingest(world: World, **mids: str) -> None:
    world.at += timedelta(seconds=10)
    await quotes.ingest([a_quote(symbol, mid, world.at) for symbol, mid in mids.items()])


async def _equity(account: int) -> Decimal:
    found: Decimal = await value("select equity from balances where account_id = $1", account)
    return found


async def test_a_pass_stops_when_its_time_is_over_and_is_asked_for_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(wakeups, "request", lambda *what: asked.append(what))
    world = await a_world(database)
    await world.buy("k1")
    for mid in ("1.101", "1.102", "1.103"):
        await _ingest(world, EURUSD=mid)
    asked.clear()
    assert [await passes.mark_shard(0, seconds=0) for _ in range(3)] == [1, 1, 1]
    assert asked == [("evaluator",)] * 3
    assert (await passes.mark_shard(0), await work_queue.do_jobs(seconds=0)) == (0, 0)
    assert (await system.read_state()).evaluated_through == 4


async def test_accounts_that_were_left_behind_are_marked_hours_later(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy("k1")
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await _ingest(world, EURUSD="1.101")
    assert await marking.mark_all(behind=marking.OVERDUE) == marking.Marked(accounts=0, failed=0)
    async with connection(database) as owner:
        await owner.execute("update batches set recorded_at = recorded_at - interval '3 hours'")
    assert await marking.mark_all(behind=marking.OVERDUE) == marking.Marked(accounts=1, failed=0)
    assert await _equity(account) == 99_990
    assert await marking.mark_all(behind=marking.OVERDUE) == marking.Marked(accounts=0, failed=0)
