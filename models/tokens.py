"""API tokens: only the sha256 of the text is kept."""

from collections.abc import Collection
from datetime import datetime

import asyncpg

from models.sql import Connection

INSERT = """
insert into tokens (brand, role, name, subject, prefix, hash, scope, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning id
"""
VALID = """
select hash, id, name, role, brand, subject, scope,
  (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute') as stale
from tokens
where hash = any($1::bytea[]) and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
"""
# Whoever finds the row locked leaves it: another request is writing the very same.
TOUCH = """
update tokens set last_used_at = clock_timestamp()
where id = (
  select id from tokens
  where id = $1 and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')
  for no key update skip locked)
"""
REVOKE = """
update tokens t set revoked_at = coalesce(t.revoked_at, now())
from (
  select id, revoked_at is not null as was_revoked from tokens
  where id = $1 and ($2::text is null or (brand = $2 and role = any($3))) for no key update) b
where t.id = b.id returning t.brand, t.role, t.name, t.subject, b.was_revoked
"""
ENDED = """
select id from tokens
where id = any($1::bigint[]) and (revoked_at is not null or expires_at <= clock_timestamp())
"""
BOOTSTRAP_LOCK = 7_703
REVOKE_NAMED = "update tokens set revoked_at = now() where name = $1 and revoked_at is null"


async def insert(
    conn: Connection,
    *,
    brand: str | None,
    role: str,
    name: str,
    subject: str | None,
    prefix: str,
    digest: bytes,
    scope: str,
    expires_at: datetime | None,
) -> int:
    """The new token's id; `scope` as JSON text."""
    token_id: int = await conn.fetchval(INSERT, brand, role, name, subject, prefix, digest, scope, expires_at)
    return token_id


async def valid(conn: Connection, digests: Collection[bytes]) -> list[asyncpg.Record]:
    """Return the tokens of these hashes that are neither revoked nor expired; `stale`: last used a minute ago."""
    rows: list[asyncpg.Record] = await conn.fetch(VALID, list(digests))
    return rows


async def touch(conn: Connection, token_id: int) -> None:
    """Note that the token is in use; waits for nobody."""
    await conn.execute(TOUCH, token_id)


async def revoke(conn: Connection, token_id: int, brand: str | None, roles: list[str]) -> asyncpg.Record | None:
    """Revoke a token: any without a brand, else one of that brand and those roles; None where there is none.

    brand, role, name and subject of the token, and whether it was revoked before.
    """
    return await conn.fetchrow(REVOKE, token_id, brand, roles)


async def ended(conn: Connection, ids: Collection[int]) -> set[int]:
    """Those of the tokens that are revoked or have expired."""
    return {row["id"] for row in await conn.fetch(ENDED, list(ids))}


async def revoke_named(conn: Connection, name: str) -> None:
    """Revoke every token of the name."""
    await conn.execute(REVOKE_NAMED, name)


async def lock_bootstrap(conn: Connection) -> None:
    """Wait for whoever else makes the first ADMIN token."""
    await conn.execute("select pg_advisory_xact_lock($1)", BOOTSTRAP_LOCK)


async def ever(conn: Connection, role: str) -> bool:
    """Whether there is a token of the role, or was one: those that have ended count."""
    found: bool = await conn.fetchval("select exists (select from tokens where role = $1)", role)
    return found
