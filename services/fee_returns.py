"""The fee of a purchase that is returned with the first payout, if the terms say so."""

from dataclasses import dataclass
from decimal import Decimal

from domain.lifecycles import PurchaseStatus
from domain.terms import terms_from_text
from models import challenges, purchases, wallets
from services import transfers
from services.transfers import House, Wallet
from services.unit_of_work.unit import UnitOfWork


@dataclass(frozen=True, slots=True)
class FeeReturn:
    """A fee that is returned to the client with a payout."""

    purchase: int
    brand: str
    wallet: int
    currency: str
    amount: Decimal


async def due(work: UnitOfWork, challenge_id: int) -> FeeReturn | None:
    """Return the fee that the challenge's next payout returns, with its purchase locked.

    None without such a term, after the first payout, without a fee, after a refund, or if the purchase is deleted. A
    price paid outside is returned to the client's wallet, like the payout.
    """
    card = await challenges.read_challenge(work.conn, challenge_id)
    terms = terms_from_text(card["body"])
    if not terms.phases[-1].payout.fee_back or card["purchase_id"] is None:
        return None
    purchase = await purchases.lock_purchase(card["purchase_id"])
    if purchase is None or purchase.status is PurchaseStatus.REFUNDED or purchase.price == 0:
        return None
    if purchase.fee_returned_with_id is not None:
        return None
    brand, currency = purchase.brand_id, purchase.currency_id
    wallet = purchase.wallet_id or await wallets.ensure_wallet(brand, purchase.client, currency)
    return FeeReturn(purchase.id, brand, wallet, currency, purchase.price)


async def pay_fee_return(work: UnitOfWork, fee: FeeReturn, payout_id: int) -> None:
    """Transfer the fee from the treasury to the locked wallet, and record the payout it came with."""
    await transfers.transfer(
        work,
        brand=fee.brand,
        kind="FEE_RETURN",
        money="REAL",
        currency=fee.currency,
        source=House("TREASURY"),
        target=Wallet(fee.wallet),
        amount=fee.amount,
        cause=f"purchase {fee.purchase} fee returned with payout {payout_id}",
    )
    await purchases.note_fee_returned(work.conn, fee.purchase, payout_id)
