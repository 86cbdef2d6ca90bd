"""API tokens, stored by the sha256 of their text."""

from collections.abc import Collection

import asyncpg

from models.locks import AdvisoryLock
from models.sql import Connection

VALID = """
select hash, id, name, role, brand, subject, scope,
  (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute') as stale
from tokens
where hash = any($1::bytea[]) and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
"""
# Skips a locked row, because another request is writing the same.
TOUCH = """
update tokens set last_used_at = clock_timestamp()
where id in (
  select id from tokens
  where id = any($1::bigint[]) and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')
  for no key update skip locked)
"""
EXTEND = """
update tokens set scope = jsonb_set(scope, '{accounts}', scope -> 'accounts' || to_jsonb($3::text))
where brand = $1 and revoked_at is null and scope -> 'accounts' ? $2 and not scope -> 'accounts' ? $3
"""
ENDED = """
select id from tokens
where id = any($1::bigint[]) and (revoked_at is not null or expires_at <= clock_timestamp())
"""


async def valid_tokens(conn: Connection, digests: Collection[bytes]) -> list[asyncpg.Record]:
    """Return the valid tokens of these hashes. `stale`: not used for a minute, or never."""
    rows: list[asyncpg.Record] = await conn.fetch(VALID, list(digests))
    return rows


async def touch_tokens(conn: Connection, ids: Collection[int]) -> None:
    """Update the time of last use of the tokens, without waiting for a lock."""
    await conn.execute(TOUCH, list(ids))


async def ended_tokens(conn: Connection, ids: Collection[int]) -> set[int]:
    """Return those of the tokens that are revoked or expired."""
    return {row["id"] for row in await conn.fetch(ENDED, list(ids))}


async def extend_scopes(conn: Connection, brand: str, account_id: int, next_id: int) -> None:
    """Add the next account to the scope of each token that names the account it replaces."""
    await conn.execute(EXTEND, brand, str(account_id), str(next_id))


async def brand_exists(conn: Connection, name: str) -> bool:
    """Return whether there is a brand of this name."""
    exists: bool = await conn.fetchval("select exists (select from brands where name = $1)", name)
    return exists


async def lock_bootstrap(conn: Connection) -> None:
    """Take the bootstrap lock, under which one process creates the first ADMIN token."""
    await conn.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.BOOTSTRAP)


async def is_valid(conn: Connection, name: str) -> bool | None:
    """Return whether a token of this name is valid; None if there is no such token."""
    valid: bool | None = await conn.fetchval(
        "select bool_or(revoked_at is null and (expires_at is null or expires_at > now())) from tokens where name = $1",
        name,
    )
    return valid
