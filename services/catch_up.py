"""Bringing an account under lock to the newest batch; one that cannot be computed is refused by name."""

from typing import TYPE_CHECKING

from domain import fold
from domain.errors import AccountQuarantined, Refused
from domain.frozen import replace
from domain.quotes import Batch

if TYPE_CHECKING:
    from services.unit_of_work import Held, Unit


async def bring(work: "Unit", held: "Held", *, pass_over: bool = False) -> None:
    """Bring the account to the unit's batch and to the market's time.

    With `pass_over` by the newest quote of each symbol alone: the batches between neither mark nor judge it.
    Raises AccountQuarantined where it cannot be computed.
    """
    account, batches = held.account, list[Batch]()
    market = work.market
    if account.marked_through < work.batch:
        market = await work.tape.market(work.conn, account.marked_through)
        batches = await work.tape.batches(work.conn, account.marked_through, work.batch)
    elif account.phase is None or not account.phase.running:
        return
    if pass_over and batches:
        batches = [replace(batches[-1], quotes=tuple(work.market.values()))]
    try:
        held.account = fold.bring(account, market, batches, work.market, work.now, held.conditions, work.journal)
    except Refused:
        raise
    except Exception as error:
        raise AccountQuarantined.because_of(error, account.id) from error
