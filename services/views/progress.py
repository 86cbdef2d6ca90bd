"""How far the phases of accounts are from their limits."""

from collections.abc import Collection

from domain.headroom import Progress, progress
from domain.payouts import Cycle
from models import accounts
from models.loaded import Loaded
from services.unit import reading
from services.views.eligibility import cycles_of


async def of_accounts(ids: Collection[int]) -> dict[int, list[Progress]]:
    """Every configured rule of each account's phase, at its last persisted mark; none before the phase has started.

    Accounts that cannot be read are left out.
    """
    async with reading() as conn:
        loaded = (await accounts.load(conn, list(ids))).loaded
        cycles = await cycles_of(conn, loaded)
    return {one.account.id: _progress(one, cycles.get(one.account.id)) for one in loaded}


def _progress(one: Loaded, cycle: Cycle | None) -> list[Progress]:
    if one.account.phase is None or one.terms is None:
        return []
    return progress(one.account, one.terms.phase(one.account.phase.index), cycle)
