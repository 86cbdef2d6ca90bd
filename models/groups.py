"""Account groups: a name, a deposit and a policy."""

from collections.abc import Sequence

import asyncpg

from models.sql import Connection

# Shared, so that no group changes its kind while a program is being judged by it.
NAMED = """
select id, name, kind, currency, default_deposit from account_groups
where brand = $1 and name = any($2) order by id for share
"""
PHASE_TYPES = "select distinct phase_type from program_phases where account_group_id = $1"


async def lock_groups(conn: Connection, brand: str, names: Sequence[str]) -> list[asyncpg.Record]:
    """The brand's groups of these names, locked against change."""
    found: list[asyncpg.Record] = await conn.fetch(NAMED, brand, list(names))
    return found


async def read_group(conn: Connection, brand: str, name: str) -> asyncpg.Record | None:
    """name, kind, currency, deposit and policy (its text) of the brand's group."""
    return await conn.fetchrow(
        """select name, kind, currency, default_deposit, policy::text as policy from account_groups
        where brand = $1 and name = $2""",
        brand,
        name,
    )


async def phase_types(conn: Connection, group_id: int) -> list[int]:
    """The types of the phases whose accounts are opened in the group."""
    return [row["phase_type"] for row in await conn.fetch(PHASE_TYPES, group_id)]
