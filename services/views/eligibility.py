"""Payout eligibility: the criteria that an account's phase meets or lacks."""

from collections.abc import Collection, Mapping, Sequence

from domain import payouts as domain
from domain.errors import Refused
from domain.execution import Moment
from domain.money import percent
from domain.payouts import Criterion, Cycle, Standing
from domain.rule_table import run_of
from domain.terms import PhaseType
from models import accounts, payouts
from models.loaded import LoadedAccount
from models.sql import Connection
from services.quote_cache import quote_cache
from services.snapshots import Present, each_present, newest_moment
from services.unit_of_work.reads import read_connection


async def payout_criteria(ids: Sequence[int], moment: Moment | None = None) -> dict[int, list[Criterion]]:
    """Return every payout criterion at a moment or at the newest market; nothing for an account in quarantine."""
    async with read_connection() as conn:
        read = await accounts.load_accounts(conn, ids)
        cycles = await cycles_of(conn, read.loaded)
    found = await each_present(read, moment or await newest_moment(), lambda one: _criteria(one, cycle_of(one, cycles)))
    return {account: criteria for account, criteria in found.items() if not isinstance(criteria, Refused)}


async def cycles_of(conn: Connection, loaded: Collection[LoadedAccount]) -> dict[int, Cycle]:
    """Return the payout cycle of each account in a funded phase: what has happened since its last payout."""
    asked = {
        one.account.id: (phase.day, percent(phase.initial_balance, terms.profitable_day_pct))
        for one in loaded
        if one.terms and (phase := one.account.phase) and (terms := one.terms.phase(phase.index))
        if terms.type is PhaseType.FUNDED
    }
    return await payouts.payout_cycles(conn, asked) if asked else {}


def cycle_of(one: Present, cycles: Mapping[int, Cycle]) -> Cycle | None:
    """Return the account's payout cycle, including the days that its mark would end."""
    cycle, terms = cycles.get(one.account.id), one.conditions.terms
    if cycle is None or terms is None:
        return None
    return cycle.after(one.ended, percent(run_of(one.account).initial_balance, terms.profitable_day_pct))


def _criteria(one: Present, cycle: Cycle | None) -> list[Criterion]:
    account, calendar, sold = one.account, one.stored.calendar, one.stored.terms
    if account.phase is None or account.marked_at is None or sold is None or calendar is None:
        return domain.no_phase()
    minor_units = quote_cache().catalogue.currencies[account.currency].minor_units
    terms = sold.phase(account.phase.index)
    return domain.criteria(Standing(account, terms, cycle or Cycle(), calendar, minor_units, account.marked_at))
