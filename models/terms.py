"""Terms as sold, by their hash: written once and never changed, so those read lately are kept in memory."""

from collections.abc import Collection

from domain.terms import Terms, terms_from_text
from models.sql import Connection

KEPT = 4_096

_kept: dict[str, Terms] = {}


async def read(conn: Connection, hashes: Collection[str]) -> dict[str, Terms]:
    """The terms of these hashes. Their text is longer than all else that is read of an account."""
    found = {digest: _kept[digest] for digest in hashes if digest in _kept}
    if missing := set(hashes) - found.keys():
        rows = await conn.fetch("select hash, body from terms where hash = any($1::text[])", list(missing))
        new = {row["hash"]: terms_from_text(row["body"]) for row in rows}
        if len(_kept) + len(new) > KEPT:
            _kept.clear()
        _kept.update(new)
        found |= new
    return found
