"""The journey with every rule at work: a day paused, a floor that trails, a best day that delays; paid in the end."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from domain.lifecycles import ActionStatus
from tests.services.winners import DAY, FREE, told, wins
from tests.services.world import EVALUATION, FUNDED, a_world, act, books_hold, rows, settle, value

STRICT = replace(
    EVALUATION,
    max_daily_loss_pct=Decimal(1),
    max_total_loss_pct=Decimal(5),
    profit_target_pct=Decimal(4),
    best_day_pct=Decimal(60),
    limits={"daily_loss": {"consequence": "PAUSE_DAY"}, "total_loss": {"trail": "TRAIL_INTRADAY", "lock_at": "0"}},
)


async def test_a_paused_trader_comes_back_is_delayed_by_its_best_day_and_is_paid_at_last(database: str) -> None:
    world = await a_world(database, steps=[STRICT, FUNDED], policy=FREE)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.089")  # 1,100 of the 1,000 that a day may lose
    more = await act(account, "INCREASE", action_id="a2", quantity="1000")
    assert (more.status, more.refusal and more.refusal.code) == (ActionStatus.REJECTED, "ACCOUNT_NOT_OPEN")
    assert (await act(account, "CLOSE", action_id="a3")).status is ActionStatus.EXECUTED
    assert await value("select blocked_until from accounts where id = $1", account) == world.at.replace(
        hour=0, minute=0
    ) + timedelta(days=1)

    for day, end in enumerate(("1.1045", "1.1010", "1.1032")):  # 4,500, 1,000 and 3,200
        world.at += DAY
        await wins(world, account, f"d{day}", end=end)
        if day < 2:  # at first the target is missing, then the best day is too large a part
            assert await value("select status from challenge_phases where phase_index = 1") == 1
    assert await value("select end_reason from challenge_phases where phase_index = 1") == "PROFIT_TARGET"
    assert await rows("select rule, consequence, day from breaches") == [
        {"rule": "MAX_DAILY_LOSS", "consequence": "PAUSE_DAY", "day": 1}
    ]

    await settle()
    funded = await world.account(challenge)
    await wins(world, funded, "f")
    await world.quote("1.11", after=DAY)
    await world.quote("1.11", after=DAY)
    assert await rows("select status, profit from payouts") == [{"status": "PAID", "profit": 10_000}]
    assert await told(challenge) == ["approved", "paid"]
    assert await value("select status from challenges") == 2
    await books_hold()
