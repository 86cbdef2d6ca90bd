"""Wallets, house accounts, and the paired rows of every transfer."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import asyncpg

from models import sql
from models.sql import Connection
from models.tables.wallets import Wallet


class Leg(NamedTuple):
    """One half of a transfer. Exactly one of wallet, house account and account is set."""

    transfer: int
    brand: str
    kind: str
    money: str
    currency: str
    amount: Decimal
    cause: str
    market_time: datetime
    wallet_id: int | None = None
    house_account_id: int | None = None
    account_id: int | None = None
    account_seq: int | None = None


TRANSFERS: sql.Columns = {
    "transfer": "bigint",
    "brand": "text",
    "kind": "text",
    "money": "text",
    "currency": "text",
    "amount": "numeric",
    "cause": "text",
    "market_time": "timestamptz",
    "wallet_id": "bigint",
    "house_account_id": "bigint",
    "account_id": "bigint",
    "account_seq": "bigint",
}
INSERT_TRANSFERS = sql.insert_statement("transfers", TRANSFERS)


async def ensure_wallet(brand: str, client: str, currency: str) -> int:
    """Return the id of the client's wallet in the currency, and create it if there is none; in a transaction."""
    wallet = Wallet(brand_id=brand, client=client, currency_id=currency)
    await Wallet.bulk_create([wallet], ignore_conflicts=True)
    return int((await Wallet.get(brand_id=brand, client=client, currency_id=currency)).id)


async def lock_wallet(conn: Connection, wallet_id: int) -> asyncpg.Record | None:
    """Lock a wallet and return its id, brand, client, currency, cash and reserved."""
    return await conn.fetchrow(
        "select id, brand, client, currency, cash, reserved from wallets where id = $1 for no key update", wallet_id
    )


async def add_reservation(conn: Connection, wallet_id: int, amount: Decimal) -> None:
    """Raise the reserved amount of a locked wallet; a negative amount releases it."""
    await conn.execute("update wallets set reserved = reserved + $2 where id = $1", wallet_id, amount)


async def add_cash(conn: Connection, wallet_id: int, amount: Decimal) -> bool:
    """Add to the cash of a wallet; return False, without a change, if less than the reserved amount would remain."""
    changed = await conn.fetchval(
        "update wallets set cash = cash + $2 where id = $1 and cash + $2 >= reserved returning id", wallet_id, amount
    )
    return changed is not None


async def add_to_house(conn: Connection, brand: str, currency: str, purpose: str, amount: Decimal) -> int:
    """Add to the balance of a house account, which is created at its first use; return its id."""
    house_id: int = await conn.fetchval(
        """insert into house_accounts (brand, currency, purpose, balance) values ($1, $2, $3, $4)
        on conflict (brand, currency, purpose) do update set balance = house_accounts.balance + excluded.balance
        returning id""",
        brand,
        currency,
        purpose,
        amount,
    )
    return house_id


async def next_transfer(conn: Connection, brand: str) -> int:
    """Return the next transfer number of the brand."""
    sequence = "to_regclass(format('brand_numbers.%I', 'transfer:' || $1::text))"
    number: int = await conn.fetchval(f"select nextval({sequence})", brand)
    return number


async def insert_legs(conn: Connection, legs: Sequence[Leg]) -> None:
    """Insert the rows of transfers."""
    await sql.write(conn, INSERT_TRANSFERS, legs)
