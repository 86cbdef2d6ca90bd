"""What is submitted at the same time shares a transaction: one after the other in it, each as if it were alone.

A submission that comes while others are being written waits for them, and then goes with all that came meanwhile; one
that comes alone goes at once. Whoever cannot go along (somebody holds its root, or the transaction failed) goes alone:
a submission that was written after all is known by its actions and answered again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import cast

from domain.orders import Action, ActionResult
from models.accounts import Asked
from services.local import Local
from services.principals import Principal
from services.unit import Held, Root, Unit, is_idle, several

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
    of: Root
    run: str
    actions: Sequence[Action]
    answer: asyncio.Future[list[ActionResult] | None] = field(default_factory=asyncio.Future)

    @property
    def asked(self) -> list[Asked]:
        return [(self.account_id, *action.key) for action in self.actions]


Execute = Callable[[Unit, Held, Submission], Awaitable[list[ActionResult]]]


class Together:
    """Where submissions wait, and who serves them."""

    def __init__(self) -> None:
        self._waiting: deque[Submission] = deque()
        self._actions = 0  # of those that wait
        self._serving: set[asyncio.Task[None]] = set()

    async def answer(self, submission: Submission, execute: Execute) -> list[ActionResult] | None:
        """The results once they are committed; None where the submission has to go alone."""
        self._waiting.append(submission)
        self._actions += len(submission.actions)
        if len(self._serving) < self._most():
            task = asyncio.create_task(self._serve(execute), context=Context())  # the work of many, nobody's own
            self._serving.add(task)
        return await submission.answer

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
        try:
            async with several([one.of for one in some], [asked for one in some for asked in one.asked]) as work:
                for one in some:
                    if held := work.held.get(one.account_id):
                        answers[one] = await execute(work, held, one)
        except Exception as error:  # noqa: BLE001 - each goes alone, and meets its own
            log.debug("%d submissions go alone: %r", len(some), error)
            answers = {}
        finally:
            for one in some:
                if not one.answer.done():
                    one.answer.set_result(answers.get(one))

    def _take(self) -> list[Submission]:
        """The next to go together, each of a root of its own; those whose root is busy go alone, after its holder."""
        some: dict[Root, Submission] = {}
        many = 0
        while self._waiting and (not some or many + len(self._waiting[0].actions) <= ACTIONS_MAX):
            one = self._waiting.popleft()
            self._actions -= len(one.actions)
            if one.answer.done():
                continue  # whoever submitted it has gone
            if one.of in some or not is_idle(one.of):
                one.answer.set_result(None)
            else:
                some[one.of] = one
                many += len(one.actions)
        return list(some.values())


together = Local(Together)
"""That of the database this process works on."""
