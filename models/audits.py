"""Audit rows, appended to their chain under the lock of the chain's head."""

from collections.abc import Sequence
from itertools import groupby

from domain.audits import Entry, link
from domain.ledger import GENESIS, canonical
from models import sql
from models.sql import Connection

AUDIT: sql.Columns = {
    "chain": "text",
    "seq": "bigint",
    "actor": "text",
    "role": "text",
    "operation": "text",
    "object_kind": "text",
    "object_id": "text",
    "reason": "text",
    "before": "jsonb",
    "after": "jsonb",
    "request_id": "text",
    "recorded_at": "timestamptz",
    "hash": "bytea",
}
INSERT = sql.insert_statement("audit", AUDIT)
HEAD = """
insert into audit_heads (chain, seq, head) values ($1, 0, $2)
on conflict (chain) do update set seq = audit_heads.seq returning seq, head, clock_timestamp() as now
"""


async def append_entries(conn: Connection, entries: Sequence[Entry]) -> None:
    """Append the entries, in order, each to its chain."""
    ordered = sorted(entries, key=lambda entry: entry.chain)
    for chain, group in groupby(ordered, key=lambda entry: entry.chain):
        seq, head, now = await conn.fetchrow(HEAD, chain, GENESIS)
        rows = []
        for entry in group:
            seq, head = seq + 1, link(head, seq + 1, entry, now)
            facts = (entry.actor, entry.role, entry.operation, entry.object_kind, entry.object_id, entry.reason)
            rows.append(
                (chain, seq, *facts, canonical(entry.before), canonical(entry.after), entry.request_id, now, head)
            )
        await sql.write(conn, INSERT, rows)
        await conn.execute("update audit_heads set seq = $2, head = $3 where chain = $1", chain, seq, head)
