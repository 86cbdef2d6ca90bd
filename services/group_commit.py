"""Group commit: submissions that wait at the same time share a transaction, executed one after the other.

A submission that comes during a transaction waits and shares the next one; with no transaction under way it goes at
once. Waiting submissions take turns, one per bearer; the shared transaction takes no connection of a bearer's share. A
submission that cannot join (its root is locked, or the transaction failed) gets a transaction of its own, by its
bearer's share; if it was committed after all, its stored results are returned. PROPDESK_FAST_GROUP_COMMIT=false gives
each submission a transaction of its own.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import cast

from domain.orders import Action, ActionResult
from models.accounts import ActionKey
from services.callers import current
from services.per_database import PerDatabase
from services.principals import Principal
from services.round_robin import RoundRobin
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.openings import group_transaction
from services.unit_of_work.roots import LockRoot, is_idle
from services.unit_of_work.unit import UnitOfWork

log = logging.getLogger(__name__)

ACTIONS_MAX = 16
"""Actions of one transaction, unless a single submission has more."""

TRANSACTIONS = 8
"""Transactions at once while there are ACTIONS_MAX actions for each."""

FEW = 2
"""Transactions at once otherwise: one executes while the other is written."""


@dataclass(eq=False, slots=True)
class Submission:
    """A batch for one account; `answer` is None if it gets a transaction of its own."""

    principal: Principal
    account_id: int
    of: LockRoot
    run: str
    actions: Sequence[Action]
    answer: asyncio.Future[list[ActionResult] | None] = field(default_factory=asyncio.Future)
    apart: bool = False  # it gets a transaction of its own

    @property
    def asked(self) -> list[ActionKey]:
        return [(self.account_id, *action.key) for action in self.actions]


Execute = Callable[[UnitOfWork, LockedAccount, Submission], Awaitable[list[ActionResult]]]
Alone = Callable[[Submission], Awaitable[list[ActionResult]]]


class GroupCommit:
    """The queue of submissions and the tasks that commit them."""

    def __init__(self) -> None:
        self._waiting: RoundRobin[Submission] = RoundRobin()
        self._actions = 0  # of waiting submissions
        self._behind: dict[LockRoot, list[Submission]] = {}  # of each root that is being written: those that came since
        self._apart: Counter[LockRoot] = Counter()  # roots of submissions that go alone
        self._serving: set[asyncio.Task[None]] = set()

    async def answer(self, submission: Submission, execute: Execute, alone: Alone) -> list[ActionResult]:
        """Return the results after the commit; `alone` executes a submission that cannot join.

        Raises Busy if too many submissions of the bearer wait already, TimeLimit.
        """
        self._waiting.check_room(submission.principal.key)
        if caller := current():
            caller.check()
            caller.pledge()
            caller.in_doubt = True  # from here on other tasks decide when it is committed
        self._waiting.append(submission.principal.key, submission)
        self._actions += len(submission.actions)
        if len(self._serving) < self._most():
            task = asyncio.create_task(self._serve(execute), context=Context())  # the work of many callers
            self._serving.add(task)
        try:
            answered = await submission.answer
            return await alone(submission) if answered is None else answered
        finally:
            if submission.apart:
                self._apart -= Counter([submission.of])

    def _most(self) -> int:
        """Return how many transactions there may be at once."""
        return TRANSACTIONS if self._actions >= ACTIONS_MAX else FEW

    async def _serve(self, execute: Execute) -> None:
        try:
            while len(self._serving) <= self._most() and (some := self._take()):
                await self._write(some, execute)
        finally:  # at once: the next submission must find no serving task
            self._serving.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _write(self, some: Sequence[Submission], execute: Execute) -> None:
        answers: dict[Submission, list[ActionResult]] = {}
        committed = False
        try:
            async with group_transaction(
                [one.of for one in some], [asked for one in some for asked in one.asked]
            ) as work:
                for one in some:
                    if locked := work.locked_accounts.get(one.account_id):
                        answers[one] = await execute(work, locked, one)
            committed = True
        except Exception as error:  # noqa: BLE001 - each goes alone and meets its own error
            log.debug("%d submissions go alone: %r", len(some), error)
        finally:
            for one in some:
                if committed and one in answers and not one.answer.done():
                    one.answer.set_result(answers[one])
                else:
                    self._let_go(one)
                self._follow(one)

    def _follow(self, one: Submission) -> None:
        """Queue the submissions behind it next; or send each off alone, in order."""
        behind = self._behind.pop(one.of)
        if one.apart:
            for later in behind:
                self._let_go(later)
        else:
            for later in reversed(behind):
                self._waiting.put_back(later.principal.key, later)
            self._actions += sum(len(later.actions) for later in behind)

    def _let_go(self, one: Submission) -> None:
        if not one.answer.done():  # else its caller has gone
            one.apart = True
            self._apart[one.of] += 1
            one.answer.set_result(None)

    def _take(self) -> list[Submission]:
        """Return the next submissions to share a transaction, each with a root of its own, in order per root.

        A submission whose root is being written waits for that; one whose root is otherwise busy goes alone.
        """
        some: list[Submission] = []
        many = 0
        while self._waiting and (not some or many + len(self._waiting.next().actions) <= ACTIONS_MAX):
            one = self._waiting.pop()
            self._actions -= len(one.actions)
            if one.answer.done():
                continue  # its caller has gone
            if one.of in self._behind:
                self._behind[one.of].append(one)
            elif one.of in self._apart or not is_idle(one.of):
                self._let_go(one)
            else:
                self._behind[one.of] = []
                some.append(one)
                many += len(one.actions)
        return some


group_commit = PerDatabase(GroupCommit)
"""Group commit on the open database."""
