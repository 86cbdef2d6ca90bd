"""Instruments, and the version that tells every process to read them again."""

from domain.instruments import Instrument as Listed
from models.sql import Connection

UPSERT = """
insert into instruments (symbol, base_currency, quote_currency, price_precision, quantity_step, quantity_min)
values ($1, $2, $3, $4, $5, $6)
on conflict (symbol) do update
set price_precision = excluded.price_precision,
    quantity_step = excluded.quantity_step,
    quantity_min = excluded.quantity_min
where (instruments.base_currency, instruments.quote_currency) = (excluded.base_currency, excluded.quote_currency)
returning symbol
"""


async def upsert(conn: Connection, listed: Listed) -> bool:
    """Insert or change the instrument; False, and nothing written, where it exists with other currencies."""
    written = await conn.fetchval(
        UPSERT,
        listed.symbol,
        listed.base_currency,
        listed.quote_currency,
        listed.price_precision,
        listed.quantity_step,
        listed.quantity_min,
    )
    return written is not None


async def raise_catalogue_version(conn: Connection) -> None:
    """Make every process read instruments and currencies again."""
    await conn.execute("update catalogue_version set version = version + 1")
