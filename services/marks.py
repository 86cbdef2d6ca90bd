"""The marker: every new batch against every live account of a shard, in columns; what needs more is caught up.

Memory is only ever ahead of the database by what can be computed again. Whatever goes wrong, the book is thrown away
and loaded anew.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.settings import settings
from domain.book import Book
from domain.errors import Busy, MarkFailed, Refused
from domain.instruments import Catalogue
from domain.ledger import Kind
from domain.quotes import Batch
from models import accounts, marks
from models.accounts import Loaded
from models.sql import Connection
from services.actions import reach
from services.local import Local
from services.principals import Principal
from services.tape import tape
from services.unit import LOST, Held, Root, Unit, conditions_of, plain, reading, root, sweep

log = logging.getLogger(__name__)

CHUNK = 5_000
ROOTS_PER_SWEEP = 500
TROUBLES = (Busy, *LOST)
"""The database's, and no account's fault: the pass ends and is begun again."""


def root_of(loaded: Loaded) -> Root:
    """The lock root of an account."""
    if loaded.challenge_id is not None:
        return Root.of_challenge(loaded.challenge_id)
    return Root.of_account(loaded.account.id)


class Marker:
    """One shard's book and how far it has been judged. Used by one task at a time."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.alone = asyncio.Lock()
        self.forget()

    def forget(self) -> None:
        """Throw the memory away; the next pass loads it again."""
        self.book: Book | None = None
        self.catalogue: Catalogue | None = None
        self.through = 0
        self.recorded: int | None = None
        self.roots: dict[int, Root] = {}
        self.failed: dict[int, int] = {}  # accounts that could not be marked, at which version
        self.persisted_at: datetime | None = None

    async def drain(self) -> int:
        """Pass until no batch is left; answers how many were judged."""
        judged = 0
        async with self.alone:
            try:
                while batches := await self._look():
                    for batch in batches:
                        await self._pass(batch)
                    judged += len(batches)
                    await self._record()
                if self.recorded != self.through:  # an empty shard is judged as soon as it is loaded
                    await self._record()
            except BaseException:
                self.forget()
                raise
        return judged

    async def _look(self) -> list[Batch]:
        """Learn of new batches, then of accounts that changed: those are loaded again. Answers the batches."""
        async with reading() as conn:
            await tape().extend(conn)
            live = await marks.live(conn, settings().marker_shards, self.shard)
            if self.book is None or self.catalogue is not tape().catalogue:
                await self._begin(conn, list(live))
        assert self.book is not None, "the shard is loaded"
        known = self.book.seqs()
        for gone in known.keys() - live.keys():
            self.book.drop(gone)
        await self._reload([i for i, seq in live.items() if known.get(i) != seq and self.failed.get(i) != seq])
        async with reading() as conn:
            return await tape().batches(conn, self.through, tape().newest)

    async def _begin(self, conn: Connection, ids: Sequence[int]) -> None:
        """Load the shard; it has been judged as far as its oldest account has been marked."""
        self.book, self.catalogue = Book(timedelta(minutes=settings().mark_ledger_minutes)), tape().catalogue
        loaded = await self._load(conn, ids)
        self.through = min((one.account.marked_through for one in loaded), default=tape().newest)
        for one in loaded:
            await self._put(conn, one)

    async def _load(self, conn: Connection, ids: Sequence[int]) -> list[Loaded]:
        """The accounts as they are stored, none of them ahead of this process's copy of the quotes."""
        loaded = await accounts.load(conn, ids)
        await tape().extend(conn)
        return loaded

    async def _put(self, conn: Connection, one: Loaded) -> None:
        assert self.book is not None, "the shard is loaded"
        market = await tape().market(conn, one.account.marked_through)
        self.book.put(one.account, conditions_of(one, tape().catalogue), market)
        self.roots[one.account.id] = root_of(one)

    async def _reload(self, ids: Sequence[int]) -> None:
        """Take accounts as they are stored now; one that is behind the shard is brought up first."""
        if not ids:
            return
        async with reading() as conn:
            loaded = await self._load(conn, ids)
            behind = [one for one in loaded if one.account.live and one.account.marked_through < self.through]
            if behind:
                self.roots |= {one.account.id: root_of(one) for one in behind}
        if behind:
            await self._catch_up([one.account.id for one in behind])
        caught = {one.account.id for one in behind}
        async with reading() as conn:
            await self._take(conn, [one for one in loaded if one.account.id not in caught])

    async def _take(self, conn: Connection, loaded: Iterable[Loaded]) -> None:
        assert self.book is not None, "the shard is loaded"
        for one in loaded:
            if one.account.live:
                await self._put(conn, one)
            else:
                self.book.drop(one.account.id)

    async def _pass(self, batch: Batch) -> None:
        """Mark the shard by one batch: what is due is written at once, what needs more is caught up."""
        assert self.book is not None, "the shard is loaded"
        handed = self.book.mark(batch)
        self.through = batch.number
        await self._write(self.book.due())
        await self._catch_up(handed)
        pause = timedelta(seconds=settings().mark_persist_seconds)
        if self.persisted_at is None or batch.market_time - self.persisted_at >= pause:
            await self._write(self.book.dirty())
            self.persisted_at = batch.market_time

    async def _write(self, ids: Sequence[int]) -> None:
        """Write marks in chunks; accounts held or changed by others are loaded again."""
        assert self.book is not None, "the shard is loaded"
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            computed = self.book.marks(chunk)
            async with plain() as work:
                taken = await marks.write(work.conn, computed)
            self.book.written(computed, taken)
            await self._reload(sorted(set(chunk) - set(taken)))

    async def _catch_up(self, ids: Sequence[int]) -> None:
        """Catch accounts up under their locks, many to a transaction, and take them as they are then."""
        for start in range(0, len(ids), ROOTS_PER_SWEEP):
            chunk = ids[start : start + ROOTS_PER_SWEEP]
            for account_id in chunk:
                self.failed.pop(account_id, None)
            try:
                async with sweep(sorted({self.roots[i] for i in chunk}, key=str)):
                    pass
            except TROUBLES:
                raise
            except Exception:
                log.exception("a sweep of %d accounts failed; they are taken one by one", len(chunk))
                failures = await _one_by_one({account_id: self.roots[account_id] for account_id in chunk})
                self.failed |= failures
            assert self.book is not None, "the shard is loaded"
            for account_id in self.failed.keys() & set(chunk):
                self.book.drop(account_id)
            async with reading() as conn:
                await self._take(conn, await self._load(conn, [i for i in chunk if i not in self.failed]))

    async def _record(self) -> None:
        async with reading() as conn:
            await marks.record(conn, self.shard, self.through)
        self.recorded = self.through


_markers: Local[dict[int, Marker]] = Local(dict)


async def drain(shard: int) -> int:
    """Judge what waits in a shard; answers how many batches. Its book stays in memory for the next time."""
    marker = _markers().setdefault(shard, Marker(shard))
    return await marker.drain()


async def _one_by_one(of: Mapping[int, Root]) -> dict[int, int]:
    """Catch accounts up each by itself. One that cannot be marked has that on its ledger, and the others go on.

    Answers the accounts that failed, each with the version it has then.
    """
    failed = {}
    for account_id, one in of.items():
        try:
            async with sweep([one]):
                pass
        except TROUBLES:
            raise
        except Exception as error:
            log.exception("account %s cannot be marked", account_id)
            failed[account_id] = await _note_failure(one, account_id, error)
    return failed


async def _note_failure(of: Root, account_id: int, error: Exception) -> int:
    """Write on its ledger that an account cannot be marked; answers its version."""
    async with sweep([of], mark=False) as work:
        held = work.hold(account_id)
        facts = {"error": type(error).__name__, "message": str(error)[:500]}
        held.account = work.journal.append(held.account, Kind.MARK_FAILED, work.now, work.batch, facts)
    return held.account.seq


async def mark_account(principal: Principal, account_id: int) -> None:
    """Bring one account to the newest batch.

    Raises NotFound for one that is not the principal's, MarkFailed for one that cannot be marked.
    """
    of = await reach(principal, account_id, "accountId")
    try:
        async with root(of) as work:
            if held := work.held.get(account_id):
                _note(work, principal, held)
    except (Refused, *TROUBLES):
        raise
    except Exception as error:
        log.exception("account %s cannot be marked", account_id)
        await _note_failure(of, account_id, error)
        raise MarkFailed("accountId", account=account_id) from error


def _note(work: Unit, principal: Principal, held: Held) -> None:
    before, after = held.stored.account, held.account
    work.audit(
        principal,
        "markAccountToMarket",
        object_kind="account",
        object_id=after.id,
        brand=after.brand,
        before={"marked_through": before.marked_through, "seq": before.seq},
        after={"marked_through": after.marked_through, "seq": after.seq},
    )


@dataclass(frozen=True, slots=True)
class Marked:
    """How many accounts were brought to the newest batch, and how many could not be: their ledgers say why."""

    accounts: int
    failed: int


async def mark_all(principal: Principal | None = None) -> Marked:
    """Bring every live account to the newest batch; one that cannot be marked is noted and passed over."""
    async with reading() as conn:
        ids = sorted(await marks.live(conn, 1, 0))
        roots = {one.account.id: root_of(one) for one in await accounts.load(conn, ids)}
    failed = 0
    for start in range(0, len(ids), ROOTS_PER_SWEEP):
        chunk = {account_id: roots[account_id] for account_id in ids[start : start + ROOTS_PER_SWEEP]}
        try:
            async with sweep(sorted(set(chunk.values()), key=str)):
                pass
        except TROUBLES:
            raise
        except Exception:
            log.exception("a sweep of %d accounts failed; they are taken one by one", len(chunk))
            failed += len(await _one_by_one(chunk))
    marked = Marked(len(ids) - failed, failed)
    if principal is not None:
        async with plain() as work:
            work.audit(
                principal, "markAllToMarket", object_kind="desk", object_id="accounts", after={
                    "batch": work.batch, "accounts": marked.accounts, "failed": marked.failed
                },
            )  # fmt: skip
    return marked
