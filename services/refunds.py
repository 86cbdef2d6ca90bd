"""Refunds: a paid fee is returned to its wallet, once, and the challenge ends."""

from decimal import Decimal

from domain.errors import FeeNotTaken, FeeReturned
from domain.lifecycles import ChallengeStatus, PurchaseStatus, move
from domain.money import plain as plain_text
from domain.reasons import Reason
from models import challenges, purchases, wallets
from services import receipts, transfers
from services.challenges import call_off, check_payouts, checked_reason, secure_account
from services.principals import Principal
from services.purchases import ChangeablePurchase, changeable_purchase, lock_purchase, purchase_facts
from services.transfers import House, Wallet
from services.unit_of_work.openings import catch_up_many
from services.unit_of_work.unit import UnitOfWork


async def refund(principal: Principal, purchase_id: int, *, reason: str, key: str, shown: str | None = None) -> None:
    """Return a purchase's fee and cancel its challenge; the account is locked.

    What was paid from the wallet returns there; what was paid outside the firm returns outside. The same key and
    content again moves nothing. Raises Forbidden, InvalidInput, NotFound, InvalidTransition, FeeNotTaken,
    FeeReturned, PayoutOpen, IdempotencyConflict, AccountUnreadable.
    """
    reached = await changeable_purchase(principal, purchase_id)
    why = checked_reason(reason, shown)
    content = {"purchaseId": purchase_id, **why.content}
    async with catch_up_many(reached.roots) as work:
        if await receipts.claim_key(work, principal, "refundPurchase", key, content) is not None:
            return
        work.check_readable()
        await work.flush()  # writes what catching up changed
        row = await lock_purchase(work, reached)
        target = move("purchase", row.status, PurchaseStatus.REFUNDED)
        if row.paid_from is None:
            raise FeeNotTaken("id", status=row.status.name)
        if row.fee_returned_with_id is not None:
            raise FeeReturned("id", payout=row.fee_returned_with_id)
        await check_payouts(work, reached.challenges)
        await purchases.set_purchase_status(work.conn, purchase_id, target, work.now)
        for challenge_id in reached.challenges:
            await _end(work, challenge_id, why)
        if row.paid_from == "WALLET" and row.price > 0:
            assert row.wallet_id is not None, "a wallet has paid"
            await _give_back(work, reached, row.wallet_id, row.currency_id, row.price)
        payload = {"purchase": purchase_id, "amount": plain_text(row.price), "paid_from": row.paid_from}
        for challenge_id in reached.challenges[:1]:
            told = payload | {"reason": why.told("REFUNDED")}
            work.emit("prop.purchase.refunded", brand=reached.brand, challenge_id=challenge_id, payload=told)
        work.audit(
            principal,
            "refundPurchase",
            object_kind="purchase",
            object_id=purchase_id,
            brand=reached.brand,
            reason=reason,
            before=purchase_facts(row),
            after={"status": target.name},
        )
        await receipts.store_answer(work, principal, "refundPurchase", key, {"purchase": purchase_id})


async def _end(work: UnitOfWork, challenge_id: int, reason: Reason) -> None:
    """Cancel the challenge if it runs; lock the account of one that has ended."""
    card = await challenges.read_challenge(work.conn, challenge_id)
    if card["status"] in (ChallengeStatus.PENDING, ChallengeStatus.ACTIVE):
        await call_off(work, challenge_id, "REFUNDED", reason)
    elif held := work.locked_accounts.get(card["account_id"]):
        secure_account(work, held, "REFUNDED")


async def _give_back(
    work: UnitOfWork, reached: ChangeablePurchase, wallet_id: int, currency: str, amount: Decimal
) -> None:
    await wallets.lock_wallet(work.conn, wallet_id)
    await transfers.transfer(
        work,
        brand=reached.brand,
        kind="REFUND",
        money="REAL",
        currency=currency,
        source=House("TREASURY"),
        target=Wallet(wallet_id),
        amount=amount,
        cause=f"purchase {reached.id} refund",
    )
