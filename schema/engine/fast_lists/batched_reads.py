"""What a list's objects lead to: read for all of them at once, while their own fields are filled in."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from schema.engine.relations import ById, LinkSource, Pick, Values
from schema.engine.request_context import Context
from services.views.lists import Linked, Listing, Row

Completer = Callable[["PendingReads", Values], Values]
"""From a field's values to what is answered."""
Getter = Callable[[Values], Values]
"""From objects to a field's values."""


def set_field(made: Iterable[dict[str, Any]], name: str, values: Values) -> None:
    """Set a field of every answer to its value."""
    for answer, value in zip(made, values, strict=True):
        answer[name] = value


@dataclass(frozen=True, slots=True)
class LinkColumn:
    """A field whose values are picked from what is read first: for the first of the columns that are `taken`."""

    name: str
    names: tuple[str, ...]  # of the columns that are taken
    take: tuple[Getter, ...]
    source: LinkSource
    pick: Pick
    complete: Completer


@dataclass(frozen=True, slots=True)
class PendingLink:
    """A linked column of the objects that `made` answers."""

    column: LinkColumn
    objects: Values
    given: tuple[Values, ...]
    made: list[dict[str, Any]]

    def put(self, reads: "PendingReads", found: Mapping[int, Any]) -> None:
        set_field(self.made, self.column.name, self.column.complete(reads, self.column.pick(found, *self.given)))


@dataclass(slots=True)
class PendingReads:
    """What is still to be read for a list. What links lead to may have links of its own: one round a level."""

    linked: Mapping[Listing, Mapping[int, Row]] = field(default_factory=dict)
    """By listing the rows that were read together with the list's."""
    due: list[PendingLink] = field(default_factory=list)
    later: deque[Callable[[], None]] = field(default_factory=deque)
    """What is answered of objects with links while the database reads what these lead to."""
    waiting: deque[Callable[[], None]] = field(default_factory=deque)
    """Portions of long lists that are not begun yet: they have links that are due, too."""

    async def done(self, context: Context) -> None:
        """Answer what waits, in slices of the event loop's time, and read what is due."""
        while self.waiting or self.due:
            await _run(self.waiting, context)
            of: dict[LinkSource, list[PendingLink]] = {}
            for one in self.due:
                of.setdefault(one.column.source, []).append(one)
            self.due = []
            for source, rows in (await self._read(of, context)).items():
                for one in of[source]:
                    one.put(self, rows)
                    if context.slices.is_over():
                        await context.slices.next(context.whose)

    def links_of(self, rows: Sequence[Row]) -> tuple[Linked, ...]:
        """Return what these very rows lead to by an id, of all that is due."""
        return tuple(
            {
                Linked(source.listing, one.column.names[0]): None
                for one in self.due
                if isinstance(source := one.column.source, ById) and one.objects and one.objects[0] is rows[0]
            }
        )

    async def _read(
        self, of: Mapping[LinkSource, Iterable[PendingLink]], context: Context
    ) -> dict[LinkSource, Mapping[int, Any]]:
        """Return what each source has for the keys that are due. What was read with the list is not read again."""
        keys = {source: _keys(those) for source, those in of.items()}
        rows: dict[LinkSource, Mapping[int, Any]] = {
            source: known
            for source in of
            if isinstance(source, ById)
            and not context.loaders.is_to_bring(source.listing)
            and keys[source].keys() <= (known := self.linked.get(source.listing, {})).keys()
        }
        unread = [source for source in of if source not in rows]
        if not unread:
            await _run(self.later, context)
            return rows
        filling = asyncio.create_task(self._answer_the_others(context))
        try:
            found = await _read({source: list(keys[source]) for source in unread}, context)
        finally:
            await filling
        return rows | dict(zip(unread, found, strict=True))

    async def _answer_the_others(self, context: Context) -> None:
        await asyncio.sleep(0)  # the reads begin
        await _run(self.later, context)


async def _run(portions: deque[Callable[[], None]], context: Context) -> None:
    """Answer portions, those that they add included, in slices of the event loop's time."""
    while portions:
        portions.popleft()()
        if context.slices.is_over():
            await context.slices.next(context.whose)


def _keys(those: Iterable[PendingLink]) -> dict[int, None]:
    keys: dict[int, None] = dict.fromkeys(chain.from_iterable(one.given[0] for one in those))
    keys.pop(None, None)  # type: ignore[call-overload] # no key leads to nothing
    return keys


async def _read(keys: Mapping[LinkSource, list[int]], context: Context) -> list[Mapping[int, Any]]:
    """Return what each source has for its keys, in the order of the sources."""
    if len(keys) == 1:
        return [await _of(source, some, context) for source, some in keys.items()]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_of(source, some, context)) for source, some in keys.items()]
    return [task.result() for task in tasks]


async def _of(source: LinkSource, keys: list[int], context: Context) -> Mapping[int, Any]:
    return await source.read(context, keys) if keys else {}
