"""Purchases paid outside: they wait under a reference, are activated once by their payment, or leave nothing behind."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from config.settings import settings
from domain.errors import (
    AlreadyPaid,
    IdempotencyConflict,
    InvalidInput,
    InvalidTransition,
    Locked,
    NotFound,
    PaymentExpired,
    PaymentMismatch,
    Refused,
    TooManyUnpaid,
)
from domain.lifecycles import PurchaseStatus
from domain.payments import Payment
from models import challenges as challenge_rows
from models import purchases as purchase_rows
from models import sql
from services import payments, periodic, program_deletion, purchases, refunds
from services.connections import LOST
from services.payments import ConfirmedPayment
from services.principals import Principal, Role
from tests.services.test_faults import cut
from tests.services.world import (
    ADMIN,
    CLIENT,
    MANAGER,
    World,
    a_world,
    another_process,
    books_hold,
    elsewhere,
    rows,
    settle,
    totals,
    value,
    waits,
)

PROVIDER = Principal(7, "stripe", Role.PAYMENTS, "acme")
STRANGER = Principal(8, "stripe", Role.PAYMENTS, "other")
PAID, FAILED = PurchaseStatus.PAID, PurchaseStatus.FAILED
PRICE = Decimal(500)
MADE = ("challenges", "challenge_phases", "accounts", "balances", "ledger", "jobs", "outbox")


async def _order(world: World, key: str = "k1") -> tuple[int, str]:
    """Order the program for alice; the purchase and its reference."""
    purchase = await payments.order_purchase(CLIENT, world.program, key)
    return purchase, await value("select payment_reference from purchases where id = $1", purchase)


async def _confirm(reference: str, key: str = "c1", *, who: Principal = PROVIDER, **changes: Any) -> ConfirmedPayment:
    given: dict[str, Any] = {"amount": PRICE, "currency": "USD"} | changes
    return await payments.confirm_payment(who, reference=reference, key=key, **given)


async def _let_expire(url: str) -> None:
    async with another_process(url) as other:
        await other.execute("update purchases set expires_at = now() - interval '1 second' where status = 0")


async def test_an_order_makes_a_purchase_and_nothing_else(database: str) -> None:
    world = await a_world(database, cash=1)
    before = await totals()
    purchase, reference = await _order(world)
    assert await totals() == before | {name: before[name] + 1 for name in ("purchases", "terms", "receipts")}
    assert await rows("select status, client, price, wallet_id, paid_from from purchases where id = $1", purchase) == [
        {"status": 0, "client": "alice", "price": PRICE, "wallet_id": None, "paid_from": None}
    ]
    assert len(reference) == 16
    due = "select extract(epoch from expires_at - recorded_at) / 3600 from purchases"
    assert round(await value(due)) == 24
    assert await _order(world) == (purchase, reference)
    await books_hold()


async def test_a_confirmed_payment_activates_the_purchase_and_moves_no_money_of_ours(database: str) -> None:
    world = await a_world(database, cash=1)
    purchase, reference = await _order(world)
    confirmed = await _confirm(reference)
    assert confirmed.purchase == purchase
    await settle()
    assert await rows("select status, paid_from from purchases") == [{"status": 3, "paid_from": "OUTSIDE"}]
    account = await world.account(confirmed.challenge)
    assert await value("select status from accounts where id = $1", account) == "ACTIVE"
    assert await value("select count(*) from challenge_phases") == 2
    assert await rows("select distinct kind from transfers order by kind") == [{"kind": "DEPOSIT"}, {"kind": "TOP_UP"}]
    assert [row["name"] for row in await rows("select name from outbox order by id")] == [
        "prop.purchase.paid", "prop.purchase.account_created", "prop.purchase.active", "prop.challenge.started",
    ]  # fmt: skip
    assert await rows("select actor, operation, object_id from audit where role = 'PAYMENTS'") == [
        {"actor": "payments:stripe", "operation": "confirmPayment", "object_id": str(purchase)}
    ]
    await books_hold()


async def test_a_payment_that_is_not_the_one_awaited_is_refused_with_its_code(database: str) -> None:
    world = await a_world(database)
    _, reference = await _order(world)
    before = await totals()
    cases: list[tuple[type[Refused], str, Principal, dict[str, Any]]] = [
        (PaymentMismatch, "amount", PROVIDER, {"amount": Decimal("499.99")}),
        (PaymentMismatch, "amount", PROVIDER, {"amount": Decimal("500.01")}),
        (PaymentMismatch, "currency", PROVIDER, {"currency": "EUR"}),
        (NotFound, "reference", STRANGER, {}),
    ]
    for refusal, field, who, changes in cases:
        with pytest.raises(refusal) as refused:
            await _confirm(reference, who=who, **changes)
        assert refused.value.field == field
        if field == "amount":
            assert str(refused.value).endswith(f": price 500, paid {changes['amount']}.")
    with pytest.raises(NotFound):
        await _confirm("A" * 16)
    assert await totals() == before
    assert (await _confirm(reference)).purchase, "the keys of what was refused are free"


async def test_the_same_key_is_the_same_answer_another_one_is_told_it_is_paid(database: str) -> None:
    world = await a_world(database)
    _, reference = await _order(world)
    first = await _confirm(reference)
    await settle()
    before = await totals()
    assert await _confirm(reference) == first
    with pytest.raises(IdempotencyConflict):
        await _confirm(reference, amount=Decimal(1))
    for who in (PROVIDER, MANAGER, ADMIN):
        with pytest.raises(AlreadyPaid):
            await _confirm(reference, "c2", who=who)
    with pytest.raises(AlreadyPaid):
        await purchases.update_purchase(MANAGER, first.purchase, status=PAID)
    assert await totals() == before


async def test_confirmations_at_once_activate_once(database: str) -> None:
    world = await a_world(database)
    purchase, reference = await _order(world)
    keys = ("c1", "c2", "c1", "c3", "c1", "c2")
    answers = await asyncio.gather(
        *(_confirm(reference, key) for key in keys),
        purchases.update_purchase(MANAGER, purchase, status=PAID),
        return_exceptions=True,
    )
    kinds = {type(answer).__name__ for answer in answers}
    assert kinds <= {"ConfirmedPayment", "AlreadyPaid", "SavedObject", "Locked"}
    assert len([one for one in answers if not isinstance(one, Refused)]) >= 1
    for table in ("challenges", "accounts", "jobs"):
        assert await value(f"select count(*) from {table}") == 1
    await settle()
    assert await value("select count(*) from transfers where kind = 'DEPOSIT'") == 2, "a pair"
    await books_hold()


async def test_by_hand_a_purchase_is_paid_or_called_off(database: str) -> None:
    world = await a_world(database)
    paid, _ = await _order(world)
    failed, reference = await _order(world, "k2")
    await purchases.update_purchase(MANAGER, paid, status=PAID)
    await purchases.update_purchase(MANAGER, failed, status=FAILED, reason="the client changed her mind")
    await settle()
    assert await rows("select id, status, paid_from from purchases order by id") == [
        {"id": paid, "status": 3, "paid_from": "OUTSIDE"}, {"id": failed, "status": 4, "paid_from": None},
    ]  # fmt: skip
    with pytest.raises(InvalidTransition):
        await _confirm(reference)
    assert await value("select count(*) from challenges") == 1
    await purchases.delete_purchase(MANAGER, failed, "nothing hangs on it")
    with pytest.raises(NotFound):
        await _confirm(reference)
    await books_hold()


async def test_one_that_expires_leaves_nothing_behind_and_its_payment_is_refused(database: str) -> None:
    world = await a_world(database)
    before = await totals()
    _, late = await _order(world)
    _, in_time = await _order(world, "k2")
    async with another_process(database) as other:
        await other.execute("update purchases set expires_at = now() where payment_reference = $1", late)
    with pytest.raises(PaymentExpired):
        await _confirm(late)
    await periodic.run_round("worker")
    assert await rows("select status, failure_reason from purchases order by id") == [
        {"status": 4, "failure_reason": "PAYMENT_EXPIRED"}, {"status": 0, "failure_reason": None},
    ]  # fmt: skip
    with pytest.raises(PaymentExpired):
        await _confirm(late, "c2")
    assert {name: (await totals())[name] for name in MADE} == {name: before[name] for name in MADE}
    assert await value("select reserved from wallets") == 0
    await _confirm(in_time, "c3")
    await books_hold()


async def test_a_payment_and_the_expiry_at_once_one_of_them_counts(database: str) -> None:
    world = await a_world(database)
    _, reference = await _order(world)
    async with another_process(database) as other:
        await other.execute("select from purchases for no key update")
        confirming = asyncio.create_task(elsewhere(_confirm(reference)))
        await waits(database)
        assert await payments.expire_orders() == 0, "a payment may be reaching it"
        await other.execute("update purchases set expires_at = now()")
    with pytest.raises(PaymentExpired):
        await confirming
    assert await payments.expire_orders() == 1
    assert await value("select count(*) from challenges") == 0


async def test_one_called_off_while_its_payment_is_confirmed_is_read_again(database: str) -> None:
    world = await a_world(database)
    purchase, reference = await _order(world)
    async with another_process(database) as other:
        await other.execute("select from purchases for no key update")
        confirming = asyncio.create_task(elsewhere(_confirm(reference)))
        await waits(database)
        calling_off = asyncio.create_task(
            elsewhere(purchases.update_purchase(MANAGER, purchase, status=FAILED, reason="too late"))
        )
        await waits(database, 2)
    await confirming
    with pytest.raises(Locked):
        await calling_off
    await purchases.update_purchase(MANAGER, purchase, status=FAILED, reason="too late")
    assert await value("select status from challenges") == 4
    await books_hold()


async def test_a_client_has_so_many_unpaid_purchases_and_no_more(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(database)
    few = settings().replace(unpaid_purchases_max=2)
    monkeypatch.setattr(payments, "settings", lambda: few)
    answers = await asyncio.gather(*(_order(world, f"k{n}") for n in range(5)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["TooManyUnpaid"] * 3 + ["tuple"] * 2
    await _let_expire(database)
    await payments.expire_orders()
    for key in ("k8", "k9"):
        await _order(world, key)
    with pytest.raises(TooManyUnpaid):
        await _order(world, "k10")


async def test_a_wallet_is_named_exactly_for_a_payment_from_it(database: str) -> None:
    world = await a_world(database, price=0)
    for wallet, payment, field in (
        (None, Payment.WALLET, "walletId"),
        (world.wallet, Payment.EXTERNAL, "walletId"),
        (None, Payment.EXTERNAL, "payment"),  # it costs nothing
    ):
        with pytest.raises(InvalidInput) as refused:
            await purchases.place_purchase(CLIENT, world.program, wallet, payment, "k1")
        assert refused.value.field == field
    _, challenge = await purchases.place_purchase(CLIENT, world.program, world.wallet, Payment.WALLET, "k1")
    assert challenge


async def test_a_refund_of_what_was_paid_outside_moves_no_money_of_ours(database: str) -> None:
    world = await a_world(database)
    _, reference = await _order(world)
    paid = await _confirm(reference)
    await settle()
    transfers = await value("select count(*) from transfers")
    await refunds.refund(MANAGER, paid.purchase, reason="goodwill", key="r1")
    await settle()
    assert await value("select count(*) from transfers") == transfers
    assert await rows("select status, paid_from from purchases") == [{"status": 5, "paid_from": "OUTSIDE"}]
    assert await value("select status from challenges") == 4
    with pytest.raises(InvalidTransition):
        await _confirm(reference, "c2")
    await books_hold()


async def test_a_deleted_program_takes_what_waits_for_its_payment_with_it(database: str) -> None:
    world = await a_world(database)
    _, reference = await _order(world)
    gone = await program_deletion.delete_program(MANAGER, world.program, "withdrawn")
    assert (gone["purchases"], gone["challenges"]) == (1, 0)
    with pytest.raises(NotFound):
        await _confirm(reference)
    await books_hold()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_confirmation_cut_off_anywhere_is_whole_or_not_there(
    database: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    world = await a_world(database)
    steps = [(purchase_rows, "lock_purchase"), (challenge_rows, "insert_phases"),
             (purchase_rows, "set_purchase_status"), (sql, "write_together")]  # fmt: skip
    for n, (module, name) in enumerate(steps):
        _, reference = await _order(world, f"k{n}")
        before = await totals()
        with monkeypatch.context() as patch:
            killed = cut(patch, database, module, name, after=after)
            with pytest.raises((*LOST, Locked)):
                await _confirm(reference, f"c{n}")
            assert killed, name
        assert await totals() == before, name
        await _confirm(reference, f"c{n}")
        await settle()
    assert await value("select count(*) from challenges") == len(steps)
    await books_hold()
