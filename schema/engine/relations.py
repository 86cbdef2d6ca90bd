"""Fields that lead to other nouns, said once for many objects: which of their columns lead there, and what is read.

The method beside each link answers the same for one object; lists that are answered by columns read all at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schema.engine.request_context import Context
from services.views import lists
from services.views.lists import Listing, Row

LINK = "link"  # where a field's metadata has it

Values = Sequence[Any]
Pick = Callable[..., Values]


class LinkSource(Protocol):
    """What is read for all of a list's objects: equal sources are read together."""

    async def read(self, context: Context, keys: list[int]) -> dict[int, Any]:
        """What each key leads to; what is not in sight is not there."""
        ...


@dataclass(frozen=True, slots=True)
class ById:
    """The row of each id."""

    listing: Listing

    async def read(self, context: Context, keys: list[int]) -> dict[int, Any]:
        found: dict[Any, Row] = await lists.by_ids(context.principal, self.listing, "id", keys)
        if context.loaders.is_to_bring(self.listing):
            rows = await context.loaders.brought_rows(self.listing, list(found.values()))
            return dict(zip(found, rows, strict=True))
        return found


@dataclass(frozen=True, slots=True)
class Owned:
    """The first rows that each parent owns."""

    listing: Listing
    parent: str
    most: int

    async def read(self, context: Context, keys: list[int]) -> dict[int, Any]:
        found: dict[int, list[Row]] = await lists.firsts(context.principal, self.listing, self.parent, keys, self.most)
        if context.loaders.is_to_bring(self.listing):
            for parent, rows in found.items():
                found[parent] = await context.loaders.brought_rows(self.listing, rows)
        return found


@dataclass(frozen=True, slots=True)
class Link:
    """From the attributes `names`, the first of which is the key, to a row or to rows; no key leads to None.

    `pick` answers for all objects from what was read, by key, and the columns `names`; without a source, nothing is
    read.
    """

    source: LinkSource | None
    names: tuple[str, ...]
    pick: Pick


def _found(found: Mapping[int, Any], keys: Values) -> Values:
    return list(map(found.get, keys))


def row_of(listing: Listing, name: str) -> Link:
    """The row whose id the column holds."""
    return Link(ById(listing), (name,), _found)


def newest_of(listing: Listing, parent: str) -> Link:
    """The first row that the object owns."""
    source = Owned(listing, parent, 1)
    return Link(source, ("id",), lambda found, keys: [rows[0] if rows else None for rows in map(found.get, keys)])


def all_of(listing: Listing, parent: str, most: int) -> Link:
    """The first rows that the object owns."""
    return Link(Owned(listing, parent, most), ("id",), _found)


def preloaded(name: str) -> Link:
    """The row that the object holds already."""
    return Link(None, (name,), lambda _, rows: rows)
