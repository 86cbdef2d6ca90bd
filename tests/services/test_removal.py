"""Deleting a program: everything sold of it goes at once; what must stay stays, and is still right."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import Forbidden, NotFound, PayoutOpen, ProgramNotAvailable
from models.columnar import marks as stored
from services import events, program_deletion, programs, purchases, quarantine, quotes
from services.columnar import passes
from services.jobs import work_queue
from services.principals import Principal, Role
from services.unit_of_work.openings import catch_up_many, transaction
from services.views.events import EventFilter, missed_events
from tests.services.world import (
    CLIENT,
    EVALUATION,
    FUNDED,
    MANAGER,
    TRADER,
    World,
    a_quote,
    a_world,
    act,
    another_process,
    books_hold,
    changed,
    elsewhere,
    hurry,
    rows,
    settle,
    totals,
    value,
)

STRANGER = Principal(9, "m", Role.MANAGER, "other")
GOES = {
    "programs", "program_phases", "purchases", "challenges", "challenge_phases", "days", "breaches", "metrics",
}  # fmt: skip
STAYS = {"accounts", "balances", "ledger", "transfers", "payouts", "orders", "fills", "positions", "terms", "wallets"}


async def _a_sold_program(url: str) -> tuple[World, dict[str, int]]:
    """One challenge failed, one passed and paid, one trading with an open position, one just bought; by account."""
    world = await a_world(url, cash=5_000, steps=[EVALUATION, changed(FUNDED, duration_days=1)])
    _, failed = await world.buy("fails")
    await act(failed, "OPEN", action_id="f1", quantity="1000000")
    await world.quote("1.09000")
    challenge, passing = await world.buy("passes")
    await act(passing, "OPEN", action_id="p1", quantity="1000000")
    await world.quote("1.10100")
    await act(passing, "CLOSE", action_id="p2")
    await world.quote("1.10110")
    funded = await world.account(challenge)
    await act(funded, "OPEN", action_id="g1", quantity="1000000")
    await world.quote("1.10500")
    await act(funded, "CLOSE", action_id="g2")
    await world.quote("1.10500", after=timedelta(days=2))
    _, trading = await world.buy("trades")
    await act(trading, "OPEN", action_id="t1", quantity="300000")
    await purchases.buy(CLIENT, world.program, world.wallet, "just bought")
    return world, {"failed": failed, "passed": passing, "funded": funded, "trading": trading}


async def _look() -> None:
    """Some task of this process reads what is new on the tape."""
    async with transaction():
        pass


async def test_all_that_was_sold_goes_in_one_transaction_and_the_rest_stays_right(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    world, accounts = await _a_sold_program(database)
    before = await totals()
    assert all(before[table] for table in GOES | STAYS), before
    with caplog.at_level("INFO", logger="services.program_deletion"):
        counters = await program_deletion.delete_program(MANAGER, world.program, "discontinued")
    assert str(counters) in caplog.text
    assert counters == {name: before[name] for name in GOES - {"program_phases"}} | {
        "phases": before["program_phases"], "cancelled": 2, "metrics": before["metrics"] + 1,
    }  # fmt: skip
    after = await totals()
    assert {table for table in GOES if after[table]} == set()
    assert {table: after[table] for table in STAYS - {"ledger"}} == {t: before[t] for t in STAYS - {"ledger"}}
    assert await value("select reserved from wallets where id = $1", world.wallet) == 0
    await books_hold()

    job = await rows("select challenge_id, account_id from jobs where status = 'QUEUED'")
    assert job == [{"challenge_id": None, "account_id": accounts["trading"]}]
    await world.quote("1.10400")
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    statuses = {row["id"]: row["status"] for row in await rows("select id, status from accounts")}
    assert statuses[accounts["trading"]] == "LOCKED" and statuses[accounts["funded"]] == "COMPLETED"
    await events.stamp()
    await books_hold()


async def test_program_and_verdicts_are_kept(database: str) -> None:
    world, accounts = await _a_sold_program(database)
    [breach] = await rows("""select rule, trim_scale(floor)::text as floor, ledger_seq,
      encode(ledger_hash, 'hex') as ledger_hash, terms_hash from breaches""")
    await program_deletion.delete_program(MANAGER, world.program, "discontinued")
    [audited] = await rows("select * from audit where operation = 'deleteProgram'")
    assert (audited["reason"], audited["object_id"]) == ("discontinued", str(world.program))
    program = json.loads(audited["before"])["program"]
    assert program["name"] == "Two phases" and len(program["steps"]) == 2
    sales: list[Any] = [json.loads(row["body"]) for row in await rows("select body from removed_sales")]
    told = {sale["challenge"]["status"]: sale["challenge"] for sale in sales}
    assert [found["rule"] for found in told["FAILED"]["breaches"]] == [breach["rule"]]
    kept = told["FAILED"]["breaches"][0]
    assert {name: kept[name] for name in breach} == breach and kept["derivation"]["counted_from"] == "100000"
    assert [phase["account_id"] for phase in told["PASSED"]["phases"]] == [accounts["passed"], accounts["funded"]]
    assert await value("select count(*) from terms where hash = $1", breach["terms_hash"]) == 1
    assert {sale["purchase"]["status"] for sale in sales} == {"ACTIVE", "FAILED"}


async def test_the_client_is_told_though_its_challenge_is_gone(database: str) -> None:
    world = await a_world(database)
    challenge, _ = await world.buy()
    await events.stamp()
    await program_deletion.delete_program(MANAGER, world.program, "discontinued")
    await events.stamp()
    told = await missed_events(CLIENT, EventFilter(client="alice"), 0, 10**9, 100)
    assert [(event.name, event.challenge_id) for event in told][-1] == ("prop.challenge.cancelled", challenge)
    bob = Principal(8, "app", Role.CLIENT, "acme", "bob")
    assert await missed_events(bob, EventFilter(), 0, 10**9, 100) == []
    await books_hold()


async def test_it_is_refused_while_a_payout_is_open_or_still_to_be_written(database: str) -> None:
    world, accounts = await _a_sold_program(database)
    before = await totals()
    async with another_process(database) as other:
        await other.execute("update payouts set status = 'APPROVED', paid_at = null")
    with pytest.raises(PayoutOpen):
        await program_deletion.delete_program(MANAGER, world.program, "x")
    async with another_process(database) as other:
        await other.execute("update payouts set status = 'PAID', paid_at = now()")
        await other.execute("update accounts set ended_at = null where id = $1", accounts["funded"])
    with pytest.raises(PayoutOpen):
        await program_deletion.delete_program(MANAGER, world.program, "x")
    assert await totals() == before


async def test_only_the_brands_managers_delete(database: str) -> None:
    world = await a_world(database)
    for who, target, refusal in (
        (CLIENT, world.program, Forbidden),
        (TRADER, world.program, Forbidden),
        (STRANGER, world.program, NotFound),
        (MANAGER, world.program + 1, NotFound),
    ):
        with pytest.raises(refusal):
            await program_deletion.delete_program(who, target, "x")
    assert (await program_deletion.delete_program(MANAGER, world.program, "x"))["programs"] == 1
    with pytest.raises(NotFound):
        await program_deletion.delete_program(MANAGER, world.program, "again")
    await books_hold()


async def test_beside_sales_each_is_sold_and_deleted_or_refused(database: str) -> None:
    world = await a_world(database, cash=50_000)
    ends = await asyncio.gather(
        *(elsewhere(purchases.buy(CLIENT, world.program, world.wallet, f"k{n}")) for n in range(6)),
        elsewhere(program_deletion.delete_program(MANAGER, world.program, "x")),
        *(elsewhere(purchases.buy(CLIENT, world.program, world.wallet, f"l{n}")) for n in range(6)),
        elsewhere(work_queue.do_jobs()),
        return_exceptions=True,
    )
    sales, deleted = [*ends[:6], *ends[7:13]], ends[6]
    assert {type(end) for end in sales} <= {tuple, NotFound, ProgramNotAvailable}
    assert isinstance(deleted, dict), deleted
    assert deleted["purchases"] == sum(isinstance(end, tuple) for end in sales)
    await settle()
    assert await value("select count(*) from challenges") + await value("select count(*) from programs") == 0
    assert await value("select count(*) from jobs where status <> 'DONE'") == 0
    assert await value("select reserved from wallets where id = $1", world.wallet) == 0
    await books_hold()


async def test_a_job_taken_before_and_the_marker_beside_it_find_it_gone(database: str) -> None:
    world = await a_world(database)
    _, trading = await world.buy("k1")
    await act(trading, "OPEN", action_id="t1", quantity="1000")
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    taken = await work_queue._take()  # noqa: SLF001 - the moment between taking and doing
    assert taken and taken.challenge_id == challenge
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.2", world.at)])
    await asyncio.gather(
        elsewhere(passes.mark_shard(0)), elsewhere(program_deletion.delete_program(MANAGER, world.program, "x"))
    )
    await work_queue._attempt(taken)  # noqa: SLF001
    assert await rows("select status, outcome from jobs where id = $1", taken.id) == [
        {"status": "DONE", "outcome": program_deletion.OUTCOME}
    ]
    async with another_process(database) as other:  # a worker that died before the deletion, found dead after it
        await other.execute("update jobs set status = 'DEAD' where id = $1", taken.id)
    await work_queue.retry(MANAGER, taken.id)
    await hurry()
    await settle()
    assert await value("select outcome from jobs where id = $1", taken.id) == "its challenge has been deleted"
    await world.quote("1.21")
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    await books_hold()


async def test_an_account_whose_program_goes_between_the_markers_look_and_its_sweep_is_left_behind_by_no_batch(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="t1", quantity="1000000")
    await passes.mark_shard(0)
    held = passes._markers().setdefault(0, passes.Marker(0))  # noqa: SLF001 - the moment is inside
    touched = stored.touched_accounts

    async def deleted_behind_its_back(*args: Any) -> Any:
        found = await touched(*args)
        monkeypatch.setattr(stored, "touched_accounts", touched)
        await elsewhere(program_deletion.delete_program(MANAGER, world.program, "x"))
        world.at += timedelta(minutes=1)
        await quotes.ingest([a_quote("EURUSD", "1.09", world.at)])  # what its rules would not bear
        await elsewhere(_look())
        return found

    swept: list[Any] = []

    def noted(roots: Any, **kwargs: Any) -> Any:
        swept.append(list(roots))
        return catch_up_many(roots, **kwargs)

    monkeypatch.setattr(stored, "touched_accounts", deleted_behind_its_back)
    monkeypatch.setattr(quarantine, "catch_up_many", noted)
    await passes.mark_shard(0)
    assert [[root.challenge for root in roots] for roots in swept] == [[1], [None]], "the first locked nothing"
    assert await rows("select marked_through, equity from balances where account_id = $1", account) == [
        {"marked_through": 2, "equity": Decimal(88_900)}
    ]
    assert held.book is not None and not held.waiting
    await world.quote("1.085")
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    await books_hold()


async def test_a_program_that_was_edited_is_deleted_with_what_was_sold_before(database: str) -> None:
    world = await a_world(database)
    await world.buy("k1")
    await programs.update_program(MANAGER, world.program, expected_version=2, changes={"steps": (EVALUATION,)})
    await world.buy("k2")
    counters = await program_deletion.delete_program(MANAGER, world.program, "x")
    assert (counters["phases"], counters["challenges"], counters["cancelled"]) == (1, 2, 2)
    assert len(await rows("select distinct body::jsonb #> '{purchase,terms_hash}' from removed_sales")) == 2
    await books_hold()
