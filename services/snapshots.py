"""Accounts as they stand now: brought to the newest market on a copy, with nothing written and nothing locked."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from domain import desk
from domain.accounts import Account, Day, Journal
from domain.execution import Moment
from domain.judging import Conditions
from domain.snapshots import Snapshot, snapshot
from models import accounts
from models.loaded import Loaded
from models.sql import Connection
from services.conditions import conditions_of
from services.fairness import in_turns
from services.tape import market_time, tape
from services.unit import reading
from services.unit import snapshot as consistent

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Present:
    """An account as stored, and as a mark at the newest market would leave it."""

    stored: Loaded
    account: Account
    moment: Moment
    conditions: Conditions
    ended: tuple[Day, ...]  # days that the mark would end, not written yet

    @property
    def snapshot(self) -> Snapshot:
        before = self.stored.account
        return snapshot(self.account, self.moment, self.conditions.catalogue, seq=before.seq, head=before.head)


async def now() -> Moment:
    """The newest market. Raises NoMarket where there is none yet."""
    async with reading() as conn:
        clocks = await tape().extend(conn)
        return Moment(await tape().market(conn, clocks.number), market_time(clocks), clocks.number)


async def presents(ids: Sequence[int], moment: Moment) -> dict[int, Present]:
    """Those of the accounts that can be read, as of a moment. The caller has made sure that they are in sight."""
    async with consistent() as conn:
        loaded = (await accounts.load(conn, ids)).loaded
    return {one.stored.account.id: one for one in await _each(loaded, moment)}


async def _each(loaded: Sequence[Loaded], moment: Moment) -> list[Present]:
    """The accounts at a moment, without those that cannot be brought there: the marker has them in quarantine."""
    try:
        return await present(loaded, moment)
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError):
        if len(loaded) == 1:
            log.exception("account %s cannot be brought to the market", loaded[0].account.id)
            return []
        return [found for one in loaded for found in await _each([one], moment)]


async def of_accounts(ids: Sequence[int]) -> dict[int, Snapshot]:
    """The snapshots of those accounts that can be read. The caller has made sure that they are in sight."""
    async with consistent() as conn:
        loaded = (await accounts.load(conn, ids)).loaded
    return {one.stored.account.id: one.snapshot for one in await present(loaded)}


async def present(loaded: Sequence[Loaded], moment: Moment | None = None) -> list[Present]:
    """Bring copies of accounts, read at one point in time, to a moment, or to the newest market.

    One that has been written at a later batch since is brought to the newest market instead.
    """
    newest = max((one.account.marked_through for one in loaded), default=0)
    if moment is None or newest > moment.batch:
        moment = await now()
    async with reading() as conn:
        return [await _brought(conn, one, moment) async for one in in_turns(loaded)]


async def _brought(conn: Connection, one: Loaded, moment: Moment) -> Present:
    """What the unit does to an account it holds, with a journal that is thrown away."""
    conditions = conditions_of(one, tape().catalogue)
    account, through, unwritten = one.account, one.account.marked_through, Journal()
    if through < moment.batch:
        market = await tape().market(conn, through)
        batches = await tape().batches(conn, through, moment.batch)
        account = desk.catch_up(account, market, batches, conditions, unwritten)
    if account.phase is not None and account.phase.running:
        account = desk.advance(account, moment.market, moment.at, conditions, unwritten)
    ended = tuple(day for day in unwritten.days.values() if day.closed)
    return Present(one, account, moment, conditions, ended)
