"""API tokens: only the sha256 of the text is kept."""

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
# A row that is locked is left as it is: another request is writing the very same.
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
    """Return the tokens of these hashes that are neither revoked nor expired; `stale`: last used a minute ago."""
    rows: list[asyncpg.Record] = await conn.fetch(VALID, list(digests))
    return rows


async def touch_tokens(conn: Connection, ids: Collection[int]) -> None:
    """Note that the tokens are in use; waits for nobody."""
    await conn.execute(TOUCH, list(ids))


async def ended_tokens(conn: Connection, ids: Collection[int]) -> set[int]:
    """Those of the tokens that are revoked or have expired."""
    return {row["id"] for row in await conn.fetch(ENDED, list(ids))}


async def extend_scopes(conn: Connection, brand: str, account_id: int, next_id: int) -> None:
    """Let each token whose scope names the account reach the one that goes on in its place."""
    await conn.execute(EXTEND, brand, str(account_id), str(next_id))


async def brand_exists(conn: Connection, name: str) -> bool:
    """Is there such a brand, so that a token may name it?"""
    known: bool = await conn.fetchval("select exists (select from brands where name = $1)", name)
    return known


async def lock_bootstrap(conn: Connection) -> None:
    """Wait for whoever else makes the first ADMIN token."""
    await conn.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.BOOTSTRAP)


async def is_valid(conn: Connection, name: str) -> bool | None:
    """Is a token of this name neither revoked nor expired? None where none was ever made."""
    valid: bool | None = await conn.fetchval(
        "select bool_or(revoked_at is null and (expires_at is null or expires_at > now())) from tokens where name = $1",
        name,
    )
    return valid
