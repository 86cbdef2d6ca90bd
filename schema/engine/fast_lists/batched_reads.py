"""Rows that the objects of a list link to, read for all objects at once while the objects' own fields are answered."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from schema.engine.relations import ById, LinkSource, Pick, Values
from schema.engine.request_context import Context
from services.views.lists import LinkedListing, Listing, Row

Completer = Callable[["PendingReads", Values], Values]
"""Turns the values of a field into its answers."""
Getter = Callable[[Values], Values]
"""Reads a field's values from the objects."""


def set_field(answers: Iterable[dict[str, Any]], name: str, values: Values) -> None:
    """Set one field of every answer."""
    for answer, value in zip(answers, values, strict=True):
        answer[name] = value


@dataclass(frozen=True, slots=True)
class LinkColumn:
    """A selected field that leads to other rows. `getters` read the columns `names`; the first holds the keys."""

    name: str
    names: tuple[str, ...]
    getters: tuple[Getter, ...]
    source: LinkSource
    pick: Pick
    complete: Completer


@dataclass(frozen=True, slots=True)
class PendingLink:
    """A link column of some objects whose rows are not read yet."""

    column: LinkColumn
    objects: Values
    values: tuple[Values, ...]  # of the columns that the getters read
    answers: list[dict[str, Any]]

    def set(self, reads: "PendingReads", rows: Mapping[int, Any]) -> None:
        """Set the field of every answer from the rows, which are by key."""
        set_field(self.answers, self.column.name, self.column.complete(reads, self.column.pick(rows, *self.values)))


@dataclass(slots=True)
class PendingReads:
    """The reads and answers that a list still waits for. Linked rows may have links: each level takes one round."""

    linked: Mapping[Listing, Mapping[int, Row]] = field(default_factory=dict)
    """By listing the rows that one statement read together with the list."""
    links: list[PendingLink] = field(default_factory=list)
    fills: deque[Callable[[], None]] = field(default_factory=deque)
    """Fields of objects with links, answered while the database reads the linked rows."""
    portions: deque[Callable[[], None]] = field(default_factory=deque)
    """Portions of long lists that have not begun; they may have links, too."""

    async def run(self, context: Context) -> None:
        """Answer the portions, in slices of the event loop's time, and read the linked rows."""
        while self.portions or self.links:
            await _run_all(self.portions, context)
            by_source: dict[LinkSource, list[PendingLink]] = {}
            for link in self.links:
                by_source.setdefault(link.column.source, []).append(link)
            self.links = []
            for source, rows in (await self._read(by_source, context)).items():
                for link in by_source[source]:
                    link.set(self, rows)
                    if context.slices.is_over():
                        await context.slices.wait(context.client_key)

    def links_of(self, rows: Sequence[Row]) -> tuple[LinkedListing, ...]:
        """Return the pending links by id of exactly these rows."""
        return tuple(
            {
                LinkedListing(source.listing, link.column.names[0]): None
                for link in self.links
                if isinstance(source := link.column.source, ById) and link.objects and link.objects[0] is rows[0]
            }
        )

    async def _read(
        self, by_source: Mapping[LinkSource, Iterable[PendingLink]], context: Context
    ) -> dict[LinkSource, Mapping[int, Any]]:
        """Return by source the rows of the pending keys. Rows that were read with the list are not read again."""
        keys = {source: _keys(links) for source, links in by_source.items()}
        rows: dict[LinkSource, Mapping[int, Any]] = {
            source: linked
            for source in by_source
            if isinstance(source, ById)
            and not context.loaders.must_revalue(source.listing)
            and keys[source].keys() <= (linked := self.linked.get(source.listing, {})).keys()
        }
        unread = [source for source in by_source if source not in rows]
        if not unread:
            await _run_all(self.fills, context)
            return rows
        filling = asyncio.create_task(self._fill(context))
        try:
            read = await _read_all({source: list(keys[source]) for source in unread}, context)
        finally:
            await filling
        return rows | dict(zip(unread, read, strict=True))

    async def _fill(self, context: Context) -> None:
        await asyncio.sleep(0)  # the reads are sent first
        await _run_all(self.fills, context)


async def _run_all(steps: deque[Callable[[], None]], context: Context) -> None:
    """Run the steps, and those they add, in slices of the event loop's time."""
    while steps:
        steps.popleft()()
        if context.slices.is_over():
            await context.slices.wait(context.client_key)


def _keys(links: Iterable[PendingLink]) -> dict[int, None]:
    keys: dict[int, None] = dict.fromkeys(chain.from_iterable(link.values[0] for link in links))
    keys.pop(None, None)  # type: ignore[call-overload] # a null key leads to no row
    return keys


async def _read_all(keys: Mapping[LinkSource, list[int]], context: Context) -> list[Mapping[int, Any]]:
    """Return the rows of each source's keys, in the order of the sources."""
    if len(keys) == 1:
        return [await _read_one(source, some, context) for source, some in keys.items()]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_read_one(source, some, context)) for source, some in keys.items()]
    return [task.result() for task in tasks]


async def _read_one(source: LinkSource, keys: list[int], context: Context) -> Mapping[int, Any]:
    return await source.read(context, keys) if keys else {}
