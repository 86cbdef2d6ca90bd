"""A fee that was taken goes back once, whatever runs beside it; the challenge ends with it."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import FeeNotTaken, Forbidden, IdempotencyConflict, InvalidTransition, NotFound, Refused
from domain.lifecycles import PurchaseStatus
from services import purchases, quotes, refunds
from services.columnar import passes
from services.jobs import work_queue
from services.principals import Principal, Role
from tests.services.world import (
    CLIENT,
    EVALUATION,
    FUNDED,
    MANAGER,
    World,
    a_quote,
    a_world,
    act,
    books_hold,
    changed,
    elsewhere,
    rows,
    settle,
    value,
)

STRANGER = Principal(9, "m", Role.MANAGER, "other")


async def _purchase(challenge: int) -> int:
    found: int = await value("select purchase_id from challenges where id = $1", challenge)
    return found


async def _cash(world: World) -> tuple[int, int]:
    [row] = await rows("select cash, reserved from wallets where id = $1", world.wallet)
    return int(row["cash"]), int(row["reserved"])


async def test_a_refund_returns_the_fee_once_and_ends_the_challenge(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    purchase = await _purchase(challenge)
    await act(account, "OPEN", action_id="a1", quantity="1000")
    ends = await asyncio.gather(
        *(elsewhere(refunds.refund(MANAGER, purchase, reason="complaint", key="r1")) for _ in range(8)),
        *(elsewhere(refunds.refund(MANAGER, purchase, reason="complaint", key=f"s{n}")) for n in range(3)),
        return_exceptions=True,
    )
    done = sum(end is None for end in ends)
    assert done in (1, 8) and {type(end) for end in ends} == {type(None), InvalidTransition}
    await settle()
    assert await _cash(world) == (2000, 0)
    assert await rows("select kind, amount from transfers where wallet_id = $1 order by id", world.wallet) == [
        {"kind": "TOP_UP", "amount": 2000}, {"kind": "FEE", "amount": -500}, {"kind": "REFUND", "amount": 500},
    ]  # fmt: skip
    assert await rows("select c.status, c.end_reason, a.status as account, p.status as purchase from challenges c "
                      "join accounts a on a.id = c.account_id join purchases p on p.id = c.purchase_id") == [
        {"status": 4, "end_reason": "REFUNDED", "account": "LOCKED", "purchase": 5}
    ]  # fmt: skip
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    names = await rows("select name from outbox order by id desc limit 2")
    assert {row["name"] for row in names} == {"prop.challenge.cancelled", "prop.purchase.refunded"}
    assert await value("select count(*) from audit where operation = 'refundPurchase'") == 1
    await books_hold()


async def test_the_same_key_is_the_same_refund_and_another_content_a_conflict(database: str) -> None:
    world = await a_world(database)
    challenge, _ = await world.buy()
    purchase = await _purchase(challenge)
    for _ in range(2):
        await refunds.refund(MANAGER, purchase, reason="complaint", key="r1")
    with pytest.raises(IdempotencyConflict) as refused:
        await refunds.refund(MANAGER, purchase, reason="another", key="r1")
    assert refused.value.field == "reason"
    assert await _cash(world) == (2000, 0)


@pytest.mark.parametrize("rival", [work_queue.do_jobs, lambda: passes.mark_shard(0)])
async def test_a_refund_beside_the_activation_gives_back_what_was_taken(
    database: str, rival: Callable[[], Coroutine[Any, Any, int]]
) -> None:
    world = await a_world(database, cash=10_000)
    bought = [await purchases.buy(CLIENT, world.program, world.wallet, f"k{n}") for n in range(6)]
    ends = await asyncio.gather(
        elsewhere(rival()),
        *(elsewhere(refunds.refund(MANAGER, purchase, reason="x", key=str(purchase))) for purchase, _ in bought),
        return_exceptions=True,
    )
    await settle()
    refunded = sum(end is None for end in ends[1:])
    assert {type(end) for end in ends[1:]} <= {type(None), InvalidTransition}, "not paid yet: nothing to give back"
    assert await value("select count(*) from purchases where status = 5") == refunded
    assert await value("select count(*) from purchases where status = 3") == 6 - refunded
    assert await _cash(world) == (10_000 - 500 * (6 - refunded), 0)
    assert await value("select count(*) from challenges where status = 1") == 6 - refunded
    await books_hold()


async def test_what_failed_before_the_fee_was_taken_has_nothing_to_give_back_and_after_it_has(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(work: Any, job: Any) -> str:
        raise RuntimeError("no")

    world = await a_world(database)
    unpaid, _ = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    with pytest.raises(InvalidTransition):
        await refunds.refund(MANAGER, unpaid, reason="x", key="r1")
    await purchases.update_purchase(MANAGER, unpaid, status=PurchaseStatus.FAILED, reason="by hand")
    with pytest.raises(FeeNotTaken):
        await refunds.refund(MANAGER, unpaid, reason="x", key="r1")

    monkeypatch.setattr(work_queue, "ATTEMPTS_MAX", 1)
    monkeypatch.setitem(work_queue.HANDLERS, "deposit", fails)
    paid, _ = await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    await settle()
    assert await rows("select status, paid_from from purchases where id = $1", paid) == [
        {"status": 4, "paid_from": "WALLET"}
    ]
    await refunds.refund(MANAGER, paid, reason="x", key="r1")
    assert await _cash(world) == (2000, 0)
    await books_hold()


async def test_what_was_paid_outside_is_not_given_back_from_inside(database: str) -> None:
    world = await a_world(database)
    purchase, challenge = await purchases.buy(CLIENT, world.program, world.wallet, "k1")
    await purchases.update_purchase(MANAGER, purchase, status=PurchaseStatus.PAID)
    await settle()
    assert await value("select status from challenges where id = $1", challenge) == 1
    await refunds.refund(MANAGER, purchase, reason="x", key="r1")
    assert await _cash(world) == (2000, 0)
    assert await value("select count(*) from transfers where kind in ('FEE', 'REFUND')") == 0
    await books_hold()


async def test_a_challenge_that_has_ended_keeps_its_verdict_and_its_account_is_locked(database: str) -> None:
    world = await a_world(database, steps=[EVALUATION, changed(FUNDED, duration_days=1)])
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("EURUSD", "1.09", world.at)])
    await refunds.refund(MANAGER, await _purchase(challenge), reason="goodwill", key="r1")
    await settle()
    assert await rows("select status, end_reason from challenges") == [{"status": 3, "end_reason": "MAX_TOTAL_LOSS"}]
    assert await value("select status from accounts") == "LOCKED"
    assert await value("select count(*) from positions where status = 'OPEN'") == 0
    assert await _cash(world) == (2000, 0)
    await books_hold()


async def test_only_the_brands_managers_refund(database: str) -> None:
    world = await a_world(database, price=0)
    challenge, _ = await world.buy()
    purchase = await _purchase(challenge)
    refusals: list[tuple[Principal, int, type[Refused]]] = [
        (CLIENT, purchase, Forbidden),
        (STRANGER, purchase, NotFound),
        (MANAGER, purchase + 1, NotFound),
    ]
    for who, target, refusal in refusals:
        with pytest.raises(refusal):
            await refunds.refund(who, target, reason="x", key="r1")
    await refunds.refund(MANAGER, purchase, reason="x", key="r1")
    assert await value("select count(*) from transfers where kind = 'REFUND'") == 0, "it cost nothing"
    assert await value("select sum(amount) from transfers where wallet_id = $1", world.wallet) == Decimal(2000)
    await books_hold()
