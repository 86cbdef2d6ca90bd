"""Instruments, the names feeds give them, and the version that tells every process to read them again."""

from domain.instruments import Instrument as Listed
from models.sql import Connection
from models.tables.instruments import InstrumentName

# Both indexes are partial: what is closed or filled is not looked at.
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


async def write_names(listed: Listed) -> None:
    """Make the instrument's names those it has now; the caller has made sure that they are free."""
    await InstrumentName.filter(instrument_id=listed.symbol).delete()
    await InstrumentName.bulk_create(
        InstrumentName(name=name, instrument_id=listed.symbol) for name in (listed.symbol, *listed.aliases)
    )


async def holders(conn: Connection, symbol: str, most: int) -> dict[str, list[str]]:
    """The open positions and working orders at a symbol, at most so many, by kind; each named account-seq."""
    return _by_kind(await conn.fetch(f"{HOLDERS} limit $2", symbol, most))


async def converted_holders(conn: Connection, most: int) -> dict[str, list[str]]:
    """The open positions and working orders priced in another currency than their account's, as `holders` does."""
    return _by_kind(await conn.fetch(f"{CONVERTED} limit $1", most))


def _by_kind(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["kind"], []).append(row["name"])
    return names


async def raise_catalogue_version(conn: Connection) -> None:
    """Make every process read instruments and currencies again."""
    await conn.execute("update catalogue_version set version = version + 1")
