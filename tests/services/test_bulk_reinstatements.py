"""Many verdicts set aside together: one job after the other, resumable, with a result for each challenge."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import Forbidden, IdempotencyConflict, InvalidInput
from domain.voids import Span
from services import brands, bulk_reinstatements, program_deletion
from services.jobs import work_queue
from services.jobs.job import Job
from services.principals import Principal
from services.unit_of_work.unit import UnitOfWork
from tests.services.bad_prints import STRANGER, bad_print, reinstate, void
from tests.services.winners import FREE
from tests.services.world import ADMIN, CLIENT, MANAGER, World, a_world, act, books_hold, hurry, rows, settle, value

RESULTS = "select challenge_id, outcome, code from bulk_results order by challenge_id"


async def a_crowd(database: str, many: int = 4) -> tuple[World, list[int], Span]:
    """Challenges that one bad print failed, and a last one that good quotes fail as well."""
    world = await a_world(database, policy=FREE, cash=5_000)
    challenges = []
    for n in range(many):
        challenge, account = await world.buy(f"k{n}")
        await act(account, "OPEN", action_id="a1", quantity="100000" if n < many - 1 else "1000000")
        challenges.append(challenge)
    await world.quote("1.10100")
    span = await bad_print(world)
    await world.quote("1.10200", after=timedelta(0))
    return world, challenges, span


async def order(span: Span, key: str = "b1", by: Principal = MANAGER) -> int:
    return await bulk_reinstatements.order_reinstatements(by, span, "a bad print", key, "a bad print")


async def results() -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await rows(RESULTS)]


async def test_all_that_were_hit_go_on_and_the_order_is_given_once(database: str) -> None:
    _, challenges, span = await a_crowd(database)
    await void(span)
    bulk = await order(span)
    assert await results() == [(one, "PENDING", None) for one in challenges]
    assert await value("select count(*) from jobs where kind = 'reinstate'") == 1, "one after the other"
    assert await order(span) == bulk
    with pytest.raises(IdempotencyConflict):
        await bulk_reinstatements.order_reinstatements(MANAGER, span, "another reason", "b1")
    await settle()
    assert await results() == [(one, "REINSTATED", None) for one in challenges]
    statuses = await rows("select status, current_phase_index from challenges")
    assert [tuple(row.values()) for row in statuses] == [(1, 1)] * len(challenges)
    actors = await rows("select distinct actor, reason from reinstatements")
    assert [tuple(row.values()) for row in actors] == [("manager:desk", "a bad print")]
    await books_hold()
    again = await order(span, "b2")
    await settle()
    codes = await rows("select code from bulk_results where bulk_id = $1", again)
    assert {row["code"] for row in codes} == {"ALREADY_REINSTATED"}
    assert await value("select count(*) from reinstatements") == len(challenges)


async def test_what_is_refused_is_said_and_stops_nobody(database: str) -> None:
    world = await a_world(database, policy=FREE, cash=5_000)
    failed, first = await world.buy("k1")
    rightly, second = await world.buy("k2")
    await act(first, "OPEN", action_id="a1", quantity="100000")
    await act(second, "OPEN", action_id="a1", quantity="1000000")
    early = await bad_print(world, "1.09800")
    await world.quote("1.09000", after=timedelta(0))  # 10,000 of the second one's 5,000
    late = await bad_print(world)
    await world.quote("1.10000", after=timedelta(0))
    span = Span("EURUSD", early.source_from, late.source_before)
    await void(early)
    await void(late)
    await order(span)
    await settle()
    assert await results() == [(failed, "REINSTATED", None), (rightly, "REFUSED", "STILL_BROKEN")]
    message = await value("select message from bulk_results where code = 'STILL_BROKEN'")
    assert "MAX_DAILY_LOSS" in message
    await books_hold()


async def test_what_was_stopped_goes_on(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies in the middle leaves the others to the next; a job that is given up stops only its own."""
    _, challenges, span = await a_crowd(database)
    await void(span)
    await order(span)
    handle, broken = work_queue.HANDLERS["reinstate"], challenges[1]

    async def failing(work: UnitOfWork, job: Job) -> str:
        outcome = await handle(work, job)
        if job.challenge_id == broken:
            await work.flush()
            raise RuntimeError("the worker died")
        return outcome

    with monkeypatch.context() as patch:
        patch.setitem(work_queue.HANDLERS, "reinstate", failing)
        for _ in range(work_queue.ATTEMPTS_MAX + 1):
            await settle()
            await hurry()
        assert await value("select status from jobs where challenge_id = $1 and kind = 'reinstate'", broken) == "DEAD"
        await bulk_reinstatements.resume_bulks()
        await settle()
    left = [(one, "PENDING" if one == broken else "REINSTATED", None) for one in challenges]
    assert await results() == left
    dead = await value("select id from jobs where challenge_id = $1 and kind = 'reinstate'", broken)
    await work_queue.retry(MANAGER, dead)
    await settle()
    assert await results() == [(one, "REINSTATED", None) for one in challenges]
    await bulk_reinstatements.resume_bulks()
    assert await value("select count(*) from jobs where kind = 'reinstate' and status = 'QUEUED'") == 0
    await books_hold()


async def test_a_challenge_that_is_deleted_meanwhile_stops_nobody(database: str) -> None:
    world, challenges, span = await a_crowd(database, 3)
    await void(span)
    await order(span)
    await program_deletion.delete_program(MANAGER, world.program, "no more")
    await settle()
    await bulk_reinstatements.resume_bulks()
    await settle()
    assert await results() == []
    assert challenges
    await books_hold()


async def test_only_staff_orders_it_for_its_brand_and_for_quotes_that_are_void(database: str) -> None:
    _, challenges, span = await a_crowd(database)
    await brands.save_brand(ADMIN, name="other", title="Other")
    with pytest.raises(Forbidden):
        await order(span, by=CLIENT)
    with pytest.raises(InvalidInput):
        await order(span)
    await void(span)
    await order(span, by=STRANGER)
    assert await results() == []
    await order(span, by=ADMIN)
    await settle()
    assert await results() == [(one, "REINSTATED", None) for one in challenges]
    assert {row["actor"] for row in await rows("select actor from reinstatements")} == {"admin:root"}
    await books_hold()


async def test_one_that_was_set_aside_by_hand_before_is_not_set_aside_twice(database: str) -> None:
    world, challenges, span = await a_crowd(database, 2)
    await void(span)
    await order(span)
    await reinstate(challenges[0])
    new = await world.account(challenges[0])
    await settle()
    assert await results() == [(challenges[0], "REFUSED", "ALREADY_REINSTATED"), (challenges[1], "REINSTATED", None)]
    assert await world.account(challenges[0]) == new
    assert await value("select sum(equity) from balances where account_id = $1", new) > Decimal(100_000)
