"""Accounts as of the newest market, computed on copies without locks or writes."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from domain import fold
from domain.accounts import Account, Day, Journal
from domain.errors import AccountQuarantined, Refused
from domain.execution import Moment
from domain.quotes import Batch
from domain.snapshots import Snapshot, snapshot
from domain.verdicts import Conditions
from models import accounts
from models.loaded import LoadedAccount, LoadResult
from models.sql import Connection
from services.conditions import conditions_of
from services.fairness import in_turns
from services.quote_cache import market_time, quote_cache
from services.unit_of_work.reads import read_connection
from services.unit_of_work.reads import read_snapshot as consistent

Made = TypeVar("Made")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Present:
    """An account as stored, and as a mark at the newest market would leave it."""

    stored: LoadedAccount
    account: Account
    moment: Moment
    conditions: Conditions
    ended: tuple[Day, ...]  # days that the mark would end

    @property
    def snapshot(self) -> Snapshot:
        before = self.stored.account
        return snapshot(self.account, self.moment, self.conditions.catalogue, seq=before.seq, head=before.head)


async def newest_moment() -> Moment:
    """Return the newest market. Raises NoMarket if there is none yet."""
    async with read_connection() as conn:
        clocks = await quote_cache().extend(conn)
        return Moment(await quote_cache().market(conn, clocks.number), market_time(clocks), clocks.number)


async def present_accounts(ids: Sequence[int], moment: Moment) -> dict[int, Present | Refused]:
    """Return the accounts as of a moment, or the reason why not. The caller has checked their visibility."""
    async with consistent() as conn:
        read = await accounts.load_accounts(conn, ids)
    return await each_present(read, moment, lambda one: one)


async def each_present(
    read: LoadResult, moment: Moment | None, make: Callable[[Present], Made]
) -> dict[int, Made | Refused]:
    """Return what `make` makes of each account at a moment or the newest market, or why it cannot be computed."""
    found: dict[int, Made | Refused] = {one.account_id: one.refusal for one in read.unreadable}
    async for one in in_turns(await _those_of(read.loaded, moment)):
        found[one.stored.account.id] = make(one)
    for stored in read.loaded:
        if stored.account.id not in found:
            try:
                [one] = await bring_to_present([stored], moment)
                found[stored.account.id] = make(one)
            except AccountQuarantined as refusal:
                found[stored.account.id] = refusal
    return found


async def _those_of(loaded: Sequence[LoadedAccount], moment: Moment | None) -> list[Present]:
    """Return all accounts at a moment; none if one of them cannot be computed."""
    try:
        return await bring_to_present(loaded, moment)
    except AccountQuarantined as refusal:
        log.warning("an account that is read cannot be computed: %s", refusal)
        return []


async def account_snapshots(ids: Sequence[int]) -> dict[int, Snapshot]:
    """Return the snapshots of the readable accounts. The caller has checked their visibility."""
    async with consistent() as conn:
        loaded = (await accounts.load_accounts(conn, ids)).loaded
    return {one.stored.account.id: one.snapshot for one in await bring_to_present(loaded)}


async def bring_to_present(loaded: Sequence[LoadedAccount], moment: Moment | None = None) -> list[Present]:
    """Bring copies of accounts, read at one point in time, to a moment or to the newest market.

    If one was written at a later batch, all are brought to the newest market. Raises AccountQuarantined for an account
    that cannot be computed.
    """
    newest = max((one.account.marked_through for one in loaded), default=0)
    if moment is None or newest > moment.batch:
        moment = await newest_moment()
    async with read_connection() as conn:
        return [await _brought(conn, one, moment) async for one in in_turns(loaded)]


async def _brought(conn: Connection, one: LoadedAccount, moment: Moment) -> Present:
    """Bring a copy to the moment as the unit of work would, without its journal. Raises AccountQuarantined."""
    conditions = conditions_of(one, quote_cache().catalogue)
    account, through, unwritten = one.account, one.account.marked_through, Journal()
    market, batches = moment.market, list[Batch]()
    if through < moment.batch:
        market = await quote_cache().market(conn, through)
        batches = await quote_cache().batches(conn, through, moment.batch)
    try:
        account = fold.bring(account, market, batches, moment.market, moment.at, conditions, unwritten)
    except Exception as error:
        raise AccountQuarantined.because_of(error, account.id) from error
    ended = tuple(day for day in unwritten.days.values() if day.closed)
    return Present(one, account, moment, conditions, ended)
