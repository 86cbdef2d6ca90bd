"""A verdict that rested on void quotes is set aside: the run is computed again without them and goes on."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import (
    AlreadyReinstated,
    StillBroken,
)
from domain.lifecycles import ChallengeStatus
from domain.payouts import PayoutNotEligible
from domain.terms import PayoutFloor
from models import reinstatements as rows_of
from services import adjustments, events, payouts, program_deletion, reinstatements
from services.columnar import passes
from services.reinstatements import Reinstated
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.roots import LockRoot
from tests.services import journeys
from tests.services.bad_prints import a_victim, bad_print, equity_of, reinstate, status, void
from tests.services.journeys import ENDING
from tests.services.winners import DAY, FREE, OPEN_ENDED, wins
from tests.services.world import (
    CLIENT,
    EVALUATION,
    MANAGER,
    a_world,
    act,
    books_hold,
    kill_connections,
    rows,
    settle,
    totals,
    value,
)

ENDED = (
    "select status, end_reason, superseded, run, account_id from challenge_phases where challenge_id = $1 order by id"
)


async def run_figures(account: int) -> dict[str, Any]:
    [found] = await rows(
        """select day, day_start_balance, day_start_equity, day_low, day_high, peak_equity, peak_balance, days_traded,
          days_profitable, day_traded, last_fill_day, day_date, day_ends_at, high_watermark
        from balances where account_id = $1""",
        account,
    )
    return found


async def test_a_bad_print_is_undone_and_the_challenge_goes_on_to_pass(database: str) -> None:
    world, challenge, account, span, equity = await a_victim(database)
    kept = {
        name: await rows(f"select * from {name} where {of} = $1", account)
        for name, of in (
            ("breaches", "account_id"),
            ("ledger", "account_id"),
            ("accounts", "id"),
            ("fills", "account_id"),
        )
    }
    assert await value("select cash from balances where account_id = $1", account) < 2_000, "closed at the bad price"
    await void(span)
    preview = await reinstate(challenge, apply=False)
    assert preview.reinstatement_id is None
    assert await status(challenge) is ChallengeStatus.FAILED, "a preview changes nothing"
    assert await value("select count(*) from receipts where operation = 'reinstateChallenge'") == 0
    done = await reinstate(challenge)
    assert (done.differences, done.left_out) == (preview.differences, preview.left_out)
    new = await world.account(challenge)
    assert new != account
    assert await value("select cash from balances where account_id = $1", new) == equity
    for name, before in kept.items():
        of = "id" if name == "accounts" else "account_id"
        assert await rows(f"select * from {name} where {of} = $1", account) == before, name
    assert [
        (row["status"], row["superseded"], row["run"], row["account_id"]) for row in await rows(ENDED, challenge)
    ] == [
        (3, True, 1, account),
        (4, True, 1, None),
        (1, False, 2, new),
        (0, False, 2, None),
    ]
    assert await value("select ended_at is null and end_reason is null from challenges where id = $1", challenge)
    await books_hold()
    await act(new, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.11500")
    await act(new, "CLOSE", action_id="a2")
    await settle()
    assert (await value("select current_phase_index from challenges where id = $1", challenge)) == 2
    await events.stamp()
    told = await rows("select name, payload::text from events where challenge_id = $1 order by number", challenge)
    names = [row["name"].removeprefix("prop.challenge.") for row in told if row["name"].startswith("prop.challenge.")]
    assert names == ["started", "failed", "reinstated", "phase_changed"]
    await world.quote("1.11600")
    await books_hold()
    newest = await value(
        "select phase_id from metrics where challenge_id = $1 order by phase_id desc limit 1", challenge
    )
    assert newest == await value("select id from challenge_phases where challenge_id = $1 and status = 1", challenge)


async def test_what_is_written_says_who_why_and_what(database: str) -> None:
    world, challenge, _, span, equity = await a_victim(database)
    await void(span)
    done = await reinstate(challenge)
    [row] = await rows("select *, figures::text as began, differences::text as told from reinstatements")
    assert (row["id"], row["actor"], row["reason"]) == (done.reinstatement_id, "manager:desk", "a bad print")
    assert row["breach_id"] == await value("select id from breaches where consequence = 'FAIL'")
    balance = next(one for one in done.differences if one.what == "balance")
    assert Decimal(balance.computed) == equity
    [audit] = await rows("select reason, before::text as was, after::text as is from audit where operation = $1",
                         "reinstateChallenge")  # fmt: skip
    assert audit["reason"] == "a bad print"
    new = await world.account(challenge)
    ledger = await rows("select kind, amount, facts::text from ledger where account_id = $1 order by seq", new)
    assert [one["kind"] for one in ledger] == ["account_created", "deposit", "adjustment", "account_started"]
    assert (ledger[1]["amount"], ledger[2]["amount"]) == (Decimal(100_000), equity - 100_000)
    assert await value("select -sum(amount) from transfers where house_account_id is not null and cause like $1",
                       f"account {new} %") == equity  # fmt: skip


async def fails_again(challenge: int) -> None:
    """Computed again with every quote, the challenge's run comes to the very breach that failed it."""
    [breach] = await rows(
        """select rule, batch, market_time, trim_scale(floor) as floor, trim_scale(observed) as observed
        from breaches where challenge_id = $1 and consequence = 'FAIL'""",
        challenge,
    )
    async with root_transaction(LockRoot.of_challenge(challenge)) as work:
        case = await rows_of.read_case(work.conn, challenge)
        with pytest.raises(StillBroken) as broken:
            await reinstatements.replay_run(work.conn, work.locked_accounts[case["account_id"]], case, [])
    facts = broken.value.facts
    found = {name: facts[name] for name in ("rule", "batch", "at", "level", "observed")}
    assert found == {
        "rule": breach["rule"],
        "batch": breach["batch"],
        "at": breach["market_time"].isoformat(),
        "level": breach["floor"],
        "observed": breach["observed"],
    }


@pytest.mark.parametrize("seed", range(6))
async def test_a_run_computed_again_with_every_quote_fails_as_it_did(database: str, seed: int) -> None:
    """The fold over stored fills and quotes finds the very breach that the desk found."""
    world, challenges = await journeys.begin(database, ENDING, 6)
    journey = journeys.a_journey(seed, steps=90, accounts=6)
    await journeys.play(world, challenges, journey, lambda: passes.mark_shard(0))
    await settle()
    failed = [one for one in challenges if await status(one) is ChallengeStatus.FAILED]
    assert failed, "the journey breaks something"
    for challenge in failed:
        await fails_again(challenge)


@pytest.mark.parametrize("floor", PayoutFloor)
async def test_payouts_and_adjustments_are_computed_again_as_they_were(database: str, floor: PayoutFloor) -> None:
    """The floor that a funded run breaks in the end follows from all that moved it."""
    limits = {"total_loss": {"trail": "TRAIL_INTRADAY"}}
    step = replace(OPEN_ENDED, limits=limits, payout={"floor": floor.value, "min_trading_days": 0})
    world = await a_world(database, steps=[step], policy=FREE, cash=5_000)
    challenge, account = await world.buy()
    await wins(world, account)
    await payouts.reject_payout(MANAGER, await payouts.request_payout(MANAGER, challenge, "p1"), "not yet", "p2")
    await world.quote("1.11", after=DAY)
    await payouts.approve_payout(MANAGER, await payouts.request_payout(MANAGER, challenge, "p3", Decimal(4_000)), "p4")
    await settle()
    for key, amount, counts in (("g1", "250", True), ("g2", "1000", False), ("g3", "-70", True)):
        await adjustments.adjust(MANAGER, account, Decimal(amount), counts_as_profit=counts, reason="so", key=key)
    await wins(world, account, "x", start="1.11", end="1.111")
    await act(account, "OPEN", action_id="z", quantity="500000")
    await world.quote("1.112", after=DAY)
    for mid in ("1.105", "1.1", "1.095", "1.09", "1.08"):
        await world.quote(mid)
    assert await status(challenge) is ChallengeStatus.FAILED
    await fails_again(challenge)


async def test_orders_that_one_batch_triggers_are_computed_again_together(database: str) -> None:
    """A gain and a loss that one quote closes raise no floor between them."""
    limits = {"total_loss": {"trail": "TRAIL_BALANCE"}}
    step = replace(EVALUATION, max_daily_loss_pct=Decimal(0), max_total_loss_pct=Decimal(3), limits=limits)
    world = await a_world(database, steps=[step], policy=FREE)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="500000", take_profit="1.11")
    await act(account, "OPEN", action_id="a2", quantity="500000", side="SHORT", stop_loss="1.11")
    await world.quote("1.11200")
    await act(account, "OPEN", action_id="a3", quantity="1000000")
    await world.quote("1.10800")
    assert await status(challenge) is ChallengeStatus.FAILED
    await fails_again(challenge)


async def test_a_verdict_is_set_aside_once(database: str) -> None:
    _, challenge, _, span, _ = await a_victim(database)
    await void(span)
    done = await reinstate(challenge)
    before = await totals()
    assert await reinstate(challenge) == done, "the same key answers the same"
    with pytest.raises(AlreadyReinstated):
        await reinstate(challenge, "another")
    assert await totals() == before


async def test_of_two_at_once_one_sets_it_aside(database: str) -> None:
    _, challenge, _, span, _ = await a_victim(database)
    await void(span)
    keys = ("a", "b", "a", "c")
    answers = await asyncio.gather(*(reinstate(challenge, key) for key in keys), return_exceptions=True)
    done = [answer for answer in answers if isinstance(answer, Reinstated)]
    assert {answer.reinstatement_id for answer in done} == {await value("select id from reinstatements")}
    assert all(isinstance(answer, AlreadyReinstated) for answer in answers if not isinstance(answer, Reinstated))
    assert await value("select count(*) from accounts where challenge_id = $1", challenge) == 2
    await books_hold()


async def test_killed_between_it_leaves_nothing_and_can_be_repeated(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, challenge, account, span, equity = await a_victim(database)
    await void(span)
    before = await totals()
    write = rows_of.insert_reinstatement

    async def killed(*args: Any, **options: Any) -> int:
        await kill_connections(database, await args[0].fetchval("select pg_backend_pid()"))
        return await write(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(rows_of, "insert_reinstatement", killed)
        with pytest.raises(Exception):  # noqa: B017, PT011 - however the connection's loss shows
            await reinstate(challenge)
    assert await totals() == before
    assert await world.account(challenge) == account
    await reinstate(challenge)
    assert await equity_of(await world.account(challenge)) == equity
    await books_hold()


async def test_a_stop_loss_at_the_bad_print_never_was(database: str) -> None:
    """It is left out with what it lost, and the position it closed is worth what good quotes say."""
    world = await a_world(database, policy=FREE)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000", stop_loss="1.05")
    await world.quote("1.10500")
    equity = await equity_of(account)
    span = await bad_print(world)
    stop = await value("select f.seq from fills f join orders o on (o.account_id, o.seq) = (f.account_id, f.order_seq) "
                       "where o.type = 'STOP_LOSS'")  # fmt: skip
    assert await value("select marks::text from breaches") == "[]", "nothing was open at the verdict"
    await world.quote("1.10600", after=timedelta(0))
    await void(span)
    done = await reinstate(challenge)
    assert done.left_out == [f"{account}-{stop}"]
    assert await equity_of(await world.account(challenge)) == equity
    await books_hold()


async def test_a_high_of_a_bad_print_raises_no_floor(database: str) -> None:
    """A spike upwards fails an account later, when a good quote is below the floor that it had raised."""
    step = replace(
        EVALUATION,
        max_daily_loss_pct=Decimal(0),
        max_total_loss_pct=Decimal(3),
        profit_target_pct=Decimal(50),
        limits={"total_loss": {"trail": "TRAIL_INTRADAY"}},
    )
    world = await a_world(database, steps=[step], policy=FREE)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.10100")
    peak = (await run_figures(account))["peak_equity"]
    span = await bad_print(world, "1.14000")
    await world.quote("1.10200", after=timedelta(0))  # 38,000 below the false peak
    assert await status(challenge) is ChallengeStatus.FAILED
    await void(span)
    await reinstate(challenge)
    assert (await run_figures(await world.account(challenge)))["peak_equity"] < peak + 1_500
    assert await status(challenge) is ChallengeStatus.ACTIVE
    await world.quote("1.10300")
    assert await status(challenge) is ChallengeStatus.ACTIVE
    await books_hold()


async def test_the_day_of_the_verdict_goes_on_days_later_and_nothing_of_it_is_healed(database: str) -> None:
    step = replace(EVALUATION, duration_days=3, profit_target_pct=Decimal(50))
    world = await a_world(database, steps=[step], policy=FREE)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.10500", after=DAY)  # on day 2
    await world.quote("1.08000")
    before = await run_figures(account)
    span = await bad_print(world)
    await void(span)
    for _ in range(5):
        await world.quote("1.08000", after=DAY)
    await reinstate(challenge)
    new = await world.account(challenge)
    after = await run_figures(new)
    assert after["day_date"] > before["day_date"]
    same = ("day", "day_start_balance", "day_start_equity", "day_low", "peak_equity", "days_traded", "last_fill_day")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    days = await rows(
        """select d.number, d.closed, d.traded from days d join challenge_phases p on p.id = d.phase_id
        where p.account_id = $1 order by d.number""",
        new,
    )
    assert [tuple(row.values()) for row in days] == [(1, True, True), (2, False, False)]
    await books_hold()
    await world.quote("1.08000", after=2 * DAY)
    await world.quote("1.08000", after=DAY)
    assert await value("select end_reason from challenges where id = $1", challenge) == "DURATION", "of day 3"
    await books_hold()


async def test_a_run_that_goes_on_and_meets_a_second_bad_print_goes_on_again(database: str) -> None:
    world, challenge, first, span, equity = await a_victim(database, after=2 * DAY)
    await void(span)
    await reinstate(challenge)
    second = await world.account(challenge)
    await world.quote("1.10600", after=DAY)
    await act(second, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.10700", after=DAY)
    equity = await equity_of(second)
    before = await run_figures(second)
    other = await bad_print(world)
    assert await status(challenge) is ChallengeStatus.FAILED
    await world.quote("1.10800", after=timedelta(0))
    await void(other)
    await reinstate(challenge, "r2")
    third = await world.account(challenge)
    assert third not in (first, second)
    after = await run_figures(third)
    assert await equity_of(third) == equity
    assert {name: after[name] for name in ("day", "days_traded", "peak_equity", "day_start_equity")} == {
        name: before[name] for name in ("day", "days_traded", "peak_equity", "day_start_equity")
    }
    numbers = await rows(
        "select number from days d join challenge_phases p on p.id = d.phase_id where p.account_id = $1 order by 1",
        third,
    )
    assert [row["number"] for row in numbers] == list(range(1, after["day"] + 1))
    assert await value("select run from challenge_phases where account_id = $1", third) == 3
    await books_hold()


async def test_a_funded_run_pays_what_it_goes_on_with(database: str) -> None:
    """Profit from before the bad print can be paid out; what was paid before stays paid, and its cycle goes on."""
    step = replace(OPEN_ENDED, payout={"cycle_days": 2})
    world = await a_world(database, steps=[step], policy=FREE, cash=5_000)
    challenge, account = await world.buy()
    await wins(world, account)
    await world.quote("1.11", after=2 * DAY)
    await payouts.approve_payout(MANAGER, await payouts.request_payout(MANAGER, challenge, "p1"), "p2")
    await settle()
    await wins(world, account, "x", start="1.11", end="1.112")
    await world.quote("1.112", after=DAY)
    await act(account, "OPEN", action_id="z", quantity="100000")
    await world.quote("1.112")
    profit = await equity_of(account) - 100_000
    span = await bad_print(world)
    await world.quote("1.112", after=timedelta(0))
    await void(span)
    await reinstate(challenge)
    new = await world.account(challenge)
    assert await equity_of(new) == 100_000 + profit
    await books_hold()
    with pytest.raises(PayoutNotEligible):
        await payouts.request_payout(CLIENT, challenge, "p3")  # on the day after the first one
    await world.quote("1.112", after=DAY)
    await payouts.request_payout(CLIENT, challenge, "p4")
    assert await value("select profit from payouts where account_id = $1", new) == profit
    await books_hold()


async def test_with_its_program_a_reinstatement_is_deleted_and_kept_as_text(database: str) -> None:
    world, challenge, _, span, _ = await a_victim(database)
    await void(span)
    await reinstate(challenge)
    await program_deletion.delete_program(MANAGER, world.program, "no more")
    body = await value("select body from removed_sales where challenge_id = $1", challenge)
    assert '"overturned_reason":"a bad print"' in body
    await settle()
    await books_hold()
