"""Amounts booked by hand: profit is judged like profit, capital brings no rule nearer; each once, in every book."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import AccountTerminal, Forbidden, IdempotencyConflict, InvalidInput, InvalidTransition, NotFound
from domain.payouts import PayoutNotEligible
from domain.terms import TradingDay
from services import adjustments, admin, payouts, purchases
from services.principals import Principal, Role
from tests.services.winners import OPEN_ENDED, a_winner, figures, houses
from tests.services.world import (
    CLIENT,
    EVALUATION,
    MANAGER,
    TRADER,
    a_world,
    act,
    books_hold,
    changed,
    rows,
    settle,
    totals,
    value,
)

STRANGER = Principal(9, "m", Role.MANAGER, "other")


async def _adjust(account: int, amount: str, *, counts: bool, who: Principal = MANAGER, **given: Any) -> None:
    told = {"reason": "the feed stood still", "key": "k"} | given
    await adjustments.adjust(who, account, Decimal(amount), counts_as_profit=counts, **told)


async def _challenge(challenge: int) -> tuple[int, str | None]:
    [row] = await rows("select status, end_reason from challenges where id = $1", challenge)
    return row["status"], row["end_reason"]


async def test_an_amount_is_in_every_book(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    capital = (await houses())["CAPITAL"]
    await _adjust(account, "-120.50", counts=True)
    assert await rows(
        "select kind, amount, balance_after, facts ->> 'reason' as reason, facts -> 'counts_as_profit' as counts"
        " from ledger where account_id = $1 order by seq desc limit 1", account
    ) == [{"kind": "adjustment", "amount": Decimal("-120.5"), "balance_after": Decimal("99879.5"),
           "reason": "BY_HAND", "counts": "true"}]  # fmt: skip
    assert (await houses())["CAPITAL"] == capital + Decimal("120.5")
    assert await rows("select money, sum(amount) as total from transfers where kind = 'ADJUSTMENT' group by money") == [
        {"money": "SYNTHETIC", "total": 0}
    ]
    audited = "select operation, reason, after ->> 'amount' as amount from audit where chain = 'acme'"
    assert await rows(f"{audited} order by id desc limit 1") == [
        {"operation": "adjustAccount", "reason": "the feed stood still", "amount": "-120.5"}
    ]
    await books_hold()


async def test_profit_is_the_days_and_the_phases(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    before = await figures(account)
    await _adjust(account, "7999.99", counts=True)
    after = await figures(account)
    assert after["day_start_balance"] == before["day_start_balance"] == 100_000
    assert (after["day_high"], after["peak_balance"], after["high_watermark"]) == (Decimal("107999.99"),) * 3
    assert await _challenge(challenge) == (1, None)
    await _adjust(account, "0.01", counts=True, key="k2")
    await settle()
    assert await rows("select status, end_reason from challenge_phases where phase_index = 1") == [
        {"status": 2, "end_reason": "PROFIT_TARGET"}
    ]
    assert await value("select result ->> 'profit' from accounts where id = $1", account) == "8000"
    await books_hold()


async def test_a_loss_that_counts_breaks_the_limit_at_once(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await _adjust(account, "-5000", counts=True)
    assert await _challenge(challenge) == (1, None)
    await _adjust(account, "-0.01", counts=True, key="k2")
    assert await _challenge(challenge) == (3, "MAX_DAILY_LOSS")
    await settle()
    await books_hold()


async def test_capital_brings_no_rule_nearer_live_or_in_columns(database: str) -> None:
    limits = {"total_loss": {"trail": "TRAIL_INTRADAY", "amount": Decimal(10_000)}}
    world = await a_world(database, steps=[changed(EVALUATION, max_total_loss_pct=Decimal(0), limits=limits)])
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    before = await figures(account)
    for n, amount in enumerate(("9000", "-18000")):
        await _adjust(account, amount, counts=False, key=f"k{n}")
        moved = {name: figure + Decimal(amount) for name, figure in before.items()}
        before = await figures(account)
        assert before == moved
        await world.quote(f"1.1000{n + 1}")
        assert await _challenge(challenge) == (1, None)
        before = await figures(account)
    assert await value("select initial_balance from challenge_phases") == 91_000
    assert await value("select day_withdrawn from balances where account_id = $1", account) == 0
    await books_hold()
    await world.quote("1.05700")  # 4,410 with the fee: the day's 5 % is 4,550 of 91,000
    assert await _challenge(challenge) == (1, None)
    await world.quote("1.05400")
    assert await _challenge(challenge) == (3, "MAX_DAILY_LOSS")
    await settle()
    await books_hold()


@pytest.mark.parametrize(
    ("cash", "amount", "rule"),
    [("0", "-50000", "LIQUIDATION"), ("-6000", "-50000", "MAX_TOTAL_LOSS"), ("5000", "-50000", "would win the phase")],
)
async def test_capital_that_would_decide_by_itself_is_refused(database: str, cash: str, amount: str, rule: str) -> None:
    """Percentages are of another initial balance then, and the liquidation level stays where it was."""
    world = await a_world(database, steps=[changed(EVALUATION, max_daily_loss_pct=Decimal(0))])
    challenge, account = await world.buy()
    if cash != "0":
        await _adjust(account, cash, counts=True, key="k0")
    before = await totals()
    with pytest.raises(InvalidInput, match=rule) as refused:
        await _adjust(account, amount, counts=False)
    assert refused.value.field == "amount"
    assert await totals() == before
    await _adjust(account, "-20000", counts=False)
    assert await _challenge(challenge) == (1, None)
    await books_hold()


async def test_profit_by_hand_makes_a_day_that_has_moved_without_waiting_for_a_fill(database: str) -> None:
    moved = changed(EVALUATION, trading_day=TradingDay.MOVED, trading_day_pct=Decimal(1))
    world = await a_world(database, steps=[moved])
    _, account = await world.buy()
    for n, (amount, days_traded) in enumerate((("999.99", 0), ("0.01", 1), ("-0.01", 0))):
        await _adjust(account, amount, counts=True, key=f"k{n}")
        assert await value("select days_traded from balances where account_id = $1", account) == days_traded
    await books_hold()


async def test_capital_is_not_paid_out_and_profit_is(database: str) -> None:
    _, challenge, account = await a_winner(database)
    await _adjust(account, "3000", counts=False)
    with pytest.raises(PayoutNotEligible):
        await payouts.request_payout(CLIENT, challenge, "p1", Decimal("10000.01"))
    await _adjust(account, "500", counts=True, key="k2")
    await payouts.request_payout(CLIENT, challenge, "p1")
    assert await value("select profit from payouts") == 10_500
    assert await value("select cash from balances where account_id = $1", account) == 103_000
    await books_hold()


async def test_the_same_key_books_once_also_at_once(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await asyncio.gather(*(_adjust(account, "10.00", counts=True) for _ in range(8)))
    await _adjust(account, "10", counts=True)
    assert await value("select cash from balances where account_id = $1", account) == 100_010
    for changes in ({"amount": "11"}, {"counts": False}, {"reason": "another"}):
        with pytest.raises(IdempotencyConflict):
            await _adjust(account, **{"amount": "10", "counts": True} | changes)  # type: ignore[arg-type]
    await books_hold()


async def test_what_cannot_be_booked_is_refused_and_leaves_nothing(database: str) -> None:
    world = await a_world(database, steps=[OPEN_ENDED])
    _, account = await world.buy()
    _, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    pending = await world.account(challenge)
    ended = await admin.create_account(MANAGER, mode="RACE", group="DEMO", key="race")
    await admin.start_by_hand(MANAGER, ended)
    await admin.complete(MANAGER, ended)
    before = await totals()
    for amount, counts in (("0", True), ("0.001", True), ("-100000.01", True), ("-100000", False), ("NaN", True)):
        with pytest.raises(InvalidInput) as refused:
            await _adjust(account, amount, counts=counts)
        assert refused.value.field == "amount", amount
    with pytest.raises(InvalidInput):
        await _adjust(account, "1", counts=True, reason=" ")
    with pytest.raises(InvalidTransition):
        await _adjust(pending, "1", counts=True)
    with pytest.raises(AccountTerminal):
        await _adjust(ended, "1", counts=True)
    with pytest.raises(NotFound):
        await _adjust(account, "1", counts=True, who=STRANGER)
    for who in (CLIENT, TRADER):
        with pytest.raises(Forbidden):
            await _adjust(account, "1", counts=True, who=who)
    assert await totals() == before


async def test_an_account_of_no_challenge_is_adjusted_too(database: str) -> None:
    await a_world(database)
    alone = await admin.create_account(MANAGER, mode="RACE", group="DEMO", key="race")
    await admin.start_by_hand(MANAGER, alone)
    await _adjust(alone, "250", counts=False)
    await _adjust(alone, "-50", counts=True, key="k2")
    assert await value("select cash from balances where account_id = $1", alone) == 100_200
    await admin.complete(MANAGER, alone)
    assert await value("select result ->> 'profit' from accounts where id = $1", alone) == "-50"
    await books_hold()
