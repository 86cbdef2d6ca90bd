"""The one place that begins and ends transactions.

`root` opens the transaction of one lock root: it takes the locks, brings the root's accounts up to the newest batch,
lets the caller work, writes the journal, the moves, the jobs and the events, and commits. `sweep` does the same for
many roots that need nothing but catching up. `plain` is for objects without an account. What follows a commit (waking
the stamper and the workers) happens after it, and never inside.

Locks are taken in one order: a name's turn, roots by id, accounts by id, wallets by id, house accounts, audit chains.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from weakref import WeakValueDictionary

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError

from config import wakeups
from config.logs import about
from config.settings import settings
from config.tortoise_internals import transaction_client
from domain.accounts import Account, Journal
from domain.audits import Entry
from domain.errors import AccountQuarantined, Locked, NotFound, Refused, TimeLimit
from domain.execution import Moment
from domain.instruments import Catalogue
from domain.ledger import Facts
from domain.quotes import Market
from domain.verdicts import Conditions
from models import accounts, audits, balances, challenges, events, jobs, journal, sql
from models.accounts import ActionKey
from models.events import NewEvent
from models.jobs import NewJob
from models.loaded import LoadedAccount, UnreadableAccount
from models.quotes import Clocks
from models.sql import Connection
from services import catch_up, consequences, fencing, stamper_wakeup
from services.callers import current, stoppable
from services.conditions import conditions_of
from services.connections import Committing, Lease
from services.principals import Principal
from services.quote_cache import Tape, market_time, tape

TRANSIENT = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.InvalidCachedStatementError,  # a migration has changed a table since the statement was prepared
)
TURN_SECONDS = 0.05  # for which catching accounts up may hold the event loop, save for the last one of them


@dataclass(frozen=True, slots=True, order=True)
class Root:
    """A lock root: a challenge, or an account that has none."""

    challenge: int | None
    account: int | None

    @classmethod
    def of_challenge(cls, challenge_id: int) -> "Root":
        return cls(challenge_id, None)

    @classmethod
    def of_account(cls, account_id: int) -> "Root":
        return cls(None, account_id)


@dataclass(slots=True)
class Held:
    """An account under lock: as it was stored, and as it is now."""

    stored: LoadedAccount
    account: Account
    conditions: Conditions


@dataclass(slots=True)
class Unit:
    """What a use case works with inside its transaction."""

    conn: Connection
    tape: Tape
    clocks: Clocks = field(init=False)
    market: Market = field(init=False)  # as of the clocks: the tape runs on under other tasks
    held: dict[int, Held] = field(default_factory=dict)
    unreadable: dict[int, UnreadableAccount] = field(default_factory=dict)  # locked as well
    journal: Journal = field(default_factory=Journal)
    told: list[NewEvent] = field(default_factory=list)
    owed: list[NewJob] = field(default_factory=list)
    moves: consequences.Moves = field(default_factory=consequences.Moves)
    audited: list[Entry] = field(default_factory=list)
    stamps: bool = False  # events were written: the stamper is to be woken
    wakes: bool = False  # jobs were written: the workers are to be woken

    @property
    def now(self) -> datetime:
        """The market's time. Raises NoMarket in a replay that has not begun."""
        return market_time(self.clocks)

    @property
    def batch(self) -> int:
        """The batch every account of the unit is caught up with, the newest when it looked; 0 before the first."""
        return self.clocks.number

    @property
    def mode(self) -> str:
        return self.clocks.mode

    @property
    def catalogue(self) -> Catalogue:
        return self.tape.catalogue

    @property
    def moment(self) -> Moment:
        return Moment(self.market, self.now, self.batch)

    def emit(self, name: str, *, brand: str, challenge_id: int, payload: Facts) -> None:
        """Tell every subscriber, once this commits."""
        self.told.append(NewEvent(brand, challenge_id, name, payload, self.now))

    def owe(
        self,
        kind: str,
        *,
        brand: str,
        challenge_id: int | None = None,
        account_id: int | None = None,
        facts: Facts | None = None,
    ) -> None:
        """Owe a side effect, to be done by a worker once this commits."""
        self.owed.append(NewJob(brand, kind, challenge_id, account_id, facts or {}))

    def audit(
        self,
        principal: Principal,
        operation: str,
        *,
        object_kind: str,
        object_id: object,
        brand: str | None = None,
        reason: str = "",
        before: Facts | None = None,
        after: Facts | None = None,
    ) -> None:
        """Note what a manager or an admin changed and why, in the brand's chain.

        `operation` is the mutation's name; `before` and `after` what it changed, as JSON scalars.
        """
        if principal.is_audited:
            entry = Entry(
                brand or "", principal.actor, principal.role.value, operation, object_kind, str(object_id), reason,
                before or {}, after or {}, principal.request,
            )  # fmt: skip
            self.audited.append(entry)

    def check_readable(self) -> None:
        """Raises AccountUnreadable where this version cannot read an account that is locked here."""
        for one in self.unreadable.values():
            raise one.refusal from one.reason

    def hold(self, account_id: int) -> Held:
        """The account under this unit's lock. Raises NotFound for one that cannot change any more."""
        try:
            return self.held[account_id]
        except KeyError:
            raise NotFound("accountId", account=account_id) from None

    async def look(self, seen: Clocks | None = None) -> None:
        """Read the clocks and what is new on the tape; under the locks, so that no older market is acted on."""
        self.clocks = await self.tape.extend(self.conn, seen)
        self.market = await self.tape.market(self.conn, self.batch)

    async def adopt(self, account_id: int) -> Held:
        """Hold an account made in this unit, or at rest. Raises AccountUnreadable."""
        self.keep((await accounts.load_accounts(self.conn, [account_id], locked=True)).all_accounts)
        return self.held[account_id]

    def keep(self, loaded: Sequence[LoadedAccount]) -> None:
        """Hold accounts whose rows this transaction has locked."""
        for one in loaded:
            self.held[one.account.id] = Held(one, one.account, conditions_of(one, self.catalogue))

    async def catch_up(self) -> None:
        """Bring every held account to the newest batch, and to the market's time. Raises AccountQuarantined."""
        turn_ends = time.monotonic() + TURN_SECONDS
        for held in self.held.values():
            await catch_up.bring(self, held)
            if time.monotonic() >= turn_ends:  # of a sweep: hundreds of accounts may have missed thousands of batches
                await asyncio.sleep(0)
                turn_ends = time.monotonic() + TURN_SECONDS

    async def flush(self) -> None:
        """Write what was gathered since the last time, each table once.

        At the end; and earlier where a use case goes on with the rows as they then are.
        """
        consequences.settle(self)
        changed = [h for h in self.held.values() if h.account != h.stored.account]
        flags = [h.account for h in changed if _flags(h.account) != _flags(h.stored.account)]
        hashes = await challenges.terms_hashes(self.conn, {f.challenge_id for f in self.journal.findings})
        await sql.write_together(
            self.conn,
            [
                *journal.journal_parts(self.journal, hashes),
                *balances.balance_parts([h.account for h in changed], flags),
                *challenges.status_parts(self.moves.phases, self.moves.challenges),
                jobs.job_part(self.owed),
                events.outbox_part(self.told),
            ],
        )
        await audits.append_entries(self.conn, self.audited)
        for held in changed:
            held.stored = replace(held.stored, account=held.account)
        self.stamps, self.wakes = self.stamps or bool(self.told), self.wakes or bool(self.owed)
        self.journal, self.moves, self.told, self.owed, self.audited = Journal(), consequences.Moves(), [], [], []


def _flags(account: Account) -> tuple[object, ...]:
    return account.status, account.read_only, account.blocked_until, account.locked_from


_keyed: WeakValueDictionary[Root, asyncio.Lock] = WeakValueDictionary()


@asynccontextmanager
async def _alone(root: Root) -> AsyncIterator[None]:
    """Wait for this process's other work on the root before taking a connection: others do not wait for the pool.

    Always in this order: whoever holds a connection, and so a place of its caller's share, waits for no root.
    """
    lock = _keyed.get(root)
    if lock is None:
        _keyed[root] = lock = asyncio.Lock()
    if lock.locked():
        with stoppable():
            await lock.acquire()
    else:
        await lock.acquire()
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _begun() -> AsyncIterator[Connection]:
    """A connection in a transaction that Tortoise's calls of this task join.

    Tortoise's own opening leaves the task in the transaction for good when the connection is lost as it begins or ends.
    """
    connections = get_connections()
    parent = cast("AsyncpgDBClient", connections.get("default"))
    assert not isinstance(parent, TransactionWrapper), "transactions do not nest"
    async with Committing() as conn, conn.transaction():
        await fencing.require(conn)
        token = connections.set("default", transaction_client(parent, conn))
        try:
            yield conn
        finally:
            connections.reset(token)
        if caller := current():
            caller.in_doubt = True


@asynccontextmanager
async def _transaction() -> AsyncIterator[Unit]:
    """Begin, and on the way out flush, commit and signal. Transient database errors become Locked or TimeLimit."""
    try:
        async with _begun() as conn:
            work = Unit(conn, tape())
            yield work
            await work.flush()
    except TRANSIENT as error:
        raise _refusal(error) from error
    except (OperationalError, IntegrityError) as error:
        if isinstance(error.__cause__, TRANSIENT):
            raise _refusal(error.__cause__) from error
        raise
    except asyncpg.NumericValueOutOfRangeError as error:
        if not work.held:
            raise
        raise AccountQuarantined.because_of(error, *sorted(work.held)) from error
    if work.stamps:
        stamper_wakeup.stamp_soon()
    if work.wakes:
        wakeups.request("work_queue")


def _refusal(error: BaseException) -> Refused:
    """Return what a transaction is refused as whose statement took too long, or could not get its locks."""
    seconds, is_late = settings().statement_seconds_max, isinstance(error, asyncpg.QueryCanceledError)
    return TimeLimit(seconds_max=f"{seconds:g}") if is_late else Locked(reason=type(error).__name__)


@asynccontextmanager
async def plain() -> AsyncIterator[Unit]:
    """A transaction for objects that have no account: brands, programs, wallets, quotes, tokens."""
    async with _transaction() as work:
        await work.look()
        yield work


@asynccontextmanager
async def writing() -> AsyncIterator[Connection]:
    """A transaction for rows made ready before: it needs no clocks, and there is nothing to signal after it."""
    try:
        async with Committing() as conn, conn.transaction():
            await fencing.require(conn)
            yield conn
    except TRANSIENT as error:
        raise _refusal(error) from error


@asynccontextmanager
async def root(of: Root, asked: Sequence[ActionKey] = ()) -> AsyncIterator[Unit]:
    """The transaction of one lock root, its accounts caught up.

    Raises NotFound where there is no such root, AccountUnreadable where one of its accounts cannot be read,
    AccountQuarantined where one cannot be computed.

    `asked` has the actions that are to be submitted: whether one is known is then known, too. What is logged
    meanwhile names the root.
    """
    with about(challenge=of.challenge, account=of.account):
        async with _alone(of), _transaction() as work:
            if not await _lock(work, [of], asked):
                raise NotFound(None, challenge=of.challenge) if of.challenge else NotFound(None, account=of.account)
            work.check_readable()
            await work.catch_up()
            yield work


def is_idle(of: Root) -> bool:
    """Does nobody in this process hold the root, or wait for it?"""
    return of not in _keyed


@asynccontextmanager
async def several(roots: Sequence[Root], asked: Sequence[ActionKey]) -> AsyncIterator[Unit]:
    """One transaction for those of the roots, idle ones, that nobody else holds either; their accounts caught up."""
    async with AsyncExitStack() as stack:
        for one in roots:
            await stack.enter_async_context(_alone(one))
        work = await stack.enter_async_context(_transaction())
        await _lock(work, roots, asked, free=True)
        await work.catch_up()
        yield work


@asynccontextmanager
async def sweep(roots: Sequence[Root], *, mark: bool = True) -> AsyncIterator[Unit]:
    """One transaction that catches up many roots, for passes over the whole book.

    `mark` False only takes the locks: for noting on a ledger that catching up failed.
    """
    async with AsyncExitStack() as stack:
        for one in sorted(roots, key=lambda r: (r.challenge or 0, r.account or 0)):
            await stack.enter_async_context(_alone(one))
        work = await stack.enter_async_context(_transaction())
        await _lock(work, roots)
        if mark:
            await work.catch_up()
        yield work


async def _lock(work: Unit, roots: Sequence[Root], asked: Sequence[ActionKey] = (), *, free: bool = False) -> int:
    """Lock the roots that exist, or only those that are free, and hold their accounts; answers how many those are."""
    of_challenges = sorted(root.challenge for root in roots if root.challenge is not None)
    of_accounts = sorted(root.account for root in roots if root.account is not None)
    locked = await accounts.lock_roots(work.conn, of_challenges, of_accounts, free=free)
    read, seen = await accounts.lock_accounts_of_roots(work.conn, *locked, asked)
    await work.look(seen)
    if any(one.account.marked_through > work.batch for one in read.loaded):
        await work.look()  # the marker went on while its rows were waited for
    work.keep(read.loaded)
    work.unreadable = {one.account_id: one for one in read.unreadable}
    return sum(map(len, locked))


class reading(Lease):  # noqa: N801 - used like the functions beside it
    """A connection for reads, without a transaction."""

    __slots__ = ()


@asynccontextmanager
async def snapshot(lease: type[Lease] = Lease) -> AsyncIterator[Connection]:
    """One consistent view of the whole database, for reading only."""
    async with lease() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        yield conn
