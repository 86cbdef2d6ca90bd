"""The quarantine: accounts that cannot be read or marked, with their version and the error."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from models.sql import Connection


class QuarantineEntry(NamedTuple):
    """An account in quarantine. `seq` is the newest ledger row at the failure."""

    account_id: int
    seq: int
    error: str
    message: str
    entered_at: datetime


async def quarantine_entry(conn: Connection, account_id: int) -> QuarantineEntry | None:
    """Return the entry of the account; None if it is not in quarantine."""
    row = await conn.fetchrow(
        "select account_id, seq, error, message, entered_at from quarantine where account_id = $1", account_id
    )
    return row and QuarantineEntry(*row)


async def quarantine_entries(conn: Connection, most: int) -> list[QuarantineEntry]:
    """Return the oldest entries, at most `most`."""
    rows = await conn.fetch(
        "select account_id, seq, error, message, entered_at from quarantine order by entered_at, account_id limit $1",
        most,
    )
    return [QuarantineEntry(*row) for row in rows]


async def entries_of_accounts(conn: Connection, accounts: Collection[int]) -> dict[int, QuarantineEntry]:
    """Return by account the entries of those that are in quarantine."""
    rows = await conn.fetch(
        """select account_id, seq, error, message, entered_at from quarantine
        where account_id = any($1::bigint[])""",
        list(accounts),
    )
    return {row["account_id"]: QuarantineEntry(*row) for row in rows}


async def quarantined_in_shard(conn: Connection, shards: int, shard: int) -> set[int]:
    """Return the accounts of a shard that are in quarantine."""
    rows = await conn.fetch("select account_id from quarantine where account_id % $1 = $2", shards, shard)
    return {row["account_id"] for row in rows}


async def quarantine_account(conn: Connection, account_id: int, seq: int, error: str, message: str) -> None:
    """Put an account into quarantine, or update its entry."""
    await conn.execute(
        """insert into quarantine (account_id, seq, error, message) values ($1, $2, $3, $4)
        on conflict (account_id) do update
          set seq = excluded.seq, error = excluded.error, message = excluded.message""",
        account_id,
        seq,
        error,
        message,
    )


async def release_accounts(conn: Connection, accounts: list[int]) -> None:
    """Take accounts out of quarantine."""
    await conn.execute("delete from quarantine where account_id = any($1::bigint[])", accounts)


async def ledger_version(conn: Connection, account_id: int) -> int:
    """Return the seq of the newest ledger row according to the account's balances."""
    seq: int = await conn.fetchval("select seq from balances where account_id = $1", account_id)
    return seq


async def move_head(conn: Connection, account_id: int, seq: int, head: bytes) -> None:
    """Set the newest ledger row in the balances of a locked account, without reading its other columns."""
    await conn.execute(
        "update balances set seq = $2, head = $3, touched = pg_current_xact_id() where account_id = $1",
        account_id,
        seq,
        head,
    )
