"""Progress of the phases of accounts towards their limits."""

from collections.abc import Sequence

from domain.errors import Refused
from domain.execution import Moment
from domain.limit_progress import Progress, progress
from domain.payouts import Cycle
from models import accounts
from services.snapshots import Present, each_present, newest_moment
from services.unit_of_work.reads import read_connection
from services.views.eligibility import cycle_of, cycles_of


async def rule_progress(ids: Sequence[int], moment: Moment | None = None) -> dict[int, list[Progress] | Refused]:
    """Return every configured rule of each account's phase, at a moment or at the newest market; none before it
    started.

    For an account that cannot be read or computed, return the reason.
    """
    async with read_connection() as conn:
        read = await accounts.load_accounts(conn, ids)
        cycles = await cycles_of(conn, read.loaded)
    return await each_present(read, moment or await newest_moment(), lambda one: _progress(one, cycle_of(one, cycles)))


def _progress(one: Present, cycle: Cycle | None) -> list[Progress]:
    if one.account.phase is None or one.stored.terms is None:
        return []
    return progress(one.account, one.stored.terms.phase(one.account.phase.index), cycle)
