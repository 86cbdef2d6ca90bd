"""How far the phases of accounts are from their limits."""

from collections.abc import Collection

from domain.headroom import Progress, progress
from models import accounts
from models.accounts import Loaded
from services.unit import reading


async def of_accounts(ids: Collection[int]) -> dict[int, list[Progress]]:
    """Every configured rule of each account's phase, at its last persisted mark; none before the phase has started."""
    async with reading() as conn:
        loaded = await accounts.load(conn, list(ids))
    return {one.account.id: _progress(one) for one in loaded}


def _progress(one: Loaded) -> list[Progress]:
    if one.account.phase is None or one.terms is None:
        return []
    return progress(one.account, one.terms.phase(one.account.phase.index))
