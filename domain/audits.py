"""The audit: who changed what and why, one row for each mutation, chained by sha256.

The hashed bytes of a row are the previous row's hash (32 zero bytes before a chain's first), then, in UTF-8, the
canonical JSON of a list: chain, seq, actor, role, operation, object kind, object id, reason, before, after, request
id, and the real time in microseconds since 1970 (UTC).
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from domain.ledger import Facts, microseconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit entry; `chain` is the brand, or empty for an object of no brand."""

    chain: str
    actor: str
    role: str
    operation: str
    object_kind: str
    object_id: str
    reason: str
    before: Facts
    after: Facts
    request_id: str


def link(head: bytes, seq: int, entry: Entry, recorded_at: datetime) -> bytes:
    """Return the hash of the row that follows the one whose hash is `head`."""
    content = [
        entry.chain,
        seq,
        entry.actor,
        entry.role,
        entry.operation,
        entry.object_kind,
        entry.object_id,
        entry.reason,
        entry.before,
        entry.after,
        entry.request_id,
        microseconds(recorded_at),
    ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(head + text.encode()).digest()
