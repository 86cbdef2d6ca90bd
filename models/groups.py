"""Account groups: a name, a deposit and a policy."""

from collections.abc import Sequence

import asyncpg

from models.sql import Connection

# A shared lock, so that no group changes its kind while a program is checked against it.
NAMED = """
select id, name, kind, currency, default_deposit from account_groups
where brand = $1 and name = any($2) order by id for share
"""
PHASE_TYPES = "select distinct phase_type from program_phases where account_group_id = $1"


async def lock_groups(conn: Connection, brand: str, names: Sequence[str]) -> list[asyncpg.Record]:
    """Return the brand's groups with these names, locked against change."""
    rows: list[asyncpg.Record] = await conn.fetch(NAMED, brand, list(names))
    return rows


async def read_group(conn: Connection, brand: str, name: str) -> asyncpg.Record | None:
    """Return name, kind, currency, deposit and policy (as text) of a group of the brand."""
    return await conn.fetchrow(
        """select name, kind, currency, default_deposit, policy::text as policy from account_groups
        where brand = $1 and name = $2""",
        brand,
        name,
    )


async def phase_types(conn: Connection, group_id: int) -> list[int]:
    """Return the types of the phases that open accounts in the group."""
    return [row["phase_type"] for row in await conn.fetch(PHASE_TYPES, group_id)]
