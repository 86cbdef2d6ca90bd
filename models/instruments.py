"""Instruments, their names in feeds, and the catalogue version that makes every process read them again."""

from domain.instruments import Instrument
from models.sql import Connection
from models.tables.instruments import InstrumentName

# Partial indexes serve both conditions, so closed positions and filled orders are not read.
HOLDERS = """
select 'positions' as kind, account_id || '-' || seq as name from positions where symbol = $1 and status = 'OPEN'
union all
select 'orders', account_id || '-' || seq from orders where symbol = $1 and status = 'WORKING'
"""
CONVERTED = """
select 'positions' as kind, p.account_id || '-' || p.seq as name
from positions p join accounts a on a.id = p.account_id join instruments i on i.symbol = p.symbol
where p.status = 'OPEN' and i.quote_currency <> a.currency
union all
select 'orders', o.account_id || '-' || o.seq
from orders o join accounts a on a.id = o.account_id join instruments i on i.symbol = o.symbol
where o.status = 'WORKING' and i.quote_currency <> a.currency
"""


async def write_names(instrument: Instrument) -> None:
    """Store symbol and aliases of the instrument as its names. The caller has checked that they are free."""
    await InstrumentName.filter(instrument_id=instrument.symbol).delete()
    await InstrumentName.bulk_create(
        InstrumentName(name=name, instrument_id=instrument.symbol) for name in (instrument.symbol, *instrument.aliases)
    )


async def holders(conn: Connection, symbol: str, most: int) -> dict[str, list[str]]:
    """Return by kind the ids (account-seq) of open positions and working orders of a symbol, at most `most`."""
    return _by_kind(await conn.fetch(f"{HOLDERS} limit $2", symbol, most))


async def converted_holders(conn: Connection, most: int) -> dict[str, list[str]]:
    """Return the same of positions and orders whose quote currency is not the currency of their account."""
    return _by_kind(await conn.fetch(f"{CONVERTED} limit $1", most))


def _by_kind(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["kind"], []).append(row["name"])
    return names


async def raise_catalogue_version(conn: Connection) -> None:
    """Raise the catalogue version, so that every process reads instruments and currencies again."""
    await conn.execute("update catalogue_version set version = version + 1")
