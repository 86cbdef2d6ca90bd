"""The unit of work: what a use case reads and changes inside one transaction."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain import fold, frozen
from domain.accounts import Account, Journal
from domain.audits import Entry
from domain.errors import AccountQuarantined, NotFound, Refused
from domain.execution import Moment
from domain.instruments import Catalogue
from domain.ledger import Facts
from domain.quotes import Batch, Market
from models import accounts, audits, balances, challenges, events, jobs, journal, sql
from models.events import NewEvent
from models.jobs import NewJob
from models.loaded import LoadedAccount, UnreadableAccount
from models.quotes import Clocks
from models.sql import Connection
from services.conditions import conditions_of
from services.consequences import Moves, consequences_of
from services.principals import Principal
from services.quote_cache import QuoteCache, market_time
from services.unit_of_work.locked_account import LockedAccount

TURN_SECONDS = 0.05  # for which catching accounts up may hold the event loop, except for the last account


@dataclass(slots=True)
class UnitOfWork:
    """The state of one transaction. Everything that it collects is written by `flush`, each table once."""

    conn: Connection
    quotes: QuoteCache
    clocks: Clocks = field(init=False)
    market: Market = field(init=False)  # as of the clocks, while the quote cache goes on in other tasks
    locked_accounts: dict[int, LockedAccount] = field(default_factory=dict)
    unreadable: dict[int, UnreadableAccount] = field(default_factory=dict)  # under lock as well
    journal: Journal = field(default_factory=Journal)
    new_events: list[NewEvent] = field(default_factory=list)
    new_jobs: list[NewJob] = field(default_factory=list)
    moves: Moves = field(default_factory=Moves)
    audit_entries: list[Entry] = field(default_factory=list)
    has_events: bool = False  # events were written: the stamper is woken after the commit
    has_jobs: bool = False  # jobs were written: the workers are woken after the commit

    @property
    def now(self) -> datetime:
        """The market time. Raises NoMarket in a replay that has not begun."""
        return market_time(self.clocks)

    @property
    def batch(self) -> int:
        """The batch that every account of the unit is caught up with: the newest one under the locks; 0 before any."""
        return self.clocks.number

    @property
    def mode(self) -> str:
        return self.clocks.mode

    @property
    def catalogue(self) -> Catalogue:
        return self.quotes.catalogue

    @property
    def moment(self) -> Moment:
        return Moment(self.market, self.now, self.batch)

    def emit(self, name: str, *, brand: str, challenge_id: int, payload: Facts) -> None:
        """Send an event to every subscriber after the commit."""
        self.new_events.append(NewEvent(brand, challenge_id, name, payload, self.now))

    def enqueue(
        self,
        kind: str,
        *,
        brand: str,
        challenge_id: int | None = None,
        account_id: int | None = None,
        facts: Facts | None = None,
    ) -> None:
        """Queue a side effect that a worker performs after the commit."""
        self.new_jobs.append(NewJob(brand, kind, challenge_id, account_id, facts or {}))

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
        """Add an entry to the brand's audit chain: what a manager or an admin changed, and why.

        `operation` is the mutation's name; `before` and `after` are the changed figures as JSON scalars.
        """
        if principal.is_audited:
            entry = Entry(
                brand or "", principal.actor, principal.role.value, operation, object_kind, str(object_id), reason,
                before or {}, after or {}, principal.request,
            )  # fmt: skip
            self.audit_entries.append(entry)

    def check_readable(self) -> None:
        """Raise AccountUnreadable if this version cannot read an account that the unit has locked."""
        for one in self.unreadable.values():
            raise one.refusal from one.reason

    def locked_account(self, account_id: int) -> LockedAccount:
        """Return the account under this unit's lock. Raises NotFound for an account that can no longer change."""
        try:
            return self.locked_accounts[account_id]
        except KeyError:
            raise NotFound("accountId", account=account_id) from None

    async def refresh_market(self, seen: Clocks | None = None) -> None:
        """Read the clocks and the newest quotes: under the locks, so that no use case acts on an older market."""
        self.clocks = await self.quotes.extend(self.conn, seen)
        self.market = await self.quotes.market(self.conn, self.batch)

    async def load_account(self, account_id: int) -> LockedAccount:
        """Lock and return an account that this unit created, or that no lock root covers. Raises AccountUnreadable."""
        self.add_locked((await accounts.load_accounts(self.conn, [account_id], locked=True)).all_accounts)
        return self.locked_accounts[account_id]

    def add_locked(self, loaded: Sequence[LoadedAccount]) -> None:
        """Add accounts whose rows this transaction has locked."""
        for one in loaded:
            self.locked_accounts[one.account.id] = LockedAccount(one, one.account, conditions_of(one, self.catalogue))

    async def catch_up(self) -> None:
        """Bring every locked account to the newest batch and to the market time. Raises AccountQuarantined."""
        turn_ends = time.monotonic() + TURN_SECONDS
        for locked in self.locked_accounts.values():
            await self.bring(locked)
            if time.monotonic() >= turn_ends:  # hundreds of accounts may have missed thousands of batches
                await asyncio.sleep(0)
                turn_ends = time.monotonic() + TURN_SECONDS

    async def bring(self, locked: LockedAccount, *, pass_over: bool = False) -> None:
        """Bring the account to the unit's batch and to the market's time. Raises AccountQuarantined.

        With `pass_over`, only the newest quote of each symbol counts: the batches between neither mark nor judge it.
        """
        account, batches, market = locked.account, list[Batch](), self.market
        if account.marked_through < self.batch:
            market = await self.quotes.market(self.conn, account.marked_through)
            batches = await self.quotes.batches(self.conn, account.marked_through, self.batch)
        elif account.phase is None or not account.phase.running:
            return
        if pass_over and batches:
            batches = [frozen.replace(batches[-1], quotes=tuple(self.market.values()))]
        try:
            locked.account = fold.bring(
                account, market, batches, self.market, self.now, locked.conditions, self.journal
            )
        except Refused:
            raise
        except Exception as error:
            raise AccountQuarantined.because_of(error, account.id) from error

    async def flush(self) -> None:
        """Write what was collected since the last time, each table once.

        It runs before the commit, and earlier where a use case reads the rows it has changed.
        """
        self._add_consequences()
        changed = [one for one in self.locked_accounts.values() if one.account != one.stored.account]
        flags = [one.account for one in changed if _flags(one.account) != _flags(one.stored.account)]
        hashes = await challenges.terms_hashes(self.conn, {one.challenge_id for one in self.journal.findings})
        await sql.write_together(
            self.conn,
            [
                *journal.journal_parts(self.journal, hashes),
                *balances.balance_parts([one.account for one in changed], flags),
                *challenges.status_parts(self.moves.phases, self.moves.challenges),
                jobs.job_part(self.new_jobs),
                events.outbox_part(self.new_events),
            ],
        )
        await audits.append_entries(self.conn, self.audit_entries)
        for one in changed:
            one.stored = replace(one.stored, account=one.account)
        self.has_events, self.has_jobs = self.has_events or bool(self.new_events), self.has_jobs or bool(self.new_jobs)
        self.journal, self.moves = Journal(), Moves()
        self.new_events, self.new_jobs, self.audit_entries = [], [], []

    def _add_consequences(self) -> None:
        """Add the moves, events and jobs that the journal's findings and verdicts lead to."""
        led_to = consequences_of(self.journal, self.locked_accounts)
        for notice in led_to.notices:
            self.emit(notice.name, brand=notice.brand, challenge_id=notice.challenge_id, payload=notice.facts)
        self.new_jobs += led_to.jobs
        self.moves.phases += led_to.moves.phases
        self.moves.challenges += led_to.moves.challenges


def _flags(account: Account) -> tuple[object, ...]:
    return account.status, account.read_only, account.blocked_until, account.locked_from
