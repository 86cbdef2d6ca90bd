"""Checks that compute the audit chains again from what is stored."""

import json

import asyncpg

from domain.audits import Entry, link
from domain.ledger import GENESIS
from models.checks import reading
from models.sql import Connection
from services.checks.accounts import Violation


async def audits_are_intact(conn: Connection) -> list[Violation]:
    """Check that each chain's seq has no gap, hashes chain, and the head has the newest of each."""
    found: list[Violation] = []
    heads = await reading.audit_heads(conn)
    last = dict.fromkeys(heads, (0, GENESIS))
    async for row in reading.iterate_audit(conn):
        chain = row["chain"]
        seq, head = last.get(chain, (0, GENESIS))
        if row["seq"] != seq + 1:
            found.append(_broken(chain, f"seq {row['seq']} follows seq {seq}"))
        if link(head, row["seq"], _entry(row), row["recorded_at"]) != row["hash"]:
            found.append(_broken(chain, f"the hash of seq {row['seq']} is not that of its content after seq {seq}"))
        last[chain] = row["seq"], row["hash"]
    for chain, ends in last.items():
        if heads.get(chain) != ends:
            said = f"seq {heads[chain][0]}" if chain in heads else "nothing"
            found.append(_broken(chain, f"ends at seq {ends[0]}, {ends[1].hex()[:16]}; its head says {said}"))
    return found


def _entry(row: asyncpg.Record) -> Entry:
    told = {name: row[name] for name in Entry.__slots__ if name not in ("before", "after")}
    return Entry(**told, before=json.loads(row["before"]), after=json.loads(row["after"]))


def _broken(chain: str, message: str) -> Violation:
    return Violation("audits are intact", f"audit of {chain or 'no brand'}", message)
