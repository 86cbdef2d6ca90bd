"""Frozen terms by their hash. They never change, so those read lately are cached in memory."""

from collections.abc import Collection

from domain.errors import TermsUnreadable
from domain.terms import Terms, terms_from_text
from models.sql import Connection

CACHED_MAX = 4_096

_kept: dict[str, Terms] = {}  # readable terms only: an operator may repair others


async def read_terms(conn: Connection, hashes: Collection[str]) -> dict[str, Terms | TermsUnreadable]:
    """Return by hash the terms, or a TermsUnreadable for those that cannot be read."""
    each = await try_read_terms(conn, hashes)
    return {digest: terms if isinstance(terms, Terms) else _refusal(digest, terms) for digest, terms in each.items()}


def _refusal(digest: str, reason: Exception) -> TermsUnreadable:
    refusal = TermsUnreadable(None, terms=digest)
    refusal.__cause__ = reason
    return refusal


async def read_one_terms(conn: Connection, digest: str) -> Terms:
    """Return the terms of this hash. Raises TermsUnreadable."""
    terms = (await read_terms(conn, [digest]))[digest]
    if isinstance(terms, TermsUnreadable):
        raise terms
    return terms


async def try_read_terms(conn: Connection, hashes: Collection[str]) -> dict[str, Terms | Exception]:
    """Return by hash the terms, or the error for those that cannot be read.

    The cache matters because the text of the terms is longer than everything else that is read of an account.
    """
    terms: dict[str, Terms | Exception] = {digest: _kept[digest] for digest in hashes if digest in _kept}
    if missing := set(hashes) - terms.keys():
        rows = await conn.fetch("select hash, body from terms where hash = any($1::text[])", list(missing))
        new: dict[str, Terms] = {}
        for row in rows:
            try:
                new[row["hash"]] = terms_from_text(row["body"])
            except Exception as error:  # noqa: BLE001 - unreadable terms must not stop the others
                terms[row["hash"]] = error
        if len(_kept) + len(new) > CACHED_MAX:
            _kept.clear()
        _kept.update(new)
        terms |= new
    return terms
