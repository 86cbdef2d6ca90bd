"""Payouts of a part of the profit, and the fee that comes back with the first payout."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest

from domain.errors import FeeReturned, IdempotencyConflict, InvalidInput, PayoutOpen
from domain.lifecycles import PurchaseStatus
from domain.payouts import PayoutNotEligible
from models import purchases as purchase_rows
from services import payments, payouts, purchases, refunds
from services.connections import LOST
from tests.services.test_faults import cut
from tests.services.winners import DAY, FREE, OPEN_ENDED, a_winner, figures, houses, told, wins
from tests.services.world import (
    CLIENT,
    MANAGER,
    a_world,
    act,
    books_hold,
    changed,
    hurry,
    rows,
    settle,
    totals,
    value,
)

FEE_BACK = {"fee_back": True}


async def _paid(challenge: int, key: str, amount: str | None = None) -> int:
    """Request, approve and pay a payout."""
    payout = await payouts.request_payout(CLIENT, challenge, key, None if amount is None else Decimal(amount))
    await payouts.approve_payout(MANAGER, payout, key)
    await settle()
    return payout


def _lacking(refused: PayoutNotEligible) -> dict[str, tuple[int, int]]:
    return {c.condition.value: (int(c.measured), int(c.needed)) for c in refused.criteria if not c.met}


async def _cash() -> Decimal:
    cash: Decimal = await value("select cash from wallets where currency = 'USD'")
    return cash


async def test_a_part_of_the_profit_is_paid_and_the_rest_stays(database: str) -> None:
    _, challenge, account = await a_winner(database)
    before, cash = await figures(account), await _cash()
    payout = await payouts.request_payout(CLIENT, challenge, "p1", Decimal(4000))
    assert await rows("select profit, amount, split from payouts") == [
        {"profit": 4000, "amount": 3200, "split": Decimal("0.8")}
    ]
    assert await figures(account) == {name: amount - 4000 for name, amount in before.items()}
    assert (await houses())["PAYOUT_HOLD"] == 4000
    await payouts.approve_payout(MANAGER, payout, "a1")
    await settle()
    assert await _cash() == cash + 3200
    await _paid(challenge, "p2")
    assert await value("select cash from balances where account_id = $1", account) == 100_000
    assert await _cash() == cash + 8000
    await books_hold()


async def test_more_than_the_profit_is_refused_and_what_is_no_amount(database: str) -> None:
    _, challenge, _ = await a_winner(database)
    before = await totals()
    with pytest.raises(PayoutNotEligible) as refused:
        await payouts.request_payout(CLIENT, challenge, "p1", Decimal("10000.01"))
    assert "BUFFER" in _lacking(refused.value)
    for amount in ("0", "-5", "1.001"):
        with pytest.raises(InvalidInput) as invalid:
            await payouts.request_payout(CLIENT, challenge, "p1", Decimal(amount))
        assert invalid.value.field == "amount"
    assert await totals() == before
    payout = await payouts.request_payout(CLIENT, challenge, "p1", Decimal(10_000))
    assert await payouts.request_payout(CLIENT, challenge, "p1", Decimal("10000.00")) == payout
    with pytest.raises(IdempotencyConflict):
        await payouts.request_payout(CLIENT, challenge, "p1")


async def test_the_terms_say_the_least_amount_and_what_stays(database: str) -> None:
    terms = {"min_amount": Decimal(500), "min_buffer": Decimal(2000)}
    _, challenge, account = await a_winner(database, payout=terms)
    for amount, lacking in ((499, {"AMOUNT": (499, 500)}), (8001, {"BUFFER": (1999, 2000)})):
        with pytest.raises(PayoutNotEligible) as refused:
            await payouts.request_payout(CLIENT, challenge, "p1", Decimal(amount))
        assert _lacking(refused.value) == lacking
    await _paid(challenge, "p1", "500")
    await _paid(challenge, "p2")  # all but the buffer
    assert await rows("select profit from payouts order by id") == [{"profit": 500}, {"profit": 7500}]
    assert await value("select cash from balances where account_id = $1", account) == 102_000
    with pytest.raises(PayoutNotEligible) as refused:
        await payouts.request_payout(CLIENT, challenge, "p3")
    assert _lacking(refused.value) == {"AMOUNT": (0, 500)}
    await books_hold()


@pytest.mark.parametrize(("floor", "peak"), [("FOLLOW", 106_000), ("KEEP", 110_000), ("RESET", 106_000)])
async def test_the_trailing_floor_moves_by_the_amount_as_the_terms_say(database: str, floor: str, peak: int) -> None:
    trailing = {"total_loss": {"trail": "TRAIL_INTRADAY"}}
    _, challenge, account = await a_winner(database, limits=trailing, payout={"floor": floor})
    await _paid(challenge, "p1", "4000")
    assert (await figures(account))["peak_equity"] == peak
    await books_hold()


async def test_with_a_floor_that_stays_a_part_may_be_taken_where_the_whole_may_not(database: str) -> None:
    trailing = {"total_loss": {"trail": "TRAIL_INTRADAY", "amount": Decimal(5000)}}
    _, challenge, account = await a_winner(
        database, max_total_loss_pct=Decimal(0), limits=trailing, payout={"floor": "KEEP"}
    )
    with pytest.raises(PayoutNotEligible) as refused:
        await payouts.request_payout(CLIENT, challenge, "p1")
    assert set(_lacking(refused.value)) == {"ABOVE_FLOORS"}
    await _paid(challenge, "p1", "4999")
    assert await value("select status from challenges where id = $1", challenge) == 1
    await act(account, "OPEN", action_id="x1", quantity="1000000")


async def test_a_part_and_the_whole_at_once_are_one_payout(database: str) -> None:
    _, challenge, _ = await a_winner(database)
    asked = [payouts.request_payout(CLIENT, challenge, f"p{n}", amount) for n, amount in
             enumerate((Decimal(6000), None, Decimal(6000), Decimal(10_000)))]  # fmt: skip
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["PayoutNotEligible"] * 3 + ["int"]
    await books_hold()


async def test_at_the_phases_end_what_stayed_is_paid_too(database: str) -> None:
    world, challenge, account = await a_winner(database, duration_days=2, payout={"min_buffer": Decimal(2000)})
    await _paid(challenge, "p1")
    await world.quote("1.11", after=2 * DAY)
    assert await rows("select profit, status from payouts order by id") == [
        {"profit": 8000, "status": "PAID"}, {"profit": 2000, "status": "PAID"},
    ]  # fmt: skip
    assert await value("select cash from balances where account_id = $1", account) == 100_000
    await books_hold()


async def test_the_fee_comes_back_with_the_first_payout_once_and_the_account_goes_on(database: str) -> None:
    world, challenge, account = await a_winner(database, payout=FEE_BACK)
    cash = await _cash()
    payout = await _paid(challenge, "p1", "1000")
    assert await _cash() == cash + 800 + 500
    moved = await rows("select amount, cause from transfers where kind = 'FEE_RETURN' order by amount")
    assert [(row["amount"], row["cause"]) for row in moved] == [
        (sign * 500, f"purchase 1 fee returned with payout {payout}") for sign in (-1, 1)
    ]
    assert await value("select fee_returned_with from purchases") == payout
    assert await told(challenge) == ["requested", "approved", "paid"]
    assert "500" in await value("select payload ->> 'fee_returned' from events where name = 'prop.payout.paid'")
    assert await value("select status from accounts where id = $1", account) == "ACTIVE"
    await _paid(challenge, "p2", "1000")
    assert await _cash() == cash + 800 + 500 + 800
    with pytest.raises(FeeReturned):
        await refunds.refund(MANAGER, 1, reason="asked for it", key="r1")
    await world.quote("1.11")
    await books_hold()


async def test_a_payout_turned_down_brings_no_fee_back_the_next_does(database: str) -> None:
    _, challenge, _ = await a_winner(database, payout=FEE_BACK)
    cash = await _cash()
    await payouts.reject_payout(
        MANAGER, await payouts.request_payout(CLIENT, challenge, "p1"), "documents missing", "r1"
    )
    assert await _cash() == cash
    await _paid(challenge, "p2")
    assert await _cash() == cash + 8000 + 500
    await books_hold()


async def test_a_purchase_is_refunded_once_its_payout_is_decided_and_has_its_fee_back_once(database: str) -> None:
    _, challenge, _ = await a_winner(database, payout=FEE_BACK)
    cash = await _cash()
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    with pytest.raises(PayoutOpen):
        await refunds.refund(MANAGER, 1, reason="goodwill", key="r1")
    await payouts.reject_payout(MANAGER, payout, "not yet", "x1")
    await refunds.refund(MANAGER, 1, reason="goodwill", key="r2")
    await settle()
    assert await value("select status from payouts") == "REJECTED"
    assert await _cash() == cash + 500
    await books_hold()


async def test_a_price_paid_outside_comes_back_to_the_clients_wallet(database: str) -> None:
    world = await a_world(database, steps=[changed(OPEN_ENDED, payout=FEE_BACK)], policy=FREE)
    purchase = await payments.order_purchase(CLIENT, world.program, "card")
    await purchases.update_purchase(MANAGER, purchase, status=PurchaseStatus.PAID)
    await settle()
    challenge: int = await value("select id from challenges")
    await wins(world, await world.account(challenge))
    cash = await _cash()
    await _paid(challenge, "p1")
    assert await _cash() == cash + 8000 + 500
    await books_hold()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_payment_cut_off_anywhere_brings_share_and_fee_together_once(
    database: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    _, challenge, _ = await a_winner(database, payout=FEE_BACK)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await payouts.approve_payout(MANAGER, payout, "a1")
    cash = await _cash()
    with monkeypatch.context() as patch:
        killed = cut(patch, database, purchase_rows, "note_fee_returned", after=after)
        with suppress(*LOST):
            await settle()
        assert killed
    assert await _cash() == cash
    await hurry()
    await settle()
    assert await _cash() == cash + 8000 + 500
    await books_hold()
