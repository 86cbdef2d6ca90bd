"""A profit asked for while the funded phase runs: held at once, decided once, no gain and no loss to any rule."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from domain.errors import Forbidden, InvalidInput, NotFound, PayoutOpen, Refused
from domain.payouts import PayoutNotEligible
from services import brands, corrections, payouts, quotes
from services.jobs import work_queue
from services.principals import Principal, Role
from services.views import eligibility, progress
from tests.services.winners import DAY, a_winner, figures, houses, told, wins
from tests.services.world import (
    ADMIN,
    CLIENT,
    MANAGER,
    TRADER,
    a_quote,
    act,
    books_hold,
    hurry,
    rows,
    settle,
    totals,
    value,
)


async def test_a_profit_is_asked_for_held_approved_and_paid_while_the_phase_runs_on(database: str) -> None:
    world, challenge, account = await a_winner(database)
    before = await figures(account)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    assert await figures(account) == {name: figure - 10_000 for name, figure in before.items()}
    assert (await houses())["PAYOUT_HOLD"] == 10_000
    (day,) = await rows("select start_balance, start_equity, low, high, balance, equity from days")
    assert [int(figure) for figure in day.values()] == [90_000, 90_000, 90_000, 100_000, 100_000, 100_000]
    await books_hold()

    await payouts.approve_payout(MANAGER, payout, "a1")
    await settle()
    (paid,) = await rows("select status, profit, amount, wallet_id, day, decided_at, paid_at from payouts")
    assert paid == {
        "status": "PAID", "profit": 10_000, "amount": 8000, "wallet_id": world.wallet, "day": 1,
        "decided_at": world.at, "paid_at": world.at,
    }  # fmt: skip
    assert await value("select cash from wallets") == 1500 + 8000
    assert await houses() == {"EXTERNAL": -2000, "TREASURY": 500 - 8000, "CAPITAL": -90_000, "PAYOUT_HOLD": 0}
    assert await told(challenge) == ["requested", "approved", "paid"]
    assert await value("select status from challenges") == 1

    await wins(world, account, "x")
    await payouts.approve_payout(ADMIN, await payouts.request_payout(CLIENT, challenge, "p2"), "a2")
    await settle()
    assert await value("select cash from wallets") == 1500 + 16_000
    await books_hold()


TURNED_DOWN: list[tuple[str, Callable[[int], Awaitable[None]], str | None]] = [
    (
        "REJECTED",
        lambda payout: payouts.reject_payout(MANAGER, payout, "hedged elsewhere", "d", "see the rules"),
        "see the rules",
    ),
    ("CANCELLED", lambda payout: payouts.cancel_payout(CLIENT, payout, "d"), None),
]


@pytest.mark.parametrize(("status", "decide", "reason"), TURNED_DOWN)
async def test_turned_down_the_profit_returns_and_may_be_asked_for_again(
    database: str, status: str, decide: Callable[[int], Awaitable[None]], reason: str | None
) -> None:
    world, challenge, account = await a_winner(database)
    before = await figures(account)
    await decide(await payouts.request_payout(CLIENT, challenge, "p1"))
    assert await rows("select status, reason, paid_at from payouts") == [
        {"status": status, "reason": reason, "paid_at": None}
    ]
    assert await figures(account) == before
    assert (await houses())["PAYOUT_HOLD"] == 0
    assert await told(challenge) == ["requested", status.lower()]
    await books_hold()
    await payouts.request_payout(CLIENT, challenge, "p2")
    await world.quote("1.11", after=DAY)
    assert await value("select count(*) from payouts where status = 'REQUESTED'") == 1
    await books_hold()


async def test_nothing_is_voided_while_its_profit_is_held_for_a_payout(database: str) -> None:
    _, challenge, account = await a_winner(database)
    [sold] = await rows("select seq from fills where account_id = $1 and verb = 'CLOSE'", account)
    fill = (account, sold["seq"])
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    before = await totals()
    with pytest.raises(PayoutOpen) as refused:
        await corrections.void_fills(MANAGER, [fill], "off the market")
    assert refused.value.facts == {"account": account, "payout": payout}
    assert await totals() == before
    await payouts.reject_payout(MANAGER, payout, "a fill was off the market", "d")
    await corrections.void_fills(MANAGER, [fill], "off the market")
    assert await value("select realised from balances where account_id = $1", account) == 0
    await books_hold()


async def test_profit_while_a_request_is_open_starts_from_the_initial_balance(database: str) -> None:
    world, challenge, account = await a_winner(database)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await wins(world, account, "x", start="1.12", end="1.125")
    assert (await figures(account))["cash"] == 105_000
    await act(account, "OPEN", action_id="o1", quantity="100000")
    await payouts.reject_payout(MANAGER, payout, "not yet", "d1")
    assert (await figures(account))["cash"] == 115_000
    await act(account, "CLOSE", action_id="o2")
    await payouts.request_payout(CLIENT, challenge, "p2")
    assert await value("select profit from payouts where status = 'REQUESTED'") == 15_000
    await books_hold()


async def test_what_is_lost_while_a_request_is_open_is_lost_from_the_initial_balance(database: str) -> None:
    """The daily limit of 5 % is that of a day that began without the profit."""
    world, challenge, account = await a_winner(database)
    await world.quote("1.11", after=DAY)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await act(account, "OPEN", action_id="o1", quantity="1000000")
    await world.quote("1.1049")
    assert await value("select rule from breaches") == "MAX_DAILY_LOSS"
    assert await value("select floor from breaches") == 95_000
    await settle()
    assert await value("select status from payouts") == "REQUESTED"  # for the manager to decide
    await books_hold()
    await payouts.approve_payout(MANAGER, payout, "a1")
    await settle()
    assert await value("select status from payouts") == "PAID"
    assert await value("select cash from wallets") == 9500
    await books_hold()


@pytest.mark.parametrize("liquidated", [False, True])
async def test_a_request_turned_down_after_the_end_leaves_the_profit_on_the_ended_account(
    database: str, liquidated: bool
) -> None:
    world, challenge, account = await a_winner(database, max_daily_loss_pct=Decimal(0 if liquidated else 5),
                                               max_total_loss_pct=Decimal(0 if liquidated else 10))  # fmt: skip
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await act(account, "OPEN", action_id="o1", quantity="1000000")
    await world.quote("1.05")
    assert await value("select status from accounts where id = $1", account) == (
        "LIQUIDATED" if liquidated else "ACTIVE"
    )
    await payouts.reject_payout(MANAGER, payout, "it failed", "d1")
    assert (await figures(account))["cash"] == 50_000
    await books_hold()


async def test_a_request_open_at_the_end_is_approved_with_what_was_earned_since(database: str) -> None:
    world, challenge, account = await a_winner(database, duration_days=1)
    await payouts.request_payout(CLIENT, challenge, "p1")
    await wins(world, account, "x")
    await world.quote("1.11", after=DAY)
    assert await rows("select status, profit, amount from payouts") == [
        {"status": "PAID", "profit": 20_000, "amount": 16_000}
    ]
    assert await told(challenge) == ["requested", "approved", "paid"]
    assert await value("select cash from balances where account_id = $1", account) == 100_000
    await books_hold()


async def test_a_loss_after_a_request_is_not_taken_from_it(database: str) -> None:
    world, challenge, account = await a_winner(database, duration_days=1)
    await payouts.request_payout(CLIENT, challenge, "p1")
    await wins(world, account, "x", start="1.11", end="1.107")
    await world.quote("1.11", after=DAY)
    assert await value("select profit from payouts where status = 'PAID'") == 10_000
    assert await value("select cash from balances where account_id = $1", account) == 97_000
    await books_hold()


async def test_an_approved_payout_that_waits_grows_with_what_the_end_adds(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def waits(*_: object) -> str:
        raise RuntimeError

    world, challenge, account = await a_winner(database, duration_days=1)
    with monkeypatch.context() as patch:
        patch.setitem(work_queue.HANDLERS, "pay_payout", waits)
        await payouts.approve_payout(MANAGER, await payouts.request_payout(CLIENT, challenge, "p1"), "a1")
        await wins(world, account, "x")
        await world.quote("1.11", after=DAY)
        assert await value("select profit from payouts where status = 'APPROVED'") == 20_000
        await books_hold()
    await value("update jobs set due_at = now() where kind = 'pay_payout' returning id")
    await settle()
    assert await value("select amount from payouts where status = 'PAID'") == 16_000
    assert await value("select count(*) from jobs where kind = 'pay_payout'") == 1
    await books_hold()


async def test_an_approved_payout_is_paid_before_a_profit_that_a_manager_must_decide_on(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the end adds is 6,000, with a best day of 10,000: the terms do not allow it."""

    async def waits(*_: object) -> str:
        raise RuntimeError

    world, challenge, account = await a_winner(database, duration_days=3, best_day_pct=Decimal(100))
    with monkeypatch.context() as patch:
        patch.setitem(work_queue.HANDLERS, "pay_payout", waits)
        await payouts.approve_payout(MANAGER, await payouts.request_payout(CLIENT, challenge, "p1"), "a1")
        await world.quote("1.1", after=DAY)
        await wins(world, account, "x")
        await world.quote("1.104", after=DAY)
        await wins(world, account, "y", start="1.104", end="1.1")
        await world.quote("1.1", after=DAY)
    await hurry()
    await settle()
    assert await rows("select status, profit from payouts order by id") == [
        {"status": "PAID", "profit": 10_000},
        {"status": "REQUESTED", "profit": 6_000},
    ]
    await books_hold()


async def test_days_are_counted_since_the_start_and_since_the_last_payout(database: str) -> None:
    """Three days traded, two of them with a profit above five percent, and a wait of three days."""
    terms = {"min_trading_days": 3, "profitable_days": 2, "cycle_days": 3, "min_profit": Decimal(15_000)}
    world, challenge, account = await a_winner(database, profitable_day_pct=Decimal(5), payout=terms)

    async def lacks() -> dict[str, tuple[int, int]]:
        with pytest.raises(PayoutNotEligible) as refusal:
            await payouts.request_payout(CLIENT, challenge, "too early")
        return {c.condition: (int(c.measured), int(c.needed)) for c in refusal.value.criteria if not c.met}

    days = {"TRADING_DAYS": (1, 3), "PROFITABLE_DAYS": (1, 2), "CYCLE": (0, 3)}
    assert await lacks() == days | {"PROFIT": (10_000, 15_000)}
    world.at += DAY
    await wins(world, account, "x", end="1.105")  # that is not above it
    assert await lacks() == {"TRADING_DAYS": (2, 3), "PROFITABLE_DAYS": (1, 2), "CYCLE": (1, 3)}
    world.at += DAY
    await wins(world, account, "y", end="1.106")
    assert await lacks() == {"CYCLE": (2, 3)}
    world.at += DAY
    await quotes.ingest([a_quote("EURUSD", "1.1", world.at)])  # nobody has closed the day yet
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await payouts.approve_payout(MANAGER, payout, "a1")
    await settle()
    assert await value("select profit from payouts") == 21_000

    await wins(world, account, "z", end="1.12")  # on the day of the payout: it belongs to what was before
    zero = {"TRADING_DAYS": (0, 3), "PROFITABLE_DAYS": (0, 2), "CYCLE": (0, 3)}
    assert await lacks() == zero
    await world.quote("1.1", after=DAY)
    assert await lacks() == zero | {"CYCLE": (1, 3)}
    await wins(world, account, "q")
    assert await lacks() == {"TRADING_DAYS": (1, 3), "PROFITABLE_DAYS": (1, 2), "CYCLE": (1, 3)}
    await books_hold()


async def test_a_withdrawal_lowers_no_floor_of_its_day(database: str) -> None:
    """Start 100,000, a daily loss of 5 % of the initial balance, earn 4,000, withdraw 4,000: 92,000 is a breach."""
    world, challenge, account = await a_winner(database, limits={"daily_loss": {"percent_of": "INITIAL"}})
    await wins(world, account, "x", start="1.11", end="1.104")
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await payouts.approve_payout(MANAGER, payout, "a1")
    await settle()
    assert await value("select profit from payouts") == 4000
    (shown,) = (await progress.rule_progress([account])).values()
    assert not isinstance(shown, Refused)
    assert [int(at.level) for at in shown if at.rule == "MAX_DAILY_LOSS"] == [95_000]
    await act(account, "OPEN", action_id="o1", quantity="1000000")
    await world.quote("1.099")  # at the floor, not beyond it
    assert await value("select count(*) from breaches") == 0
    await world.quote("1.096")
    assert await rows("select rule, floor, observed from breaches") == [
        {"rule": "MAX_DAILY_LOSS", "floor": 95_000, "observed": 92_000}
    ]
    await books_hold()


async def test_no_day_may_be_too_much_of_a_funded_profit(database: str) -> None:
    """40 %, and 3,200 on the second day: 8,000 are needed. What was paid out counts no more afterwards."""
    world, challenge, account = await a_winner(database, best_day_pct=Decimal(40), min_trading_days=2)

    async def lacks() -> dict[str, tuple[int, int]]:
        with pytest.raises(PayoutNotEligible) as refusal:
            await payouts.request_payout(CLIENT, challenge, "too early")
        (shown,) = (await eligibility.payout_criteria([account])).values()
        assert [c for c in shown if not c.met] == [c for c in refusal.value.criteria if not c.met]
        return {c.condition: (int(c.measured), int(c.needed)) for c in shown if not c.met}

    assert await lacks() == {"BEST_DAY": (10_000, 25_000), "PHASE_TRADING_DAYS": (1, 2)}
    for number, end in enumerate(("1.108", "1.107")):
        world.at += DAY
        await wins(world, account, f"x{number}", end=end)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await payouts.approve_payout(MANAGER, payout, "a1")
    await settle()
    assert await value("select profit from payouts") == 25_000
    await wins(world, account, "y", end="1.101")  # on the day of the payout, after it
    assert await lacks() == {"BEST_DAY": (1000, 2500)}
    world.at += DAY
    await wins(world, account, "z", end="1.1")
    assert await lacks() == {"BEST_DAY": (1000, 2500)}
    (shown,) = (await progress.rule_progress([account])).values()
    assert not isinstance(shown, Refused)
    assert [(int(at.measured), int(at.needed)) for at in shown if at.rule == "BEST_DAY"] == [(1000, 2500)]
    await books_hold()


async def test_a_profit_that_the_phase_does_not_allow_waits_for_a_manager_at_the_end(database: str) -> None:
    world, challenge, account = await a_winner(database, best_day_pct=Decimal(40), duration_days=2)
    await world.quote("1.11", after=2 * DAY)
    assert await value("select status from challenges") == 2
    assert await rows("select id, status, profit from payouts") == [{"id": 1, "status": "REQUESTED", "profit": 10_000}]
    assert await value("select status from accounts where id = $1", account) == "COMPLETED"
    assert await told(challenge) == ["requested"]
    await books_hold()
    await payouts.approve_payout(MANAGER, 1, "a1")
    await settle()
    assert await value("select status from payouts") == "PAID"
    await books_hold()


async def test_an_approved_payout_lets_the_floor_trail_anew_where_the_terms_say_so(database: str) -> None:
    world, challenge, account = await a_winner(
        database, limits={"total_loss": {"trail": "TRAIL_INTRADAY"}}, payout={"floor": "RESET"}
    )
    await wins(world, account, "x", start="1.11", end="1.107")
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    assert (await figures(account))["peak_equity"] == 103_000  # it was 110,000 when 7,000 left
    await payouts.approve_payout(MANAGER, payout, "a1")
    assert (await figures(account))["peak_equity"] == 100_000
    await settle()
    await books_hold()


async def test_what_is_not_yours_or_not_there_is_answered_alike_and_nothing_is_written(database: str) -> None:
    await brands.save_brand(ADMIN, name="other", title="Other")
    _, challenge, _ = await a_winner(database)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    before = await totals()
    bob = Principal(9, "app", Role.CLIENT, "acme", "bob")
    stranger = Principal(10, "ned", Role.MANAGER, "other")
    for principal in (bob, stranger):
        for asked in (challenge, challenge + 99):
            with pytest.raises(NotFound):
                await payouts.request_payout(principal, asked, "x")
        for asked in (payout, payout + 99):
            with pytest.raises(NotFound):
                await payouts.cancel_payout(principal, asked, "x")
    for asked in (payout, payout + 99):
        with pytest.raises(NotFound):
            await payouts.approve_payout(stranger, asked, "x")
    for forbidden in (
        payouts.request_payout(TRADER, challenge, "x"),
        payouts.cancel_payout(TRADER, payout, "x"),
        payouts.approve_payout(CLIENT, payout, "x"),
        payouts.reject_payout(CLIENT, payout, "x", "x"),
    ):
        with pytest.raises(Forbidden):
            await forbidden
    for reason in ("", " ", "x" * 201, "\0"):
        with pytest.raises(InvalidInput) as refusal:
            await payouts.reject_payout(MANAGER, payout, reason, "x")
        assert refusal.value.field == "reason"
    assert await totals() == before
