"""Currencies and the objects that use them."""

from models.sql import Connection

USERS = """
select 'account groups' as kind, count(*) as many from account_groups where currency = $1
union all select 'programs', count(*) from programs where price_currency = $1
union all select 'accounts', count(*) from accounts where currency = $1
union all select 'wallets', count(*) from wallets where currency = $1
union all select 'house accounts', count(*) from house_accounts where currency = $1
union all select 'purchases', count(*) from purchases where currency = $1
"""


async def users(conn: Connection, code: str) -> dict[str, int]:
    """Return the number of objects with amounts in the currency, by kind; only kinds that have any."""
    return {row["kind"].replace(" ", "_"): row["many"] for row in await conn.fetch(USERS, code) if row["many"]}
