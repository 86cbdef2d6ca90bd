"""What is submitted at the same time shares a transaction: one after the other in it, each as if it were alone.

A submission that comes while others are being written waits for them, and then goes with all that came meanwhile; one
that comes alone goes at once. Those that wait go by turns, one of each bearer; their transaction is nobody's own, so
it takes no connection of a bearer's share. A submission that cannot go along (somebody holds its root, or the
transaction failed) goes alone, by its bearer's share: one that was written after all is known by its actions and
answered again.
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
"""Of one transaction, unless a single submission has more."""

TRANSACTIONS = 8
"""At once, while there are so many actions for each of them."""

FEW = 2
"""So many at once when there are fewer: one is executed here while the other is written there."""


@dataclass(eq=False, slots=True)
class Submission:
    """A batch for one account; `answer` is None where it is to go alone."""

    principal: Principal
    account_id: int
    of: LockRoot
    run: str
    actions: Sequence[Action]
    answer: asyncio.Future[list[ActionResult] | None] = field(default_factory=asyncio.Future)
    apart: bool = False  # it goes alone

    @property
    def asked(self) -> list[ActionKey]:
        return [(self.account_id, *action.key) for action in self.actions]


Execute = Callable[[UnitOfWork, LockedAccount, Submission], Awaitable[list[ActionResult]]]
Alone = Callable[[Submission], Awaitable[list[ActionResult]]]


class GroupCommit:
    """Where submissions wait, and who serves them."""

    def __init__(self) -> None:
        self._waiting: RoundRobin[Submission] = RoundRobin()
        self._actions = 0  # of those that wait
        self._behind: dict[LockRoot, list[Submission]] = {}  # of each root that is being written: those that came since
        self._apart: Counter[LockRoot] = Counter()  # roots of those that go alone
        self._serving: set[asyncio.Task[None]] = set()

    async def answer(self, submission: Submission, execute: Execute, alone: Alone) -> list[ActionResult]:
        """The results, once they are committed; `alone` answers a submission that cannot go along.

        Raises Busy where too many of the bearer wait already; TimeLimit.
        """
        self._waiting.check_room(submission.principal.key)
        if caller := current():
            caller.check()
            caller.pledge()
            caller.in_doubt = True  # from here on others decide when it is committed
        self._waiting.append(submission.principal.key, submission)
        self._actions += len(submission.actions)
        if len(self._serving) < self._most():
            task = asyncio.create_task(self._serve(execute), context=Context())  # the work of many, nobody's own
            self._serving.add(task)
        try:
            answered = await submission.answer
            return await alone(submission) if answered is None else answered
        finally:
            if submission.apart:
                self._apart -= Counter([submission.of])

    def _most(self) -> int:
        """How many transactions there may be at once."""
        return TRANSACTIONS if self._actions >= ACTIONS_MAX else FEW

    async def _serve(self, execute: Execute) -> None:
        try:
            while len(self._serving) <= self._most() and (some := self._take()):
                await self._write(some, execute)
        finally:  # at once: whoever comes now must find that nobody serves any more
            self._serving.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _write(self, some: Sequence[Submission], execute: Execute) -> None:
        answers: dict[Submission, list[ActionResult]] = {}
        committed = False
        try:
            async with group_transaction(
                [one.of for one in some], [asked for one in some for asked in one.asked]
            ) as work:
                for one in some:
                    if held := work.locked_accounts.get(one.account_id):
                        answers[one] = await execute(work, held, one)
            committed = True
        except Exception as error:  # noqa: BLE001 - each goes alone, and meets its own
            log.debug("%d submissions go alone: %r", len(some), error)
        finally:
            for one in some:
                if committed and one in answers and not one.answer.done():
                    one.answer.set_result(answers[one])
                else:
                    self._let_go(one)
                self._follow(one)

    def _follow(self, one: Submission) -> None:
        """Those that came behind it are next; or go alone, too, each after the one before."""
        behind = self._behind.pop(one.of)
        if one.apart:
            for later in behind:
                self._let_go(later)
        else:
            for later in reversed(behind):
                self._waiting.put_back(later.principal.key, later)
            self._actions += sum(len(later.actions) for later in behind)

    def _let_go(self, one: Submission) -> None:
        if not one.answer.done():  # else whoever submitted it has gone
            one.apart = True
            self._apart[one.of] += 1
            one.answer.set_result(None)

    def _take(self) -> list[Submission]:
        """The next to go together, each of a root of its own. Nobody overtakes another of the same root.

        One whose root is being written waits for that; one whose root is busy otherwise goes alone, after its holder.
        """
        some: list[Submission] = []
        many = 0
        while self._waiting and (not some or many + len(self._waiting.next().actions) <= ACTIONS_MAX):
            one = self._waiting.pop()
            self._actions -= len(one.actions)
            if one.answer.done():
                continue  # whoever submitted it has gone
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
"""That of the database this process works on."""
