"""The terms of sales, by their hash."""

from collections.abc import Collection

from domain.errors import TermsUnreadable
from domain.terms import Terms
from models import terms
from services.unit_of_work.reads import read_connection


async def terms_by_hash(hashes: Collection[str]) -> dict[str, Terms | TermsUnreadable]:
    """Return the terms of these hashes, or their refusal. A caller who knows a hash has read a sale that has it."""
    async with read_connection() as conn:
        return await terms.read_terms(conn, hashes)
