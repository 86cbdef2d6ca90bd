"""Exports as CSV: one COPY for each kind, streamed by the server; values are sent as parameters.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula, and a client may
have written the text. Such a text gets an apostrophe in front, and so does a text that begins with an apostrophe:
removing one apostrophe restores every text. Numbers and JSON are left as they are.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from models.sql import Connection

TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
# Pattern and replacement, with full-width characters.
MARKED = "'^([''=+@\\t\\r\\n\uff1d\uff0b\uff0d\uff20-])', '''\\1'"

Sink = Callable[[bytes], Awaitable[None]]


def _instant(column: str) -> str:
    """Return the SQL of a timestamp as ISO 8601 in UTC, to the microsecond."""
    name = column.rpartition(".")[2]
    return f"""to_char({column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') as {name}"""


LEDGER = f"""
select a.brand, l.account_id, l.seq, l.kind, l.amount, l.balance_after, a.currency, {_instant("l.market_time")},
  l.batch, l.facts, encode(l.hash, 'hex') as hash, {_instant("l.recorded_at")}
from ledger l join accounts a on a.id = l.account_id
where l.market_time >= $1 and l.market_time < $2 and ($3::text is null or a.brand = $3)
order by l.account_id, l.seq
"""
TRANSFERS = f"""
select t.brand, t.transfer, t.kind, t.money, t.wallet_id, w.client, t.account_id, t.account_seq, h.purpose as house,
  t.currency, t.amount, t.cause, {_instant("t.market_time")}, {_instant("t.recorded_at")}
from transfers t
left join wallets w on w.id = t.wallet_id
left join house_accounts h on h.id = t.house_account_id
where t.market_time >= $1 and t.market_time < $2 and ($3::text is null or t.brand = $3)
order by t.id
"""
AUDIT = f"""
select t.chain as brand, t.seq, t.actor, t.role, t.operation, t.object_kind, t.object_id, t.reason, t.before, t.after,
  t.request_id, {_instant("t.recorded_at")}, encode(t.hash, 'hex') as hash
from audit t
where t.recorded_at >= $1 and t.recorded_at < $2 and ($3::text is null or t.chain = $3)
order by t.chain, t.seq
"""


async def copy_csv(
    conn: Connection, statement: str, since: datetime, until: datetime, brand: str | None, sink: Sink
) -> int:
    """Send the rows of the statement to `sink` as CSV with a header, piece by piece; return their number.

    An error of the sink is raised after the server has sent everything: asyncpg would cancel the copy for an exception
    inside it, and a cancel request that arrives after the end of the copy leaves the connection waiting for ever.
    """
    failure: Exception | None = None

    async def write(piece: bytes) -> None:
        nonlocal failure
        if failure is None:
            try:
                await sink(piece)
            except Exception as error:  # noqa: BLE001 - raised below
                failure = error

    query = await _without_formulas(conn, statement)
    done: str = await conn.copy_from_query(query, since, until, brand, output=write, format="csv", header=True)
    if failure is not None:
        raise failure
    return int(done.rpartition(" ")[2])


async def _without_formulas(conn: Connection, statement: str) -> str:
    """Return the statement with an apostrophe in front of every text that a spreadsheet takes for a formula."""
    columns = [
        f'regexp_replace("{a.name}", {MARKED}) as "{a.name}"' if a.type.name in TEXTS else f'"{a.name}"'
        for a in (await conn.prepare(statement)).get_attributes()
    ]
    return f"select {', '.join(columns)} from ({statement}) rows"
