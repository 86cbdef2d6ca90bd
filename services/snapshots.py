"""Accounts as they stand now: brought to the newest market on a copy, with nothing written and nothing locked."""

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
from services.tape import market_time, tape
from services.unit import reading
from services.unit import snapshot as consistent


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


async def of_accounts(ids: Sequence[int]) -> dict[int, Snapshot]:
    """The snapshots of those accounts that can be read. The caller has made sure that they are in sight."""
    async with consistent() as conn:
        loaded = (await accounts.load(conn, ids)).loaded
    return {one.stored.account.id: one.snapshot for one in await present(loaded)}


async def present(loaded: Sequence[Loaded]) -> list[Present]:
    """Bring copies of accounts, read at one point in time, to the market of now."""
    async with reading() as conn:
        clocks = await tape().extend(conn)
        market = await tape().market(conn, clocks.number)
        moment = Moment(market, market_time(clocks), clocks.number)
        return [await _brought(conn, one, moment) for one in loaded]


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
