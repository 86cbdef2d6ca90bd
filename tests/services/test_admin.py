"""Pause, resume, lock, unlock, liquidate: each with a reason, and whatever comes at the same time."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.errors import AccountEnding, AccountInChallenge, Forbidden, InvalidInput, InvalidTransition
from services import actions, admin, challenges, purchases, quotes
from services.columnar import passes
from services.jobs import work_queue
from services.principals import Principal
from tests.services.test_accounts import an_account, kinds
from tests.services.world import (
    CLIENT,
    EVALUATION,
    MANAGER,
    TRADER,
    WIDE,
    World,
    a_quote,
    a_world,
    act,
    an_action,
    books_hold,
    changed,
    rows,
    settle,
    value,
)

Verb = Callable[[Principal, int, str], Awaitable[None]]
FREE_OF_LOSSES = changed(EVALUATION, max_daily_loss_pct=Decimal(0), max_total_loss_pct=Decimal(0))


async def _state(account: int) -> tuple[str, str | None]:
    [row] = await rows("select status, locked_from from accounts where id = $1", account)
    return row["status"], row["locked_from"]


async def test_an_account_is_paused_resumed_locked_and_put_back_where_it_was(database: str) -> None:
    await a_world(database)
    pending = await admin.create_account(MANAGER, mode="AUDITION", key="p")
    account = await an_account(group="DEMO")
    steps: list[tuple[int, Verb, tuple[str, str | None]]] = [
        (account, admin.pause, ("PAUSED", None)),
        (account, admin.lock, ("LOCKED", "PAUSED")),
        (account, admin.unlock, ("PAUSED", None)),
        (account, admin.resume, ("ACTIVE", None)),
        (account, admin.lock, ("LOCKED", "ACTIVE")),
        (account, admin.unlock, ("ACTIVE", None)),
        (pending, admin.lock, ("LOCKED", "PENDING")),
        (pending, admin.unlock, ("PENDING", None)),
    ]
    for number, (which, verb, state) in enumerate(steps):
        await verb(MANAGER, which, "for a reason")
        assert await _state(which) == state, verb
        refused = await act(which, "OPEN", action_id=f"a{number}", quantity="1000")
        assert (refused.status == "EXECUTED") == (state == ("ACTIVE", None) and which == account), verb
        for _ in range(2 if refused.status == "EXECUTED" else 0):
            await act(which, "CLOSE", action_id=f"c{number}")
    facts = await rows("select facts from ledger where account_id = $1 and kind = 'account_paused'", account)
    assert [json.loads(row["facts"]) for row in facts] == [{"reason": "BY_HAND", "shown": "By decision of the firm."}]
    await books_hold()


MISPLACED: list[tuple[str, tuple[Verb, ...]]] = [
    ("PENDING", (admin.pause, admin.resume, admin.unlock)),
    ("ACTIVE", (admin.resume, admin.unlock)),
    ("PAUSED", (admin.pause, admin.unlock)),
    ("LOCKED", (admin.pause, admin.resume, admin.lock)),
]


async def test_what_the_life_cycle_does_not_allow_is_refused_and_leaves_no_row(database: str) -> None:
    await a_world(database)
    account = await admin.create_account(MANAGER, mode="AUDITION", key="p")
    to = {"PAUSED": admin.pause, "LOCKED": admin.lock}
    for status, verbs in MISPLACED:
        if status == "ACTIVE":
            await admin.start_by_hand(MANAGER, account)
        elif status != "PENDING":
            await to[status](MANAGER, account, "on the way")
        before = await rows("select seq, head from balances"), await value("select count(*) from audit")
        for verb in verbs:
            with pytest.raises(InvalidTransition) as refused:
                await verb(MANAGER, account, "why")
            assert refused.value.field == "accountId"
        if status in ("PAUSED", "LOCKED"):
            with pytest.raises(InvalidTransition):
                await admin.start_by_hand(MANAGER, account)
        assert before == (await rows("select seq, head from balances"), await value("select count(*) from audit"))
    await books_hold()


async def test_a_verb_without_a_reason_or_by_a_trader_is_refused(database: str) -> None:
    await a_world(database)
    account = await an_account()
    for verb in (admin.pause, admin.resume, admin.lock, admin.unlock, admin.liquidate):
        for reason in ("", "  ", "x" * 501, "a\0b", "\udc00"):
            with pytest.raises(InvalidInput) as refused:
                await verb(MANAGER, account, reason)
            assert refused.value.field == "reason"
        for principal in (TRADER, CLIENT):
            with pytest.raises(Forbidden):
                await verb(principal, account, "why")
    assert await _state(account) == ("ACTIVE", None)


async def test_a_lock_and_the_start_of_the_account_at_once_leave_it_locked(database: str) -> None:
    """Whichever comes first: the purchase goes on, the phase runs, and unlocking opens the account."""
    world = await a_world(database, cash=20_000)
    for number in range(4):
        _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, f"b{number}")
        account = await world.account(challenge)
        await asyncio.gather(work_queue.do_jobs(), admin.lock(MANAGER, account, "checked first"))
        await settle()
        assert await _state(account) == ("LOCKED", "ACTIVE")
        assert await value("select status from purchases order by id desc limit 1") == 3
        assert (await act(account, "OPEN", action_id="a1", quantity="1000")).status == "REJECTED"
        await admin.unlock(MANAGER, account, "checked")
        assert (await act(account, "OPEN", action_id="a2", quantity="1000")).status == "EXECUTED"
    await books_hold()


async def test_one_locked_before_its_start_is_started_behind_the_lock(database: str) -> None:
    world = await a_world(database)
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "b1")
    account = await world.account(challenge)
    await admin.lock(MANAGER, account, "checked first")
    assert await _state(account) == ("LOCKED", "PENDING")
    await settle()
    assert await _state(account) == ("LOCKED", "ACTIVE")
    assert await value("select started_at from challenge_phases where phase_index = 1") == world.at
    await books_hold()


async def test_an_account_whose_challenge_was_cancelled_stays_locked(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await challenges.cancel_challenge(MANAGER, challenge, "fraud")
    with pytest.raises(AccountInChallenge):
        await admin.unlock(MANAGER, account, "forgiven")
    await admin.complete(MANAGER, account)
    assert await value("select status from accounts where id = $1", account) == "COMPLETED"
    await books_hold()


async def test_while_its_phase_runs_an_account_is_not_completed(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    with pytest.raises(AccountInChallenge):
        await admin.complete(MANAGER, account)
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.09")  # fails
    await admin.complete(MANAGER, account)
    assert await value("select status from accounts where id = $1", account) == "COMPLETED"
    await books_hold()


async def test_a_breach_that_nobody_has_seen_yet_comes_before_the_end_by_hand(database: str) -> None:
    """The catching up of the verb itself finds the failure; completing then is allowed, liquidating fails nothing."""
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.08", world.at)])
    with pytest.raises(AccountEnding):  # the failure's own job closes it first
        await admin.liquidate(MANAGER, account, "late")
    await settle()
    assert await value("select rule from breaches where consequence = 'FAIL'") == "MAX_TOTAL_LOSS"
    await admin.liquidate(MANAGER, account, "late")
    assert await value("select status from accounts where id = $1", account) == "LIQUIDATED"
    assert await value("select count(*) from breaches where consequence = 'FAIL'") == 1
    await books_hold()


async def test_a_liquidation_by_hand_fails_the_phase_with_its_evidence(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.101")
    await admin.liquidate(MANAGER, account, "copy trading")

    [breach] = await rows("select *, derivation::text as evidence from breaches")
    assert (breach["rule"], breach["consequence"], breach["limit"]) == ("LIQUIDATION", "FAIL", 50)
    assert (breach["floor"], breach["headroom"] > 0) == (50_000, True)
    evidence = json.loads(breach["evidence"])
    assert (evidence["by_hand"], evidence["reason"]) == (True, "BY_HAND")
    assert await rows("select status, end_reason from challenges") == [{"status": 3, "end_reason": "LIQUIDATION"}]
    assert await _state(account) == ("LIQUIDATED", None)
    assert (await kinds(account))[-6:] == [
        "mark_to_market", "phase_failed", "order_placed", "fill", "position_closed", "account_liquidated",
    ]  # fmt: skip
    assert await value("select reason from orders order by seq desc limit 1") == "LIQUIDATION"
    [told] = await rows("select payload::text as payload from outbox where name = 'prop.challenge.failed'")
    assert json.loads(told["payload"])["rule"] == "LIQUIDATION"
    await settle()
    assert await value("select outcome from jobs where kind = 'close_account'") == "the account has ended"
    assert await value("select status from challenges where id = $1", challenge) == 3
    await books_hold()


async def test_what_has_no_fresh_quote_is_closed_when_it_comes_and_then_the_account_ends(database: str) -> None:
    world = await a_world(database, symbols=2)
    account = await an_account(group="DEMO")
    for symbol in world.symbols:
        await act(account, "OPEN", action_id=symbol, symbol=symbol, quantity="1000")
    resting = an_action("OPEN", "rest", side="SHORT", order="LIMIT", price="1.5")
    [rests] = await actions.submit(TRADER, account, "r1", [resting])
    assert rests.status == "WORKING", rests.refusal
    await world.quote("1.1", after=timedelta(minutes=5))  # XX01USD is stale now

    await admin.complete(MANAGER, account)
    [row] = await rows("select status, read_only from accounts where id = $1", account)
    assert row == {"status": "ACTIVE", "read_only": True}
    assert await rows("select symbol from positions where status = 'OPEN'") == [{"symbol": "XX01USD"}]
    assert await value("select count(*) from orders where status = 'WORKING'") == 0
    assert (await act(account, "CLOSE", action_id="c", symbol="XX01USD")).status == "REJECTED"
    for again in (admin.complete(MANAGER, account), admin.liquidate(MANAGER, account, "why")):
        with pytest.raises(AccountEnding):
            await again
    await settle()
    await books_hold()

    await world.quote("1.2", symbol="XX01USD")
    assert await _state(account) == ("COMPLETED", None)
    assert await value("select status from jobs where kind = 'close_account'") == "DONE"
    reasons = await rows("select distinct reason from orders where verb = 'CLOSE'")
    assert reasons == [{"reason": "COMPLETION"}]
    await books_hold()


async def _sinking(world: World, **given: str) -> int:
    """An account outside a challenge with one position that the quote of 1.05 takes to half its balance."""
    account = await an_account("RACE", group="DEMO", **given)
    opened = await act(account, "OPEN", action_id="a1", quantity="1000000")
    assert opened.status == "EXECUTED", opened.refusal
    return account


async def test_an_account_that_falls_to_its_level_is_liquidated_with_its_own_orders_and_fills(database: str) -> None:
    world = await a_world(database)
    account = await _sinking(world)
    await world.quote("1.055")
    assert await _state(account) == ("ACTIVE", None)
    await world.quote("1.0505")
    assert await _state(account) == ("LIQUIDATED", None)
    [order] = await rows("select reason, verb, seq from orders order by seq desc limit 1")
    assert (order["reason"], order["verb"]) == ("LIQUIDATION", "CLOSE")
    assert await value("select count(*) from fills where order_seq = $1", order["seq"]) == 1
    finding = await value("select facts::text from ledger where kind = 'finding'")
    assert json.loads(finding)["rule"] == "LIQUIDATION"
    result = json.loads(await value("select result::text from accounts where id = $1", account))
    assert result["balance"] == str(await value("select trim_scale(cash) from balances where account_id = $1", account))
    assert await value("select count(*) from jobs where kind = 'close_account' and status = 'DONE'") == 1
    await world.quote("1.2")
    await books_hold()


async def test_over_a_stale_quote_a_liquidation_waits_and_the_account_is_read_only(database: str) -> None:
    world = await a_world(database, symbols=2)
    account = await _sinking(world)
    await act(account, "OPEN", action_id="a2", symbol="XX01USD", quantity="1000")
    await world.quote("1.0505", after=timedelta(minutes=5))
    [row] = await rows("select status, read_only from accounts where id = $1", account)
    assert row == {"status": "ACTIVE", "read_only": True}
    assert await rows("select symbol from positions where status = 'OPEN'") == [{"symbol": "XX01USD"}]
    with pytest.raises(AccountEnding):
        await admin.complete(MANAGER, account)
    await world.quote("1.2")  # nothing heals it
    assert await _state(account) == ("ACTIVE", None)
    await world.quote("1.1", symbol="XX01USD")
    assert await _state(account) == ("LIQUIDATED", None)
    await books_hold()


async def test_an_action_that_comes_upon_the_level_liquidates_too(database: str) -> None:
    """Whoever brings the account up to date finds it; the action is refused, and the job closes the account."""
    world = await a_world(database)
    account = await _sinking(world)
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.05", world.at)])
    refused = await act(account, "INCREASE", action_id="a2", quantity="1000")
    assert refused.refusal is not None
    assert refused.refusal.code == "ACCOUNT_NOT_OPEN"
    await work_queue.do_jobs()
    assert await _state(account) == ("LIQUIDATED", None)
    await passes.mark_shard(0)
    await books_hold()


async def test_a_liquidation_in_a_phase_closes_as_one(database: str) -> None:
    world = await a_world(database, steps=[FREE_OF_LOSSES], policy=WIDE)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.05")
    assert await _state(account) == ("LIQUIDATED", None)
    assert await value("select reason from orders order by seq desc limit 1") == "LIQUIDATION"
    await books_hold()
