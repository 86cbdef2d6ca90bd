"""Payments from outside: a purchase waits under a reference; a confirmation activates it once, or it expires."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from config.settings import settings
from domain.errors import InvalidInput, NotFound, TooManyUnpaid
from domain.lifecycles import PurchaseStatus
from domain.money import plain as plain_text
from domain.payments import EXPIRED, AwaitedPayment, Payment
from models import purchases
from models.tables.purchases import Purchase
from services import receipts, sales
from services.principals import Principal, Role
from services.sales import AwaitedFrom, Buyer
from services.unit_of_work.openings import transaction
from services.unit_of_work.unit import UnitOfWork

EXPIRED_AT_ONCE = 1_000
ALPHABET, LENGTH = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16
"""Length of a reference: short enough to be typed, with 80 random bits."""


@dataclass(frozen=True, slots=True)
class ConfirmedPayment:
    """A purchase whose payment is confirmed, and its challenge."""

    purchase: int
    challenge: int


async def order_purchase(principal: Principal, program_id: int, key: str) -> int:
    """Sell the program for a payment from outside: a PENDING purchase without a challenge. Return its id.

    Raises NotFound, ProgramNotAvailable, TooManyChallenges, TooManyUnpaid, IdempotencyConflict, and InvalidInput if the
    price is zero; then nothing is written.
    """
    buyer = sales.require_buyer(principal)
    content = {"programId": program_id, "walletId": None, "payment": Payment.EXTERNAL.value}
    async with transaction() as work:
        if stored := await receipts.claim_key(work, principal, "buyChallenge", key, content):
            return int(stored["purchase"])
        share = await sales.take_share(work, buyer, program_id)
        if share.unpaid >= (most := settings().unpaid_purchases_max):
            raise TooManyUnpaid(None, unpaid=share.unpaid, most=most)
        frozen = await sales.lock_program(work, buyer.brand, program_id)
        if frozen[0].price == 0:
            raise InvalidInput("payment", reason="must be WALLET: the program costs nothing")
        reference = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        expires_at = work.clocks.real_time + timedelta(hours=settings().payment_expires_hours)
        payment = AwaitedFrom(reference=reference, expires_at=expires_at)
        purchase_id = await sales.write_purchase(work, buyer, frozen, payment)
        await receipts.store_answer(work, principal, "buyChallenge", key, {"purchase": purchase_id})
    return purchase_id


async def confirm_payment(
    principal: Principal, *, reference: str, amount: Decimal, currency: str, key: str
) -> ConfirmedPayment:
    """Accept the payment that a provider received, and activate its purchase. The same key does so once.

    `amount` and `currency` are those of the payment and must be the price. Raises Forbidden, NotFound,
    IdempotencyConflict, AlreadyPaid, PaymentExpired, PaymentMismatch, InvalidTransition.
    """
    principal.require(Role.PAYMENTS, Role.MANAGER, Role.ADMIN)
    content = {"reference": reference, "amount": amount, "currency": currency}
    async with transaction() as work:
        if stored := await receipts.claim_key(work, principal, "confirmPayment", key, content):
            return ConfirmedPayment(stored["purchase"], stored["challenge"])
        row = await _lock(work, principal, reference)
        await check_payment(work, row, amount, currency)
        challenge_id = await activate_purchase(work, row)
        work.audit(
            principal,
            "confirmPayment",
            object_kind="purchase",
            object_id=row.id,
            brand=row.brand_id,
            before={"status": row.status.name},
            after={
                "status": PurchaseStatus.PAID.name,
                "reference": reference,
                "amount": plain_text(amount),
                "currency": currency,
                "challenge": challenge_id,
            },
        )
        answer = {"purchase": row.id, "challenge": challenge_id}
        await receipts.store_answer(work, principal, "confirmPayment", key, answer)
    return ConfirmedPayment(**answer)


async def _lock(work: UnitOfWork, principal: Principal, reference: str) -> Purchase:
    """Lock the purchase that waits under the reference, after its program. Raises NotFound."""
    known = await Purchase.get_or_none(payment_reference=reference)
    if known is None or not principal.sees(known.brand_id):
        raise NotFound("reference", reference=reference)
    if known.program_id is not None:
        await purchases.lock_program(work.conn, known.program_id)
    row = await purchases.lock_purchase(known.id)
    if row is None:
        raise NotFound("reference", reference=reference)
    return row


async def check_payment(work: UnitOfWork, row: Purchase, amount: Decimal, currency: str) -> None:
    """Check a payment against its locked purchase. Raises what AwaitedPayment.check raises."""
    assert row.expires_at is not None, "whatever waits for a payment expires"
    awaited = AwaitedPayment(row.status, row.price, row.currency_id, row.expires_at, row.failure_reason)
    awaited.check(amount, currency, work.clocks.real_time)


async def activate_purchase(work: UnitOfWork, row: Purchase) -> int:
    """Set a locked purchase PAID, begin its challenge and queue the deposit. Return the challenge's id.

    No wallet or house account changes: the money is outside the desk.
    """
    buyer = Buyer(row.brand_id, row.client)
    challenge_id, account_id = await sales.begin_challenge(work, buyer, row.id, row.terms_id)
    await purchases.set_purchase_status(work.conn, row.id, PurchaseStatus.PAID, work.now, paid_from="OUTSIDE")
    payload = {"purchase": row.id, "account": account_id, "paid_from": "OUTSIDE"}
    work.emit("prop.purchase.paid", brand=row.brand_id, challenge_id=challenge_id, payload=payload)
    work.enqueue("deposit", brand=row.brand_id, challenge_id=challenge_id, account_id=account_id)
    return challenge_id


async def expire_orders() -> int:
    """Fail purchases whose payment did not come in time; return how many.

    They have no challenge, account, reservation or job.
    """
    async with transaction() as work:
        late = await purchases.lock_expired(work.conn, work.clocks.real_time, EXPIRED_AT_ONCE)
        if late:
            await purchases.fail_purchases(work.conn, late, EXPIRED, work.now)
    return len(late)
