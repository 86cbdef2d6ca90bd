"""How far the phases of accounts are from their limits."""

from collections.abc import Sequence

from domain.execution import Moment
from domain.headroom import Progress, progress
from domain.payouts import Cycle
from models import accounts
from services.fairness import in_turns
from services.snapshots import Present, now, present
from services.unit import reading
from services.views.eligibility import cycle_of, cycles_of


async def of_accounts(ids: Sequence[int], moment: Moment | None = None) -> dict[int, list[Progress]]:
    """Every configured rule of each account's phase at a moment, or at the newest market; none before it has started.

    Accounts that cannot be read are left out.
    """
    async with reading() as conn:
        loaded = (await accounts.load(conn, ids)).loaded
        cycles = await cycles_of(conn, loaded)
    presents = await present(loaded, moment or await now())
    return {one.account.id: _progress(one, cycle_of(one, cycles)) async for one in in_turns(presents)}


def _progress(one: Present, cycle: Cycle | None) -> list[Progress]:
    if one.account.phase is None or one.stored.terms is None:
        return []
    return progress(one.account, one.stored.terms.phase(one.account.phase.index), cycle)
