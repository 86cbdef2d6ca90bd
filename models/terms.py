"""Terms as sold, by their hash: written once and never changed, so those read lately are kept in memory."""

from collections.abc import Collection

from domain.errors import TermsUnreadable
from domain.terms import Terms, terms_from_text
from models.sql import Connection

KEPT = 4_096

_kept: dict[str, Terms] = {}  # only what could be read: what could not may be put right


async def read_terms(conn: Connection, hashes: Collection[str]) -> dict[str, Terms | TermsUnreadable]:
    """The terms of these hashes, or the refusal of those that cannot be read."""
    each = await try_read_terms(conn, hashes)
    return {digest: terms if isinstance(terms, Terms) else _refusal(digest, terms) for digest, terms in each.items()}


def _refusal(digest: str, reason: Exception) -> TermsUnreadable:
    refusal = TermsUnreadable(None, terms=digest)
    refusal.__cause__ = reason
    return refusal


async def read_one_terms(conn: Connection, digest: str) -> Terms:
    """The terms of this hash. Raises TermsUnreadable."""
    terms = (await read_terms(conn, [digest]))[digest]
    if isinstance(terms, TermsUnreadable):
        raise terms
    return terms


async def try_read_terms(conn: Connection, hashes: Collection[str]) -> dict[str, Terms | Exception]:
    """The terms of these hashes, or why they cannot be read. Their text is longer than all else read of an account."""
    found: dict[str, Terms | Exception] = {digest: _kept[digest] for digest in hashes if digest in _kept}
    if missing := set(hashes) - found.keys():
        rows = await conn.fetch("select hash, body from terms where hash = any($1::text[])", list(missing))
        new: dict[str, Terms] = {}
        for row in rows:
            try:
                new[row["hash"]] = terms_from_text(row["body"])
            except Exception as error:  # noqa: BLE001 - whatever is stored there, the other terms are read
                found[row["hash"]] = error
        if len(_kept) + len(new) > KEPT:
            _kept.clear()
        _kept.update(new)
        found |= new
    return found
