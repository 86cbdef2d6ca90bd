"""Wallets: a client's real cash, one a currency."""

from decimal import Decimal

from domain import checks
from domain.errors import InvalidInput, NotFound
from models import wallets as rows
from services import brands, receipts, transfers
from services.principals import Principal, Role
from services.transfers import House, Wallet
from services.unit import Unit, plain


async def open(work: Unit, brand: str, client: str, currency: str) -> int:  # noqa: A001 - what one does with a wallet
    """The client's wallet in the currency, made if there is none. Raises InvalidInput, NotFound."""
    if fault := checks.text_fault(client, 100):
        raise InvalidInput("client", reason=fault)
    if currency not in work.catalogue.currencies:
        raise NotFound("currency", currency=currency)
    return await rows.ensure(work.conn, brand, client, currency)


async def deposit(
    principal: Principal, *, client: str, currency: str, amount: Decimal, key: str, brand: str | None = None
) -> int:
    """Put money from outside into a client's wallet, made if there is none; answers the wallet's id.

    The same key and content again moves nothing. Raises Forbidden, IdempotencyConflict, InvalidInput, NotFound.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    brand = principal.brand_for(brand)
    content = {"brand": brand, "client": client, "currency": currency, "amount": amount}
    async with plain() as work:
        if seen := await receipts.claim(work, principal, "depositToWallet", key, content):
            return int(seen["wallet"])
        await brands.require(brand)
        wallet_id = await open(work, brand, client, currency)
        if fault := checks.amount(work.catalogue.currencies[currency].minor_units).fault(amount):
            raise InvalidInput("amount", reason=fault)
        await transfers.move(
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
        await receipts.keep(work, principal, "depositToWallet", key, {"wallet": wallet_id})
    return wallet_id
