"""The terms of sales, by their hash."""

from collections.abc import Collection

from domain.terms import Terms
from models import terms
from services.unit import reading


async def of_hashes(hashes: Collection[str]) -> dict[str, Terms]:
    """The terms of these hashes. Who names a hash has seen a sale that has them."""
    async with reading() as conn:
        return await terms.read(conn, hashes)
