"""Calling a challenge off: by hand, beside a verdict, with positions that wait for quotes, before it has begun."""

import asyncio
from datetime import timedelta

import pytest

from domain.errors import Forbidden, InvalidInput, InvalidTransition, NotFound
from services import challenges, events, purchases, quotes
from services.columnar import passes
from services.jobs import work_queue
from services.jobs.job import Job
from services.principals import Principal, Role
from services.unit_of_work.unit import UnitOfWork
from tests.services.world import (
    CLIENT,
    MANAGER,
    World,
    a_quote,
    a_world,
    act,
    books_hold,
    elsewhere,
    hurry,
    kill_connections,
    rows,
    settle,
    value,
)

STRANGER = Principal(9, "m", Role.MANAGER, "other")


async def _statuses(challenge: int) -> tuple[int, int, str]:
    """Of the challenge, its newest phase, and its account."""
    [row] = await rows(
        """select c.status, p.status as phase, a.status as account from challenges c
        join accounts a on a.id = c.account_id join challenge_phases p on p.account_id = a.id where c.id = $1""",
        challenge,
    )
    return row["status"], row["phase"], row["account"]


async def test_a_cancelled_challenge_is_locked_and_its_positions_close_at_the_first_fresh_quotes(
    database: str,
) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000")
    world.at += timedelta(minutes=30)  # the quote of the position is too old by then
    await quotes.ingest([a_quote("GBPUSD", "1.3", world.at)])
    await challenges.cancel_challenge(MANAGER, challenge, "asked for by the client")
    await settle()
    assert await _statuses(challenge) == (4, 4, "LOCKED")
    [last] = await rows("select number, closed, traded, balance, equity from days")
    assert (last["number"], last["closed"], last["traded"]) == (1, True, True), "its last day ends like any other's"
    assert await rows("select balance, equity from metrics order by market_time desc limit 1") == [
        {"balance": last["balance"], "equity": last["equity"]}
    ]
    [job] = await rows("select kind, status, outcome from jobs where kind = 'close_positions'")
    assert job["status"] == "QUEUED" and "EURUSD" in job["outcome"]
    refused = await act(account, "OPEN", action_id="a2", quantity="1000", side="SHORT")
    assert refused.refusal and refused.refusal.code == "ACCOUNT_NOT_OPEN"

    await world.quote("1.2")
    assert await value("select status from jobs where kind = 'close_positions'") == "DONE"
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    assert await value("select live from balances where account_id = $1", account) is False
    assert await rows("select ended_at is null as open, end_reason from challenges") == [
        {"open": False, "end_reason": "CANCELLED"}
    ]
    [told] = await rows("select payload::text from outbox where name = 'prop.challenge.cancelled'")
    assert '"reason": "The firm called the challenge off."' in told["payload"]
    [audited] = await rows("select actor, reason, object_id from audit where operation = 'cancelChallenge'")
    assert audited == {"actor": MANAGER.actor, "reason": "asked for by the client", "object_id": str(challenge)}
    assert await value("select status from purchases") == 3, "it was delivered; the fee can be refunded"
    await books_hold()


@pytest.mark.parametrize("jobs_done", [0, 1, 2])
async def test_cancelled_before_it_has_begun_its_purchase_fails(database: str, jobs_done: int) -> None:
    world = await a_world(database)
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    for _ in range(jobs_done):
        job = await work_queue._take()  # noqa: SLF001 - one at a time
        assert job
        await work_queue._attempt(job)  # noqa: SLF001
    await challenges.cancel_challenge(MANAGER, challenge, "a mistake")
    await settle()
    assert await _statuses(challenge) == (4, 4, "LOCKED")
    assert await rows("select status, failure_reason, failure_shown from purchases") == [
        {"status": 4, "failure_reason": "a mistake", "failure_shown": "The firm called the challenge off."}
    ]
    cash = 1500 if jobs_done else 2000
    assert await rows("select cash, reserved from wallets where id = $1", world.wallet) == [
        {"cash": cash, "reserved": 0}
    ]
    assert await value("select count(*) from jobs where status <> 'DONE'") == 0
    assert await value("select count(*) from transfers where kind = 'DEPOSIT'") == (2 if jobs_done > 1 else 0)
    await books_hold()


async def test_a_verdict_that_was_due_goes_before_the_cancelling(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.09", world.at)])  # beyond the limit; nobody has looked yet
    with pytest.raises(InvalidTransition) as refused:
        await challenges.cancel_challenge(MANAGER, challenge, "too late")
    assert refused.value.facts["current"] == "FAILED"
    await settle()
    assert (await _statuses(challenge))[:2] == (3, 3)
    assert await value("select count(*) from audit where operation = 'cancelChallenge'") == 0
    await books_hold()


async def test_a_phase_passed_in_the_same_moment_is_kept_and_the_challenge_cancelled(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.111", world.at)])
    await act(account, "CLOSE", action_id="a2")  # the target is reached; the next phase is owed
    await challenges.cancel_challenge(MANAGER, challenge, "enough")
    await settle()
    assert await rows("select status, phase_index, end_reason from challenge_phases order by phase_index") == [
        {"status": 2, "phase_index": 1, "end_reason": "PROFIT_TARGET"},
        {"status": 4, "phase_index": 2, "end_reason": "CANCELLED"},
    ]
    assert await value("select status from challenges") == 4
    assert await value("select status from accounts where id = $1", account) == "COMPLETED"
    await books_hold()


async def test_of_many_who_cancel_while_it_breaches_one_verdict_stands(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    world.at += timedelta(minutes=1)
    ends = await asyncio.gather(
        quotes.ingest([a_quote("EURUSD", "1.09", world.at)]),
        *(elsewhere(challenges.cancel_challenge(MANAGER, challenge, f"no. {n}")) for n in range(5)),
        elsewhere(passes.mark_shard(0)),
        return_exceptions=True,
    )
    await settle()
    await hurry()
    await settle()
    cancelled = [end for end in ends[1:6] if end is None]
    status = await value("select status from challenges")
    assert (status, len(cancelled)) in {(3, 0), (4, 1)}
    assert {type(end) for end in ends[1:6]} <= {InvalidTransition, type(None)}
    told = "select count(*) from outbox where name in ('prop.challenge.failed', 'prop.challenge.cancelled')"
    assert await value(told) == 1
    await books_hold()


async def test_a_worker_killed_while_it_closes_positions_closes_them_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000")
    close, killed = work_queue.HANDLERS["close_positions"], list[int]()

    async def killed_once(work: UnitOfWork, job: Job) -> str:
        outcome = await close(work, job)
        if not killed:
            killed.append(job.id)
            await work.flush()
            await kill_connections(database)
            await work.conn.execute("select 1")
        return outcome

    monkeypatch.setitem(work_queue.HANDLERS, "close_positions", killed_once)
    await challenges.cancel_challenge(MANAGER, challenge, "enough")
    await settle()
    await hurry()
    await settle()
    assert killed and await value("select attempts from jobs where kind = 'close_positions'") == 2
    assert await value("select count(*) from fills where account_id = $1", account) == 2
    await books_hold()


async def test_only_the_brands_managers_cancel_and_they_say_why(database: str) -> None:
    world: World = await a_world(database)
    challenge, _ = await world.buy()
    for who, target, why, refusal in (
        (CLIENT, challenge, "x", Forbidden),
        (STRANGER, challenge, "x", NotFound),
        (MANAGER, challenge + 1, "x", NotFound),
        (MANAGER, challenge, " ", InvalidInput),
        (MANAGER, challenge, "x" * 501, InvalidInput),
    ):
        with pytest.raises(refusal):
            await challenges.cancel_challenge(who, target, why)
    await challenges.cancel_challenge(MANAGER, challenge, "x")
    with pytest.raises(InvalidTransition):
        await challenges.cancel_challenge(MANAGER, challenge, "again")
    await events.stamp()
    await books_hold()
