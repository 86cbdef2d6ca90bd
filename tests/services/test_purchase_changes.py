"""What a manager does to a purchase: notes, a status set by hand, deletion where nothing hangs on it."""

import asyncio
from typing import Any

import pytest

from domain.errors import (
    Forbidden,
    InvalidInput,
    InvalidTransition,
    NotFound,
    PayoutOpen,
    PurchaseLinked,
    Refused,
)
from domain.lifecycles import PurchaseStatus
from services import purchases, refunds
from services.jobs import work_queue
from services.principals import Principal, Role
from services.saving import SavedObject
from tests.services.world import (
    CLIENT,
    MANAGER,
    World,
    a_world,
    another_process,
    books_hold,
    elsewhere,
    rows,
    settle,
    value,
    waits,
)

STRANGER = Principal(9, "m", Role.MANAGER, "other")
PAID, FAILED = PurchaseStatus.PAID, PurchaseStatus.FAILED


async def _buy(world: World, key: str = "k1") -> tuple[int, int]:
    return await purchases.buy(CLIENT, world.program, world.wallet, key)


async def _cash(world: World) -> tuple[int, int]:
    [row] = await rows("select cash, reserved from wallets where id = $1", world.wallet)
    return int(row["cash"]), int(row["reserved"])


async def test_notes_are_changed_one_by_one_and_cleared(database: str) -> None:
    world = await a_world(database)
    purchase, _ = await _buy(world)
    notes = {"external_reference": "INV-7", "comment": "by phone", "tags": ["vip", "spring"]}
    read = "select external_reference, comment, tags, updated_at > created_at as touched from purchases"
    await purchases.update_purchase(MANAGER, purchase, changes=notes)
    assert (await rows(read))[0] == notes | {"touched": False}, "the market's clock has not moved"
    await purchases.update_purchase(MANAGER, purchase, changes={"comment": None, "tags": ["vip"]})
    assert (await rows(read))[0] == {"external_reference": "INV-7", "comment": None, "tags": ["vip"], "touched": False}
    await purchases.update_purchase(MANAGER, purchase, changes={"tags": None})
    assert (await rows(read))[0]["tags"] == []
    audited = await rows("select before ->> 'comment' as before, after ->> 'comment' as after from audit "
                         "where operation = 'updatePurchase' order by id")  # fmt: skip
    assert audited[:2] == [{"before": None, "after": "by phone"}, {"before": "by phone", "after": None}]
    assert await value("select status from purchases") == 0


async def test_notes_of_two_at_once_are_both_kept(database: str) -> None:
    world = await a_world(database)
    purchase, _ = await _buy(world)
    async with another_process(database) as other:
        await other.execute("select from purchases for no key update")
        both = [
            asyncio.create_task(elsewhere(purchases.update_purchase(MANAGER, purchase, changes=changes)))
            for changes in ({"comment": "by phone"}, {"tags": ["vip"]})
        ]
        await waits(database, 2)
    await asyncio.gather(*both)
    assert await rows("select comment, tags from purchases") == [{"comment": "by phone", "tags": ["vip"]}]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"external_reference": ""}, "externalReference"),
    ({"external_reference": "x" * 201}, "externalReference"),
    ({"comment": "a\0"}, "comment"),
    ({"tags": ["x"] * 2}, "tags[1]"),
    ({"tags": [""]}, "tags[0]"),
    ({"tags": [str(n) for n in range(21)]}, "tags"),
]


async def test_bad_input_is_named_and_others_may_not(database: str) -> None:
    world = await a_world(database)
    purchase, _ = await _buy(world)
    for changes, field in BAD:
        with pytest.raises(InvalidInput) as named:
            await purchases.update_purchase(MANAGER, purchase, changes=changes)
        assert named.value.field == field
    cases: list[tuple[Principal, int, dict[str, Any], type[Refused]]] = [
        (CLIENT, purchase, {}, Forbidden),
        (STRANGER, purchase, {}, NotFound),
        (MANAGER, purchase + 1, {}, NotFound),
        (MANAGER, purchase, {"status": FAILED}, InvalidInput),  # without a reason
        (MANAGER, purchase, {"status": PurchaseStatus.REFUNDED}, InvalidInput),
        (MANAGER, purchase, {"status": PurchaseStatus.ACTIVE}, InvalidInput),
    ]
    for who, target, given, refusal in cases:
        with pytest.raises(refusal):
            await purchases.update_purchase(who, target, **given)
    for who, target, kind in ((CLIENT, purchase, Forbidden), (STRANGER, purchase, NotFound), (MANAGER, 99, NotFound)):
        with pytest.raises(kind):
            await purchases.delete_purchase(who, target, "x")
    assert await value("select count(*) from audit where operation in ('updatePurchase', 'deletePurchase')") == 0


async def test_paid_by_hand_is_paid_outside_and_the_activation_goes_on_once(database: str) -> None:
    world = await a_world(database)
    bought = [await _buy(world, f"k{n}") for n in range(4)]
    ends = await asyncio.gather(
        elsewhere(work_queue.do_jobs()),
        *(elsewhere(purchases.update_purchase(MANAGER, purchase, status=PAID)) for purchase, _ in bought),
        return_exceptions=True,
    )
    await settle()
    by_hand = sum(isinstance(end, SavedObject) for end in ends[1:])
    outside: int = await value("select count(*) from purchases where paid_from = 'OUTSIDE'")
    assert {type(end) for end in ends[1:]} <= {SavedObject, InvalidTransition}
    assert outside <= by_hand, "one that the wallet has paid is PAID already"
    assert await _cash(world) == (2000 - 500 * (4 - outside), 0)
    assert await value("select count(*) from purchases where status = 3") == 4
    assert await value("select count(*) from transfers where kind = 'DEPOSIT'") == 8
    assert await value("select count(*) from outbox where name = 'prop.purchase.paid'") == 4
    await books_hold()


async def test_paid_by_hand_before_any_job_moves_no_money(database: str) -> None:
    world = await a_world(database)
    purchase, _ = await _buy(world)
    await purchases.update_purchase(MANAGER, purchase, status=PAID, changes={"external_reference": "wire 12"})
    assert await _cash(world) == (2000, 0)
    await books_hold()
    await settle()
    assert await rows("select status, paid_from, external_reference from purchases") == [
        {"status": 3, "paid_from": "OUTSIDE", "external_reference": "wire 12"}
    ]
    assert await value("select count(*) from transfers where kind = 'FEE'") == 0
    with pytest.raises(InvalidTransition):
        await purchases.update_purchase(MANAGER, purchase, status=PAID)
    await books_hold()


async def test_failed_by_hand_calls_the_challenge_off_and_active_ones_do_not_fail(database: str) -> None:
    world = await a_world(database)
    purchase, challenge = await _buy(world)
    await purchases.update_purchase(MANAGER, purchase, status=FAILED, reason="chargeback")
    await purchases.update_purchase(MANAGER, purchase, status=FAILED, reason="again")  # no change
    await settle()
    assert await rows("select status, failure_reason from purchases") == [{"status": 4, "failure_reason": "chargeback"}]
    assert await value("select end_reason from challenges where id = $1", challenge) == "PURCHASE_FAILED"
    assert await value("select status from accounts") == "LOCKED"
    assert await _cash(world) == (2000, 0)
    active, _ = await _buy(world, "k2")
    await settle()
    with pytest.raises(InvalidTransition):
        await purchases.update_purchase(MANAGER, active, status=FAILED, reason="chargeback")
    await books_hold()


async def test_a_linked_purchase_is_deleted_only_when_failed_or_refunded_and_its_challenge_stays(
    database: str,
) -> None:
    world = await a_world(database)
    bought = [await _buy(world, f"k{n}") for n in range(3)]
    (failed, _), (refunded, challenge), (active, _) = bought
    with pytest.raises(PurchaseLinked):
        await purchases.delete_purchase(MANAGER, failed, "x")
    await purchases.update_purchase(MANAGER, failed, status=FAILED, reason="x")
    await settle()
    await refunds.refund(MANAGER, refunded, reason="x", key="r1")
    with pytest.raises(PurchaseLinked):
        await purchases.delete_purchase(MANAGER, active, "x")
    for purchase in (failed, refunded):
        await purchases.delete_purchase(MANAGER, purchase, "cleared")
        await books_hold()
    assert [row["id"] for row in await rows("select id from purchases")] == [active]
    assert await value("select purchase_id from challenges where id = $1", challenge) is None
    assert await value("select count(*) from challenges") == 3
    [audited] = await rows("select before ->> 'status' as status, before ->> 'price' as price, reason from audit "
                           "where operation = 'deletePurchase' and object_id = $1", str(refunded))  # fmt: skip
    assert audited == {"status": "REFUNDED", "price": "500", "reason": "cleared"}
    await settle()
    assert await value("select count(*) from jobs where status <> 'DONE'") == 0
    with pytest.raises(NotFound):
        await purchases.delete_purchase(MANAGER, failed, "again")


async def test_a_purchase_without_a_challenge_is_deleted_and_its_reservation_ends(database: str) -> None:
    world = await a_world(database)
    purchase, challenge = await _buy(world)
    async with another_process(database) as other:  # what no verb of ours leaves behind
        await other.execute("delete from jobs; delete from days; update accounts set challenge_id = null")
        await other.execute("delete from challenge_phases")
        await other.execute("delete from challenges where id = $1", challenge)
    await purchases.delete_purchase(MANAGER, purchase, "no challenge")
    assert await _cash(world) == (2000, 0)
    assert await value("select count(*) from purchases") == 0
    await books_hold()


async def test_a_purchase_whose_payout_is_open_stays(database: str) -> None:
    world = await a_world(database)
    purchase, challenge = await _buy(world)
    await settle()
    await refunds.refund(MANAGER, purchase, reason="x", key="r1")
    async with another_process(database) as other:
        await other.execute(
            """insert into payouts (brand, challenge_id, phase_id, account_id, wallet_id, status, currency, profit,
              split, amount, day, created_at) select 'acme', c.id, 1, c.account_id, $1, 'REQUESTED', 'USD', 1, 1, 1, 1,
              now() from challenges c where c.id = $2""",
            world.wallet,
            challenge,
        )
    with pytest.raises(PayoutOpen):
        await purchases.delete_purchase(MANAGER, purchase, "x")
