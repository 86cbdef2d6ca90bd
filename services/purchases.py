"""Purchases: bought by clients, annotated and moved by managers, deleted once nothing depends on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from domain.errors import (
    InsufficientFunds,
    InvalidInput,
    Locked,
    NotFound,
    PurchaseLinked,
    WalletMismatch,
)
from domain.ledger import Facts
from domain.lifecycles import ChallengeStatus, PurchaseStatus, move
from domain.money import plain as plain_text
from domain.payments import Payment
from domain.reasons import Reason
from domain.terms import Terms
from domain.validation import text_fault
from models import challenges, purchases, wallets
from models.tables.purchases import Purchase
from services import payments, receipts, sales
from services.challenges import call_off, check_payouts, checked_reason
from services.principals import Principal, Role
from services.sales import AwaitedFrom, Buyer
from services.saving import SavedObject
from services.unit_of_work.openings import catch_up_many, transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork

TEXTS = {"external_reference": 200, "comment": 10_000}
TAGS_MAX, TAG_MAX = 20, 64
BY_HAND = (PurchaseStatus.PAID, PurchaseStatus.FAILED)


async def place_purchase(
    principal: Principal, program_id: int, wallet_id: int | None, payment: Payment, key: str
) -> tuple[int, int | None]:
    """Sell the program, paid as the client chooses; return the ids of the purchase and, if it has begun, the challenge.

    Raises InvalidInput, and what `buy` and `payments.order_purchase` raise.
    """
    if payment is Payment.EXTERNAL:
        if wallet_id is not None:
            raise InvalidInput("walletId", reason="must be left out: an EXTERNAL payment takes nothing from a wallet")
        return await payments.order_purchase(principal, program_id, key), None
    if wallet_id is None:
        raise InvalidInput("walletId", reason="must be named for the payment WALLET")
    return await buy(principal, program_id, wallet_id, key)


async def buy(principal: Principal, program_id: int, wallet_id: int, key: str) -> tuple[int, int]:
    """Sell the program to the wallet's client and begin its challenge; return the ids of purchase and challenge.

    Raises NotFound, TooManyChallenges, ProgramNotAvailable, WalletMismatch or InsufficientFunds; then nothing is
    written.
    """
    content = {"programId": program_id, "walletId": wallet_id}
    buyer = sales.require_buyer(principal)
    async with transaction() as work:
        if stored := await receipts.claim_key(work, principal, "buyChallenge", key, content):
            return stored["purchase"], stored["challenge"]
        await sales.take_share(work, buyer, program_id)
        frozen = await sales.lock_program(work, buyer.brand, program_id)
        await _reserve(work, buyer, wallet_id, frozen[0])
        purchase_id = await sales.write_purchase(work, buyer, frozen, AwaitedFrom(wallet_id))
        challenge_id, account_id = await sales.begin_challenge(work, buyer, purchase_id, frozen[2])
        work.enqueue("withdraw_fee", brand=buyer.brand, challenge_id=challenge_id, account_id=account_id)
        answer = {"purchase": purchase_id, "challenge": challenge_id}
        await receipts.store_answer(work, principal, "buyChallenge", key, answer)
    return purchase_id, challenge_id


async def _reserve(work: UnitOfWork, buyer: Buyer, wallet_id: int, terms: Terms) -> None:
    """Reserve the price on the client's wallet, so that two purchases cannot spend the same money."""
    wallet = await wallets.lock_wallet(work.conn, wallet_id)
    if wallet is None or (wallet["brand"], wallet["client"]) != (buyer.brand, buyer.client):
        raise NotFound("walletId", wallet=wallet_id)
    if wallet["currency"] != terms.price_currency:
        raise WalletMismatch("walletId", price_in=terms.price_currency, wallet_in=wallet["currency"])
    free = wallet["cash"] - wallet["reserved"]
    if free < terms.price:
        raise InsufficientFunds("walletId", price=terms.price, free=free)
    await wallets.add_reservation(work.conn, wallet_id, terms.price)


@dataclass(frozen=True, slots=True)
class ChangeablePurchase:
    """A purchase that the principal may change: its brand and program, and the lock roots of its challenges."""

    id: int
    brand: str
    program: int | None
    challenges: tuple[int, ...]

    @property
    def roots(self) -> list[LockRoot]:
        return [LockRoot.of_challenge(challenge_id) for challenge_id in self.challenges]


async def changeable_purchase(principal: Principal, purchase_id: int) -> ChangeablePurchase:
    """Return the purchase that the principal may change. Raises Forbidden, NotFound."""
    principal.require(Role.ADMIN, Role.MANAGER)
    async with read_connection() as conn:
        found = await purchases.read_purchase(conn, purchase_id)
    if found is None or not principal.sees(found["brand"]):
        raise NotFound("id", id=purchase_id)
    return ChangeablePurchase(purchase_id, found["brand"], found["program_id"], tuple(found["challenges"]))


async def lock_purchase(work: UnitOfWork, reached: ChangeablePurchase) -> Purchase:
    """Lock the purchase's row, after its challenges and its program.

    Raises NotFound if it was deleted, and Locked if it was paid, and a challenge began, since it was read.
    """
    if reached.program is not None:
        await purchases.lock_program(work.conn, reached.program)
    row = await purchases.lock_purchase(reached.id)
    if row is None:
        raise NotFound("id", id=reached.id)
    now = await purchases.read_purchase(work.conn, reached.id)
    if now is None or tuple(now["challenges"]) != reached.challenges:
        raise Locked(purchase=reached.id)
    return row


def purchase_facts(purchase: Purchase) -> Facts:
    """Return the purchase as audit facts."""
    return {
        "id": purchase.id,
        "client": purchase.client,
        "status": purchase.status.name,
        "price": plain_text(purchase.price),
        "currency": purchase.currency_id,
        "paid_from": purchase.paid_from,
        "payment_reference": purchase.payment_reference,
        "fee_returned_with": purchase.fee_returned_with_id,
        "failure_reason": purchase.failure_reason,
        "external_reference": purchase.external_reference,
        "comment": purchase.comment,
        "tags": list(purchase.tags),
        "terms_hash": purchase.terms_id,
    }


async def update_purchase(
    principal: Principal,
    purchase_id: int,
    *,
    changes: Mapping[str, Any] | None = None,
    status: PurchaseStatus | None = None,
    reason: str = "",
    shown: str | None = None,
) -> SavedObject:
    """Change the firm's notes, and the status as far as a manager may.

    `changes` may have external_reference, comment and tags; None clears. PAID says that the price was paid outside:
    the reservation ends and nothing moves; one that waits for its payment is activated. FAILED calls the challenge
    off and needs a reason. The status it has is no change. Raises Forbidden, InvalidInput, NotFound,
    InvalidTransition, AlreadyPaid, PaymentExpired, AccountUnreadable, Locked.
    """
    reached = await changeable_purchase(principal, purchase_id)
    notes = _notes(changes or {})
    is_due = status is PurchaseStatus.FAILED or reason or shown is not None
    why = checked_reason(reason, shown) if is_due else Reason("")
    async with catch_up_many(reached.roots if status is not None else []) as work:
        work.check_readable()
        await work.flush()  # writes what catching up changed
        row = await lock_purchase(work, reached)
        before = purchase_facts(row)
        if status is not None and status != row.status:
            await _move_by_hand(work, reached, row, status, why)
        kept = {name: notes.get(name, getattr(row, name)) for name in ("external_reference", "comment", "tags")}
        await Purchase.filter(id=purchase_id).update(**kept, updated_at=work.now)
        after = kept | {"status": (row.status if status is None else PurchaseStatus(status)).name}
        work.audit(
            principal,
            "updatePurchase",
            object_kind="purchase",
            object_id=purchase_id,
            brand=reached.brand,
            reason=reason,
            before=before,
            after=after,
        )
    return SavedObject(purchase_id, {name: before[name] for name in after}, after)


def _notes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notes as they are stored. Raises InvalidInput."""
    notes = dict(changes)
    for name, length_max in TEXTS.items():
        text = notes.get(name)
        if text is not None and (fault := text_fault(text, length_max)):
            raise InvalidInput("externalReference" if name == "external_reference" else name, reason=fault)
    if "tags" in notes:
        notes["tags"] = _tags(notes["tags"] or ())
    return notes


def _tags(tags: Sequence[str]) -> list[str]:
    if len(tags) > TAGS_MAX:
        raise InvalidInput("tags", reason=f"must be at most {TAGS_MAX}")
    for place, tag in enumerate(tags):
        if fault := text_fault(tag, TAG_MAX) or ("occurs twice" if tag in tags[:place] else None):
            raise InvalidInput(f"tags[{place}]", reason=fault)
    return list(tags)


async def _move_by_hand(
    work: UnitOfWork, reached: ChangeablePurchase, row: Purchase, status: PurchaseStatus, reason: Reason
) -> None:
    if status not in BY_HAND:
        raise InvalidInput("status", reason="PAID and FAILED are set by hand; to give money back, use refundPurchase")
    if status is PurchaseStatus.PAID and row.payment_reference is not None:
        await payments.check_payment(work, row, row.price, row.currency_id)
        await payments.activate_purchase(work, row)
        return
    target = move("purchase", row.status, status)
    if status is PurchaseStatus.PAID:
        await _paid_outside(work, reached, row)
    elif running := await _running(work, reached):
        await call_off(work, running["id"], "PURCHASE_FAILED", reason)
    else:
        told = reason.told("PURCHASE_FAILED")
        await purchases.fail_purchase(work.conn, reached.id, target, work.now, reason=reason.internal, shown=told)


async def _running(work: UnitOfWork, reached: ChangeablePurchase) -> asyncpg.Record | None:
    """Return the purchase's challenge that has not ended, or None."""
    for challenge_id in reached.challenges:
        card = await challenges.read_challenge(work.conn, challenge_id)
        if card["status"] in (ChallengeStatus.PENDING, ChallengeStatus.ACTIVE):
            return card
    return None


async def _paid_outside(work: UnitOfWork, reached: ChangeablePurchase, row: Purchase) -> None:
    """PENDING to PAID without a transfer: the reservation ends, and the deposit is queued."""
    assert row.wallet_id is not None, "one without a wallet has a payment reference"
    await wallets.lock_wallet(work.conn, row.wallet_id)
    await wallets.add_reservation(work.conn, row.wallet_id, -row.price)
    await purchases.set_purchase_status(work.conn, reached.id, PurchaseStatus.PAID, work.now, paid_from="OUTSIDE")
    if running := await _running(work, reached):
        payload = {"purchase": reached.id, "account": running["account_id"], "paid_from": "OUTSIDE"}
        work.emit("prop.purchase.paid", brand=reached.brand, challenge_id=running["id"], payload=payload)
        work.enqueue("deposit", brand=reached.brand, challenge_id=running["id"], account_id=running["account_id"])


async def delete_purchase(principal: Principal, purchase_id: int, reason: str) -> None:
    """Delete a purchase without a challenge, or one that failed or was refunded; its challenge and verdicts stay.

    Raises Forbidden, InvalidInput, NotFound, PurchaseLinked, PayoutOpen.
    """
    reached = await changeable_purchase(principal, purchase_id)
    checked_reason(reason)
    async with catch_up_many(reached.roots) as work:
        await work.flush()  # writes what catching up changed
        row = await lock_purchase(work, reached)
        status = row.status
        if reached.challenges and status not in (PurchaseStatus.FAILED, PurchaseStatus.REFUNDED):
            raise PurchaseLinked("id", status=status.name, challenge=reached.challenges[0])
        await check_payouts(work, reached.challenges)
        if status is PurchaseStatus.PENDING and row.wallet_id is not None:
            await wallets.lock_wallet(work.conn, row.wallet_id)
            await wallets.add_reservation(work.conn, row.wallet_id, -row.price)
        await row.delete()
        work.audit(
            principal,
            "deletePurchase",
            object_kind="purchase",
            object_id=purchase_id,
            brand=reached.brand,
            reason=reason,
            before=purchase_facts(row) | {"challenges": list(reached.challenges)},
        )
