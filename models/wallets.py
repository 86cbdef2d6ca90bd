"""Real and house money: wallets, house accounts, and the paired rows of every transfer."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import asyncpg

from models import sql
from models.sql import Connection
from models.tables.wallets import Wallet


class Leg(NamedTuple):
    """One half of a transfer; exactly one of the three holders is set."""

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
    """Return the id of the client's wallet in the currency, made if there is none; inside a transaction."""
    wallet = Wallet(brand_id=brand, client=client, currency_id=currency)
    await Wallet.bulk_create([wallet], ignore_conflicts=True)
    return int((await Wallet.get(brand_id=brand, client=client, currency_id=currency)).id)


async def lock_wallet(conn: Connection, wallet_id: int) -> asyncpg.Record | None:
    """id, brand, client, currency, cash and reserved, locked."""
    return await conn.fetchrow(
        "select id, brand, client, currency, cash, reserved from wallets where id = $1 for no key update", wallet_id
    )


async def add_reservation(conn: Connection, wallet_id: int, amount: Decimal) -> None:
    """Set cash aside (or, negative, release it); the row is locked."""
    await conn.execute("update wallets set reserved = reserved + $2 where id = $1", wallet_id, amount)


async def add_cash(conn: Connection, wallet_id: int, amount: Decimal) -> bool:
    """Move a wallet's cash; False, and nothing done, where it would not cover what is reserved."""
    found = await conn.fetchval(
        "update wallets set cash = cash + $2 where id = $1 and cash + $2 >= reserved returning id", wallet_id, amount
    )
    return found is not None


async def add_to_house(conn: Connection, brand: str, currency: str, purpose: str, amount: Decimal) -> int:
    """Move a house account's balance, making the account at its first use; answers its id."""
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
    """Return the next number of a transfer of the brand."""
    sequence = "to_regclass(format('brand_numbers.%I', 'transfer:' || $1::text))"
    number: int = await conn.fetchval(f"select nextval({sequence})", brand)
    return number


async def insert_legs(conn: Connection, legs: Sequence[Leg]) -> None:
    await sql.write(conn, INSERT_TRANSFERS, legs)
