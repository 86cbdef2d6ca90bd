"""Wallets: a client's real cash, one wallet per currency."""

from decimal import Decimal

from domain import validation
from domain.errors import InvalidInput, NotFound
from domain.ledger import Facts
from domain.money import plain as plain_text
from models import wallets as rows
from services import brands, receipts, transfers
from services.principals import Principal, Role
from services.transfers import House, Wallet
from services.unit_of_work.openings import transaction
from services.unit_of_work.unit import UnitOfWork


async def open_wallet(work: UnitOfWork, brand: str, client: str, currency: str) -> int:
    """Return the client's wallet in the currency, created if there is none. Raises InvalidInput, NotFound."""
    if fault := validation.text_fault(client, 100):
        raise InvalidInput("client", reason=fault)
    if currency not in work.catalogue.currencies:
        raise NotFound("currency", currency=currency)
    return await rows.ensure_wallet(brand, client, currency)


async def deposit_to_wallet(
    principal: Principal, *, client: str, currency: str, amount: Decimal, key: str, brand: str | None = None
) -> int:
    """Deposit money from outside into a client's wallet, created if there is none; return the wallet's id.

    The same key and content deposit once. Raises Forbidden, IdempotencyConflict, InvalidInput, NotFound.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    brand = principal.brand_for(brand)
    content = {"brand": brand, "client": client, "currency": currency, "amount": amount}
    async with transaction() as work:
        if seen := await receipts.claim_key(work, principal, "depositToWallet", key, content):
            return int(seen["wallet"])
        await brands.require_brand(brand)
        wallet_id = await open_wallet(work, brand, client, currency)
        if fault := validation.amount_range(work.catalogue.currencies[currency].minor_units).fault(amount):
            raise InvalidInput("amount", reason=fault)
        await transfers.transfer(
            work,
            brand=brand,
            kind="TOP_UP",
            money="REAL",
            currency=currency,
            source=House("EXTERNAL"),
            target=Wallet(wallet_id),
            amount=amount,
            cause=f"deposit {key}",
        )
        _note(work, principal, "depositToWallet", brand, wallet_id, {"amount": plain_text(amount), "key": key})
        await receipts.store_answer(work, principal, "depositToWallet", key, {"wallet": wallet_id})
    return wallet_id


async def withdraw_from_wallet(
    principal: Principal, wallet_id: int, *, amount: Decimal, key: str, reason: str | None = None
) -> None:
    """Withdraw money from a client's wallet.

    The same key and content withdraw once. Raises Forbidden, IdempotencyConflict, InvalidInput, NotFound, and
    InsufficientFunds for more than is free.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    operation, content = "withdrawFromWallet", {"walletId": wallet_id, "amount": amount, "reason": reason}
    async with transaction() as work:
        if await receipts.claim_key(work, principal, operation, key, content):
            return
        wallet = await rows.lock_wallet(work.conn, wallet_id)
        if wallet is None or not principal.sees(wallet["brand"]):
            raise NotFound("walletId", wallet=wallet_id)
        if fault := validation.amount_range(work.catalogue.currencies[wallet["currency"]].minor_units).fault(amount):
            raise InvalidInput("amount", reason=fault)
        await transfers.transfer(
            work,
            brand=wallet["brand"],
            kind="WITHDRAWAL",
            money="REAL",
            currency=wallet["currency"],
            source=Wallet(wallet_id),
            target=House("EXTERNAL"),
            amount=amount,
            cause=f"withdrawal {key}",
        )
        moved = {"amount": plain_text(amount), "key": key}
        _note(work, principal, operation, wallet["brand"], wallet_id, moved, reason or "")
        await receipts.store_answer(work, principal, operation, key, {"wallet": wallet_id})


def _note(
    work: UnitOfWork, principal: Principal, operation: str, brand: str, wallet_id: int, after: Facts, reason: str = ""
) -> None:
    work.audit(principal, operation, object_kind="wallet", object_id=wallet_id, brand=brand, reason=reason, after=after)
