"""The worker queue: each effect exactly once, whatever dies in between; what cannot be done is visible."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg
import pytest

from domain.errors import Forbidden, InvalidTransition, Locked, NotFound
from models import jobs as stored
from services import purchases, quotes
from services.jobs import work_queue
from services.jobs.job import Job
from services.principals import Principal, Role
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork
from tests.services.world import (
    CLIENT,
    EVALUATION,
    FUNDED,
    MANAGER,
    a_quote,
    a_world,
    act,
    another_process,
    books_hold,
    changed,
    hurry,
    kill_connections,
    plant_a_breach,
    rows,
    settle,
    value,
)

Fault = Callable[[UnitOfWork], Awaitable[None]]


def fails(monkeypatch: pytest.MonkeyPatch, kind: str, fault: Fault, *, times: int) -> None:
    """Let each job of the kind be done, all but its commit, and then fail, so many times."""
    handle, failed = work_queue.HANDLERS[kind], dict[int, int]()

    async def failing(work: UnitOfWork, job: Job) -> str:
        outcome = await handle(work, job)
        failed[job.id] = failed.get(job.id, 0) + 1
        if failed[job.id] <= times:
            await work.flush()
            await fault(work)
        return outcome

    monkeypatch.setitem(work_queue.HANDLERS, kind, failing)


async def crash(_: UnitOfWork) -> None:
    raise RuntimeError("the worker died")


async def busy(_: UnitOfWork) -> None:
    raise Locked


async def full(_: UnitOfWork) -> None:
    raise asyncpg.DiskFullError("could not extend file: No space left on device")


async def persist() -> None:
    """Do the jobs however often they fail."""
    while await value("select exists (select from jobs where status = 'QUEUED' and waits_for_batch is null)"):
        await hurry()
        await settle()


@pytest.mark.parametrize("way", ["raises", "loses its connection"])
async def test_each_effect_happens_once_though_every_handler_fails_after_its_work(
    database: str, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    async def kill(work: UnitOfWork) -> None:
        await kill_connections(database)
        await work.conn.execute("select 1")

    for kind in work_queue.HANDLERS:
        fails(monkeypatch, kind, crash if way == "raises" else kill, times=1)
    world = await a_world(database, steps=[EVALUATION, changed(FUNDED, duration_days=1)])
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    await persist()
    for phase, later in enumerate((timedelta(minutes=1), timedelta(days=1))):
        account = await world.account(challenge)
        await act(account, "OPEN", action_id=f"a{phase}", quantity="1000000")
        world.at += timedelta(minutes=1)
        await quotes.ingest([a_quote("EURUSD", ("1.111", "1.122")[phase], world.at)])
        await act(account, "CLOSE", action_id=f"b{phase}")
        world.at += later
        await quotes.ingest([a_quote("EURUSD", ("1.111", "1.122")[phase], world.at)])
        await settle()
        await persist()

    done = await rows("select kind, status, attempts from jobs order by id")
    assert [job["kind"] for job in done] == [
        "withdraw_fee", "deposit", "start_account", "close_account", "open_next_phase", "close_account", "pay_payout",
    ]  # fmt: skip
    assert {(job["status"], job["attempts"]) for job in done} == {("DONE", 2)}
    assert [row["kind"] for row in await rows("select kind from transfers where amount > 0 order by transfer")] == [
        "TOP_UP", "FEE", "DEPOSIT", "DEPOSIT", "PAYOUT_PROFIT", "PAYOUT_SHARE", "PAYOUT_PROFIT",
    ]  # fmt: skip
    assert await value("select status from challenges") == 2
    await books_hold()


async def test_two_processes_that_drain_at_once_do_every_job_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_queue, "_draining", asyncio.Lock)  # a lock of its own each: what two processes have
    world = await a_world(database, cash=10_000)
    for n in range(6):
        await purchases.buy(CLIENT, world.program, world.wallet, f"k{n}")
    taken = await asyncio.gather(*(work_queue.do_jobs() for _ in range(4)))
    assert sum(taken) >= 18
    assert min(taken) > 0, "they shared the work"
    assert await rows("select status, count(*) as many from jobs group by status") == [{"status": "DONE", "many": 18}]
    assert await value("select cash from wallets where id = $1", world.wallet) == 7_000
    await books_hold()


async def test_a_job_that_was_done_meanwhile_is_not_done_again(database: str) -> None:
    world = await a_world(database)
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    job = await work_queue._take()  # noqa: SLF001 - the moment between taking and doing
    assert job
    await settle()
    before = await rows("select * from jobs order by id")
    await work_queue._attempt(job)  # noqa: SLF001
    assert await rows("select * from jobs order by id") == before
    assert challenge == job.challenge_id


async def test_jobs_are_done_oldest_first_and_each_in_a_commit_of_its_own(database: str) -> None:
    world = await a_world(database)
    for key in ("k1", "k2"):
        await purchases.buy(CLIENT, world.program, world.wallet, key)
    await work_queue.do_jobs()
    order = await rows("select kind, challenge_id from jobs order by done_at")
    assert [(row["kind"], row["challenge_id"]) for row in order] == [
        (kind, challenge) for kind in ("withdraw_fee", "deposit", "start_account") for challenge in (1, 2)
    ]


@pytest.mark.parametrize(
    ("kind", "cash", "status"), [("withdraw_fee", 2000, 0), ("deposit", 1500, 1), ("start_account", 1500, 2)]
)
async def test_ten_failures_end_dead_and_the_purchase_failed(
    database: str, monkeypatch: pytest.MonkeyPatch, kind: str, cash: int, status: int
) -> None:
    fails(monkeypatch, kind, crash, times=99)
    world = await a_world(database)
    purchase, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    await settle()
    waits = []
    for attempt in range(1, 10):
        [job] = await rows("select id, status, attempts, outcome, due_at - clock_timestamp() as wait from jobs "
                           "where kind = $1", kind)  # fmt: skip
        assert (job["status"], job["attempts"]) == ("QUEUED", attempt)
        waits.append(job["wait"])
        assert await value("select status from purchases where id = $1", purchase) == status
        await hurry()
        await settle()
    assert waits == sorted(waits)
    assert waits[-1] > timedelta(minutes=1), "ever more rarely"

    [job] = await rows("select id, status, attempts, outcome from jobs where kind = $1", kind)
    assert (job["status"], job["attempts"], job["outcome"]) == ("DEAD", 10, "RuntimeError: the worker died")
    assert await rows("select status, failure_reason, failure_shown from purchases") == [
        {
            "status": 4,
            "failure_reason": "RuntimeError: the worker died",
            "failure_shown": "The challenge could not be activated.",
        }
    ]
    assert await value("select status from challenges") == await value("select status from challenge_phases") == 4
    assert await value("select status from accounts") == "LOCKED"
    assert await rows("select cash, reserved from wallets where id = $1", world.wallet) == [
        {"cash": cash, "reserved": 0}
    ]
    names = await rows("select name from outbox where challenge_id = $1 order by id", challenge)
    assert [row["name"] for row in names][-2:] == ["prop.purchase.failed", "prop.challenge.cancelled"]
    await books_hold()

    monkeypatch.undo()
    await work_queue.retry(MANAGER, job["id"])
    await settle()
    [job] = await rows("select status, outcome from jobs where kind = $1", kind)
    assert job["status"] == "DONE"
    assert "FAILED" in job["outcome"], "its cause is gone"
    await books_hold()


async def test_only_a_dead_job_of_ones_brand_can_be_queued_again(database: str) -> None:
    world = await a_world(database)
    await world.buy()
    async with another_process(database) as other:
        await other.execute("update jobs set status = 'DEAD', attempts = 10, outcome = 'x' where kind = 'deposit'")
    job: int = await value("select id from jobs where kind = 'deposit'")
    with pytest.raises(NotFound):
        await work_queue.retry(Principal(9, "m", Role.MANAGER, "other"), job)
    with pytest.raises(InvalidTransition):
        await work_queue.retry(MANAGER, job + 1)
    with pytest.raises(Forbidden):
        await work_queue.retry(CLIENT, job)
    await work_queue.retry(MANAGER, job)
    assert await rows("select status, attempts, outcome from jobs where kind = 'deposit'") == [
        {"status": "QUEUED", "attempts": 0, "outcome": None}
    ]


@pytest.mark.parametrize("trouble", [busy, full])
async def test_a_desk_that_is_busy_or_has_no_disk_uses_up_no_attempt(
    database: str, monkeypatch: pytest.MonkeyPatch, trouble: Fault
) -> None:
    fails(monkeypatch, "withdraw_fee", trouble, times=15)
    world = await a_world(database)
    await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    for _ in range(15):
        await hurry()
        await settle()
    assert await value("select attempts from jobs where kind = 'withdraw_fee'") == 0
    await hurry()
    await settle()
    assert await value("select status from purchases") == 3


async def test_a_job_that_kills_its_worker_each_time_ends_dead(database: str) -> None:
    world = await a_world(database)
    await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    for _ in range(work_queue.ATTEMPTS_MAX):
        async with read_connection() as conn:
            assert await stored.take_job(conn)  # and then nothing more is heard of its worker
    await settle()
    assert await rows("select status, outcome from jobs") == [
        {"status": "DEAD", "outcome": "its worker died at each attempt"}
    ]
    assert await value("select status from purchases") == 4


async def test_a_job_on_an_account_that_cannot_be_caught_up_ends_dead_and_the_others_are_done(database: str) -> None:
    world = await a_world(database)
    challenge, _ = await world.buy()
    await plant_a_breach(database, challenge)
    async with root_transaction(LockRoot.of_challenge(challenge)) as work:
        work.enqueue("close_account", brand="acme", challenge_id=challenge, account_id=await _account(work, challenge))
    await act(await world.account(challenge), "OPEN", action_id="a1", quantity="1000000")
    await quotes.ingest([a_quote("EURUSD", "1.09", world.at)])
    _, other = await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    for _ in range(work_queue.ATTEMPTS_MAX + 1):
        await hurry()
        await work_queue.do_jobs()
    assert await value("select status from jobs where kind = 'close_account'") == "DEAD"
    assert await value("select status from accounts where challenge_id = $1", other) == "ACTIVE"


async def _account(work: UnitOfWork, challenge: int) -> int:
    found: int = await work.conn.fetchval("select account_id from challenges where id = $1", challenge)
    return found
