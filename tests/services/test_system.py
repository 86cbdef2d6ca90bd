"""The state of the desk: evaluated batches, the backlog, heartbeats."""

import pytest

from services import purchases, quotes, system
from services.columnar import passes
from services.jobs import work_queue
from tests.services.world import CLIENT, a_quote, a_world, hurry, settle, value


async def test_batches_are_evaluated_when_their_passes_and_jobs_are_done(database: str) -> None:
    world = await a_world(database)
    state = await system.read_state()
    assert (state.mode, state.newest_batch, state.market_time) == ("REPLAY", 1, world.at)
    assert state.evaluated_through == 1, "an empty shard has judged what there is"

    await quotes.ingest([a_quote("EURUSD", "1.1", world.at)])
    assert (await system.read_state()).evaluated_through == 1
    await passes.mark_shard(0)
    assert (await system.read_state()).evaluated_through == 2

    await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    state = await system.read_state()
    assert (state.evaluated_through, state.queue_depth) == (1, 1)
    await settle()
    state = await system.read_state()
    assert (state.evaluated_through, state.queue_depth) == (2, 0)


async def test_quotes_that_came_before_the_first_worker_are_evaluated_by_it(database: str) -> None:
    world = await a_world(database)
    await quotes.ingest([a_quote("EURUSD", "1.1", world.at)])
    await passes.Marker(0).drain()  # a new process: nobody has anything to be marked
    assert (await system.read_state()).evaluated_through == 2


async def test_a_job_that_failed_holds_its_batch_up_and_a_dead_one_does_not(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> str:
        raise RuntimeError

    monkeypatch.setitem(work_queue.HANDLERS, "deposit", failing)
    world = await a_world(database)
    await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    await settle()
    state = await system.read_state()
    assert (state.evaluated_through, state.queue_depth, state.dead_jobs) == (0, 1, 0)
    while await value("select exists (select from jobs where status = 'QUEUED')"):
        await hurry()
        await settle()
    state = await system.read_state()
    assert (state.evaluated_through, state.queue_depth, state.dead_jobs) == (1, 0, 1)


async def test_what_was_dropped_is_shown_by_symbol_and_reason(database: str) -> None:
    world = await a_world(database)
    await quotes.ingest([a_quote("NOSUCH", "1", world.at), a_quote("EURUSD", "-1", world.at)])
    shown = (await system.read_state()).dropped
    assert [(row["symbol"], row["reason"], row["count"]) for row in shown] == [
        ("EURUSD", "NOT_POSITIVE", 1),
        ("NOSUCH", "UNKNOWN_SYMBOL", 1),
    ]
