"""Payment of a purchase: its source, and the match of an external payment with the expected price."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.errors import AlreadyPaid, PaymentExpired, PaymentMismatch
from domain.lifecycles import PurchaseStatus, move

EXPIRED = "PAYMENT_EXPIRED"
"""The failure reason of a purchase that was not paid in time."""


class Payment(StrEnum):
    WALLET = "WALLET"
    EXTERNAL = "EXTERNAL"


class PaidFrom(StrEnum):
    """The source of a purchase's price: the client's wallet, or a payment outside the desk."""

    WALLET = "WALLET"
    OUTSIDE = "OUTSIDE"


@dataclass(frozen=True, slots=True)
class AwaitedPayment:
    """The payment an EXTERNAL purchase waits for, and the state of that purchase."""

    status: PurchaseStatus
    price: Decimal
    currency: str
    expires_at: datetime
    failure_reason: str | None

    def check(self, amount: Decimal, currency: str, at: datetime) -> None:
        """Accept a payment that arrives at the real time `at`: exactly the price, before the expiry.

        Raises AlreadyPaid, PaymentExpired, InvalidTransition (the purchase failed or was refunded), PaymentMismatch.
        """
        if self.status in (PurchaseStatus.PAID, PurchaseStatus.ACCOUNT_CREATED, PurchaseStatus.ACTIVE):
            raise AlreadyPaid(None, status=self.status.name)
        if self.failure_reason == EXPIRED or (self.status is PurchaseStatus.PENDING and self.expires_at <= at):
            raise PaymentExpired(None, expired_at=self.expires_at.isoformat())
        move("purchase", self.status, PurchaseStatus.PAID)
        if currency != self.currency:
            raise PaymentMismatch("currency", price_in=self.currency, paid_in=currency)
        if amount != self.price:
            raise PaymentMismatch("amount", price=self.price, paid=amount)
