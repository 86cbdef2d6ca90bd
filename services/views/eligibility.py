"""What a payout of an account's phase still lacks."""

from collections.abc import Collection

from domain import payouts as domain
from domain.money import percent
from domain.payouts import Criterion, Cycle, Standing
from models import accounts, payouts
from models.accounts import Loaded
from services.tape import tape
from services.unit import reading


async def of_accounts(ids: Collection[int]) -> dict[int, list[Criterion]]:
    """Every criterion of a payout, as of each account's last persisted mark."""
    async with reading() as conn:
        loaded = await accounts.load(conn, list(ids))
        await tape().extend(conn)
        least = {
            one.account.id: percent(terms.group.deposit, terms.profitable_day_pct)
            for one in loaded
            if one.terms and one.phase_index and (terms := one.terms.phase(one.phase_index))
        }
        cycles = await payouts.cycles(conn, least)
    return {one.account.id: _criteria(one, cycles.get(one.account.id, Cycle())) for one in loaded}


def _criteria(one: Loaded, cycle: Cycle) -> list[Criterion]:
    account, calendar = one.account, one.calendar
    if account.phase is None or account.marked_at is None or one.terms is None or calendar is None:
        return domain.no_phase()
    minor_units = tape().catalogue.currencies[account.currency].minor_units
    terms = one.terms.phase(account.phase.index)
    return domain.criteria(Standing(account, terms, cycle, calendar, minor_units, account.marked_at))
