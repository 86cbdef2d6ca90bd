"""What ends a sale waits for its open payout; a cancelled challenge leaves its payout as it is."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from domain.errors import InvalidTransition, PayoutOpen
from domain.lifecycles import PurchaseStatus
from domain.payouts import PayoutNotEligible
from services import challenges, payouts, program_deletion, purchases, refunds
from tests.services.winners import a_winner, houses
from tests.services.world import CLIENT, MANAGER, books_hold, elsewhere, rows, settle, totals, value

PRICE = 500


async def _refund(challenge: int, key: str = "r1") -> None:
    purchase = await value("select purchase_id from challenges where id = $1", challenge)
    await refunds.refund(MANAGER, purchase, reason="complaint", key=key)


async def _delete_program(challenge: int) -> None:
    program = await value("select program_id from challenges where id = $1", challenge)
    await program_deletion.delete_program(MANAGER, program, "discontinued")


@pytest.mark.parametrize("end", [_refund, _delete_program])
async def test_it_is_refused_while_a_payout_is_requested_or_approved(
    database: str, end: Callable[[int], Awaitable[None]]
) -> None:
    _, challenge, _ = await a_winner(database)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    before = await totals()
    for status in ("REQUESTED", "APPROVED"):
        with pytest.raises(PayoutOpen) as refused:
            await end(challenge)
        assert refused.value.facts == {"challenge": challenge, "payout": payout, "status": status}
        assert await totals() == before
        if status == "REQUESTED":
            await payouts.approve_payout(MANAGER, payout, "a1")
            before = await totals()
    await settle()
    await end(challenge)
    assert await value("select status from payouts") == "PAID"
    await books_hold()


async def test_a_refund_goes_through_once_the_payout_is_turned_down(database: str) -> None:
    _, challenge, _ = await a_winner(database)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    with pytest.raises(PayoutOpen):
        await _refund(challenge)
    await payouts.reject_payout(MANAGER, payout, "a complaint comes first", "d1")
    await _refund(challenge)
    await _refund(challenge)  # the same key: once
    await settle()
    assert await houses() == {"EXTERNAL": -2000, "TREASURY": 0, "CAPITAL": -100_000, "PAYOUT_HOLD": 0}
    assert await value("select cash from wallets") == 2000
    await books_hold()


async def test_of_refunds_and_requests_at_once_only_one_kind_succeeds(database: str) -> None:
    _, challenge, _ = await a_winner(database)
    ends = await asyncio.gather(
        *(elsewhere(payouts.request_payout(CLIENT, challenge, f"p{n}")) for n in range(3)),
        *(elsewhere(_refund(challenge, f"r{n}")) for n in range(3)),
        return_exceptions=True,
    )
    requested = sum(isinstance(end, int) for end in ends[:3])
    refunded = sum(end is None for end in ends[3:])
    assert (requested, refunded) in {(1, 0), (0, 1)}
    refusals = {type(end) for end in ends if isinstance(end, Exception)}
    assert refusals <= {PayoutOpen, PayoutNotEligible, InvalidTransition}
    await settle()
    assert await value("select count(*) from payouts where status = 'REQUESTED'") == requested
    assert await value("select cash from wallets") == (2000 if refunded else 2000 - PRICE)
    await books_hold()


async def test_a_cancelled_challenge_leaves_its_payout_to_be_decided(database: str) -> None:
    _, challenge, account = await a_winner(database)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await challenges.cancel_challenge(MANAGER, challenge, "rules of conduct")
    assert await value("select status from payouts") == "REQUESTED"
    assert (await houses())["PAYOUT_HOLD"] == 10_000
    await payouts.reject_payout(MANAGER, payout, "rules of conduct", "d1")
    await settle()
    assert (await houses())["PAYOUT_HOLD"] == 0
    assert await value("select cash from balances where account_id = $1", account) == 110_000
    await books_hold()


async def test_a_payout_that_was_approved_is_paid_though_its_challenge_is_cancelled(database: str) -> None:
    _, challenge, _ = await a_winner(database)
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await payouts.approve_payout(MANAGER, payout, "a1")
    await challenges.cancel_challenge(MANAGER, challenge, "rules of conduct")
    with pytest.raises(PayoutOpen):
        await _refund(challenge)
    await settle()
    assert await value("select status from payouts") == "PAID"
    assert await value("select cash from wallets") == 2000 - PRICE + 8000
    await _refund(challenge)
    await books_hold()


async def test_a_purchase_that_may_have_a_payout_is_not_set_failed(database: str) -> None:
    _, challenge, _ = await a_winner(database)
    await payouts.request_payout(CLIENT, challenge, "p1")
    [purchase] = await rows("select id from purchases")
    with pytest.raises(InvalidTransition):
        await purchases.update_purchase(MANAGER, purchase["id"], status=PurchaseStatus.FAILED, reason="x")
    assert await value("select status from payouts") == "REQUESTED"
