"""The marker: each new batch marks every live account of a shard in columns; accounts that need more are folded singly.

The memory is never ahead of the database by anything that cannot be computed again. After any fault the shard is loaded
anew. PROPDESK_FAST_MARKER=false folds every account by itself, under its row lock.
"""

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice

import numpy as np

from config import wakeups
from config.settings import settings
from domain.columnar.bulk_load import MARKETS_MAX
from domain.columnar.fixed_point import Flags, Ints
from domain.columnar.shard import AccountShard
from domain.errors import Locked
from domain.instruments import Catalogue
from domain.quotes import Batch, Market
from models import accounts, ownership
from models import quarantine as quarantine_rows
from models.columnar import marks, shards
from models.columnar.marks import PreparedMarks
from models.loaded import LoadedAccount
from services import quarantine
from services.conditions import conditions_of
from services.fencing import Fence, ShardLost, fenced
from services.per_database import PerDatabase
from services.quote_cache import quote_cache
from services.telemetry import PASS_SECONDS, timed
from services.unit_of_work.openings import write_transaction
from services.unit_of_work.reads import read_connection, read_snapshot, write_connection
from services.unit_of_work.roots import LockRoot

CHUNK = 2_500
"""Rows locked together, for about 20 ms, or 40 ms if ledger rows are appended: how long an action may wait."""
PERSISTED_AT_ONCE = 8 * CHUNK
RECORD_SECONDS = 1.0  # between two records of the progress during a catch-up
STIRRED_EVERY = timedelta(hours=1)
"""How often accounts with only working orders are written: quotes after their mark cannot be deleted."""
ROOTS_PER_SWEEP = 500


def lock_root(account_id: int, challenge_id: int | None) -> LockRoot:
    """Return the lock root of an account."""
    return LockRoot.of_account(account_id) if challenge_id is None else LockRoot.of_challenge(challenge_id)


class Marker:
    """The accounts of one shard in columns, and the batch that they are judged through. Used by one task at a time.

    With a fence it raises ShardLost instead of writing once the shard has another owner.
    """

    def __init__(self, shard: int, fence: Fence | None = None) -> None:
        self.shard = shard
        self.fence = fence
        self.ending = False  # the shard is handed over after the current batch
        self.alone = asyncio.Lock()
        self.forget()

    def forget(self) -> None:
        """Drop the memory; the next pass loads the shard again."""
        self.book: AccountShard | None = None
        self.catalogue: Catalogue | None = None
        self.shards = 0  # number of shards of the desk
        self.horizon = ""  # of the last read of changed accounts
        self.through = 0
        self.recorded: int | None = None
        self.recorded_at = -math.inf  # monotonic
        self.challenges: dict[int, int | None] = {}  # by account
        self.waiting: dict[int, int] = {}  # to be caught up, in order: through which batch each has been judged
        self.failed: dict[int, int] = {}  # accounts that cannot be read or marked, and their version
        self.named: set[int] = set()  # accounts in quarantine, as this marker last read them
        self.persisted_at: datetime | None = None
        self.persisted_to = 0  # the last account whose mark was written
        self.stirred_at: datetime | None = None

    async def drain(self, seconds: float = math.inf) -> int:
        """Judge until no batch is left, or for about `seconds`; return how many batches were judged."""
        judged = 0
        ends_at = time.monotonic() + seconds
        async with self.alone:
            try:
                with fenced(self.fence):
                    while not self.ending and ((batches := await self._look()) or self.waiting):
                        judged += await self._pass_all(batches, ends_at)
                        await self._catch_up()
                        await self._rest()  # before the batch counts as judged
                        await self._record()
                        if time.monotonic() >= ends_at:
                            wakeups.request("evaluator")
                            break
                    if not self.ending:
                        await self._rest()
                        if self.recorded != self.through:  # an empty shard is judged as soon as it is loaded
                            await self._record()
            except BaseException:
                self.forget()
                raise
        return judged

    async def _pass_all(self, batches: Sequence[Batch], ends_at: float) -> int:
        """Judge batch by batch until `ends_at` or a handover; return how many. Records the progress now and then."""
        for judged, batch in enumerate(batches, 1):
            with timed(PASS_SECONDS.labels(str(self.shard))):
                await self._pass(batch)
            if self.ending or time.monotonic() >= ends_at:
                return judged
            if batch is not batches[-1] and time.monotonic() >= self.recorded_at + RECORD_SECONDS:
                await self._record()
        return len(batches)

    async def hand_over(self) -> None:
        """End after the current batch and write what is not written, so that the next owner goes on from there."""
        self.ending = True
        async with self.alone:
            try:
                with fenced(self.fence):
                    if self.book is not None:
                        await self._write(self.book.dirty())
                        await self._record()
            finally:
                self.forget()

    async def _look(self) -> list[Batch]:
        """Read new batches and load accounts again that others changed. Return the batches."""
        async with read_connection() as conn:
            await quote_cache().extend(conn)
        if self.book is None or self.catalogue is not quote_cache().catalogue:
            await self._begin()
        assert self.book is not None, "the shard is loaded"
        await self._reload(await self._changed())
        await self._reload(await self._cured())
        async with read_connection() as conn:
            batches = await quote_cache().batches(conn, self.through, quote_cache().newest)
        if batches and batches[0].number != self.through + 1:  # forgotten while this process slept; others went on
            self.forget()
            return await self._look()
        return batches

    async def _changed(self) -> list[int]:
        """Return the accounts that others changed; drop those that are no longer live."""
        assert self.book is not None, "the shard is loaded"
        async with read_connection() as conn:
            horizon = await marks.snapshot_horizon(conn)
            touched = await marks.touched_accounts(conn, self.horizon, self.shards, self.shard)
        self.horizon = horizon
        for account_id, _, live in touched:
            if not live:
                self.book.drop(account_id)
                self.failed.pop(account_id, None)
                self.waiting.pop(account_id, None)
        await self._release([account_id for account_id, _, live in touched if not live])
        lives = [(account_id, seq) for account_id, seq, live in touched if live and self.failed.get(account_id) != seq]
        return [account_id for account_id, seq in lives if not self.book.has(account_id, seq)]

    async def _cured(self) -> list[int]:
        """Return accounts that left the quarantine because somebody marked them by hand."""
        if not self.failed:
            return []
        async with read_connection() as conn:
            self.named = await quarantine_rows.quarantined_in_shard(conn, self.shards, self.shard)
        return [account_id for account_id in self.failed if account_id not in self.named]

    async def _release(self, ids: Iterable[int]) -> None:
        """Release accounts from quarantine: they were read and marked, or are at rest."""
        if self.named and (cured := self.named.intersection(ids)):
            await quarantine.release(sorted(cured))
            self.named -= cured

    async def _begin(self) -> None:
        """Load the shard; it is judged through the batch of its least marked account."""
        self.forget()
        async with read_snapshot() as conn:
            self.horizon = await marks.snapshot_horizon(conn)
            self.shards = await ownership.shard_count(conn)
            stored = await shards.load_shard(conn, self.shards, self.shard)
            self.named = await quarantine_rows.quarantined_in_shard(conn, self.shards, self.shard)
        through = stored.accounts.through
        batches, counts = np.unique(through, return_counts=True)
        async with read_connection() as conn:
            await quote_cache().extend(conn)
            self.catalogue = quote_cache().catalogue
            self.through = int(batches.min(initial=quote_cache().newest))
            market = await quote_cache().market(conn, self.through)
            common = batches[np.argsort(-counts)[:MARKETS_MAX]].tolist()
            markets = {batch: await quote_cache().market(conn, batch) for batch in common}
        self.book = AccountShard(timedelta(minutes=settings().mark_ledger_minutes), self.catalogue, market)
        challenges = zip(stored.accounts.id.tolist(), stored.accounts.challenge_id.tolist(), strict=True)
        self.challenges = {account: challenge or None for account, challenge in challenges}
        left_out = await asyncio.to_thread(self.book.fill, stored, markets)
        await self._release(self.book.ids())
        await self._reload(left_out)

    async def _reload(self, ids: Sequence[int]) -> None:
        """Load accounts as they are stored now; an account behind the shard waits to be caught up.

        An account that cannot be read or loaded goes into quarantine.
        """
        assert self.book is not None, "the shard is loaded"
        for start in range(0, len(ids), CHUNK):
            async with read_connection() as conn:
                read = await accounts.load_accounts(conn, ids[start : start + CHUNK])
                await quote_cache().extend(conn)  # so that no account is ahead of this process's quotes
                batches = {one.account.marked_through for one in read.loaded}
                markets = {batch: await quote_cache().market(conn, batch) for batch in batches}
            faults = {one.account_id: one.reason for one in read.unreadable}
            self.challenges |= {one.account_id: one.challenge_id for one in read.unreadable}
            for one in read.loaded:
                try:
                    self._put(one, markets[one.account.marked_through])
                except Exception as error:  # noqa: BLE001 - the fault is that account's alone
                    faults[one.account.id] = error
            for account_id, reason in faults.items():
                await self._isolate(account_id, reason)
            settled = {one.account.id for one in read.loaded} - faults.keys() - self.waiting.keys()
            for account_id in settled:
                self.failed.pop(account_id, None)
            await self._release(settled)

    def _put(self, one: LoadedAccount, market: Market) -> None:
        assert self.book is not None, "the shard is loaded"
        account = one.account
        self.challenges[account.id] = one.challenge_id
        if account.live and account.marked_through < self.through:
            self.book.drop(account.id)
            self.waiting.setdefault(account.id, account.marked_through)
            return
        self.waiting.pop(account.id, None)
        self.book.put(account, conditions_of(one, quote_cache().catalogue), market)

    async def _isolate(self, account_id: int, reason: Exception) -> None:
        """Go on without the account until it changes or is marked by hand."""
        assert self.book is not None, "the shard is loaded"
        self.book.drop(account_id)
        self.waiting.pop(account_id, None)
        self.failed[account_id] = await quarantine.isolate(self._root(account_id), account_id, reason)
        self.named.add(account_id)

    async def _pass(self, batch: Batch) -> None:
        """Mark the shard by one batch: fold the accounts that need it, write the rows that are due.

        If many accounts need the fold, later batches go on marking the others.
        """
        assert self.book is not None, "the shard is loaded"
        is_fast = settings().fast_marker
        for account_id in await asyncio.to_thread(self.book.mark, batch) if is_fast else self.book.ids():
            self.waiting.setdefault(account_id, batch.number - 1)
        self.through = batch.number
        await self._catch_up()
        await self._write(self.book.due())
        pause = timedelta(seconds=settings().mark_persist_seconds)
        if self.persisted_at is None or batch.market_time - self.persisted_at >= pause:
            await self._persist(batch)

    async def _persist(self, batch: Batch) -> None:
        """Write changed marks, continuing after the last written account; a new batch comes first."""
        assert self.book is not None, "the shard is loaded"
        if self.stirred_at is None or batch.market_time - self.stirred_at >= STIRRED_EVERY:
            self.book.stir()
            self.stirred_at = batch.market_time
        if await self._write_dirty(PERSISTED_AT_ONCE):
            self.persisted_at = batch.market_time

    async def _rest(self) -> None:
        """Write every changed mark if no batch and no account waits.

        So the API reads figures of the newest judged batch while the market is silent.
        """
        if not self.waiting and not await self._is_behind():
            await self._write_dirty(CHUNK)

    async def _is_behind(self) -> bool:
        """Return whether a batch is not judged yet."""
        async with read_connection() as conn:
            await quote_cache().extend(conn)
        return quote_cache().newest > self.through

    async def _write_dirty(self, at_once: int) -> bool:
        """Write changed marks, continuing after the last written account. Return False if a new batch is to be judged
        first.
        """
        assert self.book is not None, "the shard is loaded"
        dirty = self.book.dirty()
        dirty = np.roll(dirty, -int(np.searchsorted(dirty, self.persisted_to, side="right")))
        for start in range(0, len(dirty), at_once):
            ids = dirty[start : start + at_once]
            await self._write(ids)
            self.persisted_to = int(ids[-1])
            if await self._is_behind():
                return False
        return True

    async def _write(self, ids: Ints) -> None:
        """Write marks in chunks; load accounts again that others hold or changed."""
        assert self.book is not None, "the shard is loaded"
        chunks = [ids[start : start + CHUNK].tolist() for start in range(0, len(ids), CHUNK)]
        ahead = await self._prepare(chunks[0] if chunks else [])
        for following in [*chunks[1:], []]:
            taken, prepared = await self._write_chunk(ahead, following)
            self.book.written(ahead.marks, taken)
            again, ahead = ahead.marks.id[~taken].tolist(), prepared
            await self._reload(again)

    async def _prepare(self, ids: Sequence[int]) -> PreparedMarks:
        """Prepare marks for the database in a thread; the shard does not change in the meantime."""
        book = self.book
        assert book is not None, "the shard is loaded"
        return await asyncio.to_thread(lambda: marks.prepare_marks(book.marks(ids)))

    async def _write_chunk(self, ahead: PreparedMarks, following: Sequence[int]) -> tuple[Flags, PreparedMarks]:
        """Write the prepared marks while the next ones are prepared."""
        if not len(ahead.marks):
            return np.zeros(0, np.bool_), await self._prepare(following)
        try:
            async with write_transaction() as conn:
                await marks.stage_marks(conn, ahead)
                return await asyncio.gather(marks.write_marks(conn, ahead), self._prepare(following))
        except Locked:  # another transaction holds one of them for long
            async with write_transaction() as conn:
                await marks.stage_marks(conn, ahead)
                return await marks.write_unlocked_marks(conn, ahead), await self._prepare(following)

    async def _catch_up(self) -> None:
        """Fold the accounts that have waited longest, under their locks, and load them again."""
        chunk = list(islice(self.waiting, ROOTS_PER_SWEEP))
        if not chunk:
            return
        failed = await quarantine.catch_up_all({account_id: self._root(account_id) for account_id in chunk})
        assert self.book is not None, "the shard is loaded"
        for account_id in chunk:
            self.waiting.pop(account_id)
            self.failed.pop(account_id, None)
        for account_id in failed:
            self.book.drop(account_id)
        self.failed |= failed
        self.named |= failed.keys()
        await self._reload([account_id for account_id in chunk if account_id not in failed])

    def _root(self, account_id: int) -> LockRoot:
        return lock_root(account_id, self.challenges[account_id])

    async def _record(self) -> None:
        judged = min([self.through, *self.waiting.values()])
        owner, fence = (self.fence.owner, self.fence.number) if self.fence else (None, None)
        async with write_connection() as conn:
            if not await marks.record_progress(conn, self.shard, judged, owner, fence):
                raise ShardLost(self.shard)
        self.recorded, self.recorded_at = judged, time.monotonic()


_markers: PerDatabase[dict[int, Marker]] = PerDatabase(dict)


async def mark_shard(shard: int, seconds: float = math.inf) -> int:
    """Judge the waiting batches of a shard; return how many. The shard stays in memory for the next call.

    After about `seconds` it stops and asks the evaluator to go on.
    """
    marker = _markers().setdefault(shard, Marker(shard))
    return await marker.drain(seconds)
