"""An account, policy, position, order or job that cannot be read stops nothing else."""

import json
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest

from domain.errors import AccountUnreadable, TermsUnreadable
from domain.lifecycles import ChallengeStatus, PurchaseStatus
from models import quarantine as entries
from models import terms
from services import actions, marking, payments, program_deletion, purchases, quarantine, quotes, refunds, system
from services.checks import verify
from services.columnar import passes
from services.columnar.passes import Marker
from services.jobs import work_queue
from services.unit_of_work.reads import read_connection
from services.unit_of_work.unit import UnitOfWork
from tests.services.world import (
    ADMIN,
    CLIENT,
    MANAGER,
    World,
    a_quote,
    a_world,
    act,
    an_action,
    another_process,
    books_hold,
    hurry,
    rows,
    settle,
    totals,
    value,
)

FAULTS = {
    "policy": ["update accounts set policy = jsonb_set(policy::jsonb, '{later}', '1')::text where id = $1"],
    "terms": [
        """alter table terms disable trigger user""",
        """update terms set body = jsonb_set(body::jsonb, '{phases,0,later}', '1')::text
        where hash = (select terms_hash from challenges where account_id = $1)""",
    ],
    "position": [
        "alter table positions drop constraint positions_side_check",
        "update positions set side = 'BOTH' where account_id = $1",
    ],
    "order": [
        "alter table orders drop constraint orders_type_check",
        """update orders set type = 'TRAILING_STOP'
        where account_id = $1 and status = 'WORKING' and type = 'STOP_LOSS'""",
    ],
    "status": [
        "alter table accounts drop constraint accounts_status_check",
        "update accounts set status = 'FROZEN' where id = $1",
    ],
}


async def spoil(url: str, account: int, what: str) -> None:
    """Let the account be as a newer version would have written it."""
    async with another_process(url) as other:
        for statement in FAULTS[what]:
            await other.execute(statement.replace("$1", str(account)))
        await other.execute("update balances set touched = pg_current_xact_id() where account_id = $1", account)
    terms._kept.clear()  # noqa: SLF001 - as in a process that has just been started


async def two_traders(world: World) -> tuple[int, int]:
    """A challenge that is to be spoilt and a sound one, with terms of their own; both are long with a stop-loss."""
    spoilt, sound = (await world.buy("k1"))[1], (await world.buy("k2"))[1]
    for account in (spoilt, sound):
        opened = await act(account, "OPEN", action_id="a1", quantity="10000", stop_loss="1.05")
        assert opened.fill, opened.refusal
    return spoilt, sound


@pytest.mark.parametrize("begun", [False, True], ids=["a marker that begins", "a marker that runs"])
@pytest.mark.parametrize("what", FAULTS)
async def test_an_account_that_cannot_be_read_stops_none_of_the_others(database: str, what: str, begun: bool) -> None:
    world = await a_world(database)
    spoilt, sound = await two_traders(world)
    if what == "terms":  # of the sale: the other challenge has its own
        async with another_process(database) as other:
            await other.execute(
                """insert into terms (hash, version, body) select 'other', version, body from terms limit 1"""
            )
            await other.execute("update challenges set terms_hash = 'other' where account_id = $1", sound)
    if not begun:
        passes._markers().clear()  # noqa: SLF001 - as after a restart
    await spoil(database, spoilt, what)
    for mid in ("1.09", "1.08", "1.04"):
        await world.quote(mid)
    assert await value("select count(*) from fills where account_id = $1", sound) == 2, "its stop-loss was filled"
    now = await system.read_state()
    assert (now.evaluated_through, now.quarantined) == (now.newest_batch, 1)
    [entry] = now.quarantine
    assert entry.account_id == spoilt
    assert entry.message
    noted = await rows("select seq, facts from ledger where account_id = $1 and kind = 'mark_failed'", spoilt)
    assert [row["seq"] for row in noted] == [entry.seq], "noted once"
    assert json.loads(noted[0]["facts"]) == {"error": entry.error, "message": entry.message}
    assert str(spoilt) in (await system.read_figures()).warnings["accounts"]
    with pytest.raises(AccountUnreadable, match=str(spoilt)):
        await act(spoilt, "CLOSE", action_id="a2")
    violations = await verify.check_books()
    assert {violation.subject for violation in violations} >= {f"account {spoilt}"}
    assert not [violation for violation in violations if str(sound) in violation.subject]


async def test_an_account_leaves_the_quarantine_once_it_has_been_put_right_and_missed_no_batch(database: str) -> None:
    world = await a_world(database)
    spoilt, sound = await two_traders(world)
    policy = await value("select policy from accounts where id = $1", spoilt)
    await spoil(database, spoilt, "policy")
    await world.quote("1.04")
    with pytest.raises(AccountUnreadable):
        await marking.mark_account(MANAGER, spoilt)
    assert await marking.mark_all(ADMIN) == marking.Marked(accounts=1, failed=1)
    async with another_process(database) as other:
        await other.execute("update accounts set policy = $2 where id = $1", spoilt, policy)
    await world.quote("1.2")
    assert (await system.read_state()).quarantined == 1, "nobody has looked"
    await marking.mark_account(MANAGER, spoilt)
    assert (await system.read_state()).quarantined == 0
    for account in (spoilt, sound):
        batch = await value("select batch from fills where account_id = $1 order by seq desc limit 1", account)
        assert batch == await value("select number from batches order by number desc offset 1 limit 1")
    await world.quote("1.1")
    await books_hold()


async def test_a_marker_that_begins_lets_those_out_that_it_can_read(database: str) -> None:
    world = await a_world(database)
    spoilt, _ = await two_traders(world)
    async with read_connection() as conn:
        await entries.quarantine_account(conn, spoilt, 1, "ValueError", "of yesterday's version")
    await Marker(0).drain()
    assert (await system.read_state()).quarantined == 0


async def test_where_the_ledger_cannot_be_written_the_quarantine_alone_says_why(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    spoilt, _ = await two_traders(world)

    async def no_ledger(*_: object) -> int:
        raise RuntimeError("the ledger cannot be written")

    monkeypatch.setattr(quarantine, "_note", no_ledger)
    await spoil(database, spoilt, "policy")
    await world.quote("1.09")
    await world.quote("1.08")
    [entry] = (await system.read_state()).quarantine
    assert (entry.account_id, entry.error) == (spoilt, "ValueError")
    assert await value("select count(*) from ledger where kind = 'mark_failed'") == 0


async def test_submissions_that_share_a_transaction_are_refused_alone(database: str) -> None:
    world = await a_world(database)
    spoilt, sound = await two_traders(world)
    await spoil(database, spoilt, "policy")
    [executed] = await actions.submit(ADMIN, sound, "r2", [an_action("CLOSE", "b1")])
    assert executed.fill
    with pytest.raises(AccountUnreadable):
        await actions.submit(ADMIN, spoilt, "r2", [an_action("CLOSE", "b1")])


async def test_a_job_that_cannot_be_read_is_given_up_and_the_others_are_done(database: str) -> None:
    world = await a_world(database)
    spoilt, _ = await two_traders(world)
    async with another_process(database) as other:
        challenge = await value("select challenge_id from accounts where id = $1", spoilt)
        insert = "insert into jobs (brand, kind, challenge_id, account_id, facts) values ('acme', $1, $2, $3, $4)"
        await other.execute(insert, "polish_the_brass", challenge, spoilt, "{}")
        await other.execute(insert, "close_account", None, None, "{}")
        await other.execute(insert, "close_account", challenge, None, "{}")
    for _ in range(work_queue.ATTEMPTS_MAX + 1):
        await hurry()
        await work_queue.do_jobs()
    found = await rows("select kind, account_id, status, outcome from jobs where done_at is null order by id")
    assert [row["status"] for row in found] == ["DEAD"] * 3
    assert "polish_the_brass" in found[0]["outcome"]
    assert "are given up" in (await system.read_figures()).warnings["jobs"]
    await world.buy("k3")


async def test_a_job_of_an_account_that_cannot_be_read_is_given_up_and_the_others_are_done(database: str) -> None:
    world = await a_world(database)
    spoilt, sound = await two_traders(world)
    await spoil(database, spoilt, "policy")
    async with another_process(database) as other:
        insert = """insert into jobs (brand, kind, challenge_id, account_id)
        select 'acme', 'close_positions', challenge_id, id from accounts where id = any($1::bigint[]) order by id"""
        await other.execute(insert, [spoilt, sound])
    await quotes.ingest([a_quote("EURUSD", "1.1", world.at)])
    for _ in range(work_queue.ATTEMPTS_MAX + 1):
        await hurry()
        await work_queue.do_jobs()
    kinds = "select account_id, status from jobs where kind = 'close_positions' order by id"
    assert await rows(kinds) == [
        {"account_id": spoilt, "status": "DEAD"},
        {"account_id": sound, "status": "DONE"},
    ]
    await settle()


async def test_an_activation_waits_for_an_account_that_cannot_be_read_and_goes_on_by_retry(database: str) -> None:
    world = await a_world(database)
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    account = await world.account(challenge)
    await spoil(database, account, "policy")
    for _ in range(work_queue.ATTEMPTS_MAX + 1):
        await hurry()
        await work_queue.do_jobs()
    [dead] = await rows("select id, status from jobs")
    assert dead["status"] == "DEAD"
    assert await value("select status from challenges") == ChallengeStatus.ACTIVE
    assert await value("select status from purchases") == PurchaseStatus.PENDING
    async with another_process(database) as other:
        await other.execute("update accounts set policy = (policy::jsonb - 'later')::text")
    await work_queue.retry(MANAGER, dead["id"])
    await settle()
    assert await value("select status from purchases") == PurchaseStatus.ACTIVE
    await books_hold()


@pytest.mark.parametrize("what", ["policy", "terms"])
async def test_a_sale_is_not_ended_over_an_account_that_cannot_be_read(database: str, what: str) -> None:
    """It could not be locked, nor its positions closed: the challenge would end, and its account would trade on."""
    world = await a_world(database)
    _, account = await world.buy()
    await spoil(database, account, what)
    before = await totals()
    for ending in (
        refunds.refund(MANAGER, 1, reason="goodwill", key="r1"),
        program_deletion.delete_program(MANAGER, world.program, "the end"),
        purchases.update_purchase(MANAGER, 1, status=PurchaseStatus.FAILED, reason="chargeback"),
    ):
        with pytest.raises(AccountUnreadable):
            await ending
    assert await totals() == before


async def test_a_payment_for_terms_that_cannot_be_read_is_refused_and_may_come_again(database: str) -> None:
    world = await a_world(database)
    await payments.order_purchase(CLIENT, world.program, "card")
    reference = await value("select payment_reference from purchases")
    async with another_process(database) as conn:
        await conn.execute("alter table terms disable trigger user")
        await conn.execute("update terms set body = jsonb_set(body::jsonb, '{later}', '1')::text")
    terms._kept.clear()  # noqa: SLF001 - as another process would read them
    before = await totals()
    with pytest.raises(TermsUnreadable):
        await payments.confirm_payment(MANAGER, reference=reference, amount=Decimal(500), currency="USD", key="c1")
    assert await totals() == before


async def test_verify_names_a_breach_whose_terms_cannot_be_read_and_goes_on(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.08")
    await spoil(database, account, "terms")
    found = await verify.check_books()
    assert any("its terms or its evidence cannot be read" in violation.message for violation in found)


CANNOT_WRITE = (asyncpg.DiskFullError, asyncpg.PostgresIOError, asyncpg.ReadOnlySQLTransactionError)


@pytest.mark.parametrize("raised", CANNOT_WRITE)
async def test_while_the_server_cannot_write_no_account_is_to_blame(
    database: str, monkeypatch: pytest.MonkeyPatch, raised: type[Exception]
) -> None:
    world = await a_world(database)
    _, sound = await two_traders(world)
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.04", world.at)])

    async def failing(work: UnitOfWork) -> None:
        raise raised("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(UnitOfWork, "flush", failing)
        with pytest.raises(raised):
            await Marker(0).drain()
    assert (await system.read_state()).quarantined == 0
    await Marker(0).drain()
    assert await value("select count(*) from fills where account_id = $1", sound) == 2, "its stop-loss was filled"
    assert await value("select count(*) from ledger where kind = 'mark_failed'") == 0
