"""What a payout of an account's phase still lacks."""

from collections.abc import Collection

from domain import payouts as domain
from domain.money import percent
from domain.payouts import Criterion, Cycle, Standing
from domain.terms import PhaseType
from models import accounts, payouts
from models.loaded import Loaded
from models.sql import Connection
from services.tape import tape
from services.unit import reading


async def of_accounts(ids: Collection[int]) -> dict[int, list[Criterion]]:
    """Every criterion of a payout, as of each account's last persisted mark; none of an account that cannot be read."""
    async with reading() as conn:
        loaded = (await accounts.load(conn, list(ids))).loaded
        await tape().extend(conn)
        cycles = await cycles_of(conn, loaded)
    return {one.account.id: _criteria(one, cycles.get(one.account.id, Cycle())) for one in loaded}


async def cycles_of(conn: Connection, loaded: Collection[Loaded]) -> dict[int, Cycle]:
    """By account what has passed since its last payout; none of those that are not in a funded phase."""
    asked = {
        one.account.id: (phase.day, percent(phase.initial_balance, terms.profitable_day_pct))
        for one in loaded
        if one.terms and (phase := one.account.phase) and (terms := one.terms.phase(phase.index))
        if terms.type is PhaseType.FUNDED
    }
    return await payouts.cycles(conn, asked) if asked else {}


def _criteria(one: Loaded, cycle: Cycle) -> list[Criterion]:
    account, calendar = one.account, one.calendar
    if account.phase is None or account.marked_at is None or one.terms is None or calendar is None:
        return domain.no_phase()
    minor_units = tape().catalogue.currencies[account.currency].minor_units
    terms = one.terms.phase(account.phase.index)
    return domain.criteria(Standing(account, terms, cycle, calendar, minor_units, account.marked_at))
