"""Links: fields that lead to other rows, declared so that a list reads the rows of all its objects at once.

The method next to each link returns the same for one object; the plain executor calls it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schema.engine.request_context import Context
from services.views import lists
from services.views.lists import Listing, Row

LINK = "link"  # the key in a field's metadata

Values = Sequence[Any]
Pick = Callable[..., Values]


class LinkSource(Protocol):
    """A source of linked rows. Equal sources of one list are read together."""

    async def read(self, context: Context, keys: list[int]) -> dict[int, Any]:
        """Return by key the row, or rows, that the bearer may see."""
        ...


@dataclass(frozen=True, slots=True)
class ById:
    """The row with each id."""

    listing: Listing

    async def read(self, context: Context, keys: list[int]) -> dict[int, Any]:
        rows: dict[Any, Row] = await lists.rows_by_ids(context.principal, self.listing, "id", keys)
        if context.loaders.must_revalue(self.listing):
            revalued = await context.loaders.revalued_rows(self.listing, list(rows.values()))
            return dict(zip(rows, revalued, strict=True))
        return rows


@dataclass(frozen=True, slots=True)
class Owned:
    """The first `most` rows that each parent owns."""

    listing: Listing
    parent: str
    most: int

    async def read(self, context: Context, keys: list[int]) -> dict[int, Any]:
        owned: dict[int, list[Row]] = await lists.first_rows(
            context.principal, self.listing, self.parent, keys, self.most
        )
        if context.loaders.must_revalue(self.listing):
            for parent, rows in owned.items():
                owned[parent] = await context.loaders.revalued_rows(self.listing, rows)
        return owned


@dataclass(frozen=True, slots=True)
class RowLink:
    """A link from the attributes `names`, the first of which is the key, to a row or to rows.

    `pick` takes the rows of the source by key and the columns `names`, and returns a value for each object: None for a
    null key. A link without a source reads nothing.
    """

    source: LinkSource | None
    names: tuple[str, ...]
    pick: Pick


def _by_key(rows: Mapping[int, Any], keys: Values) -> Values:
    return list(map(rows.get, keys))


def row_of(listing: Listing, name: str) -> RowLink:
    """Return the link to the row whose id the attribute holds."""
    return RowLink(ById(listing), (name,), _by_key)


def newest_of(listing: Listing, parent: str) -> RowLink:
    """Return the link to the first row that the object owns."""
    source = Owned(listing, parent, 1)
    return RowLink(source, ("id",), lambda owned, keys: [rows[0] if rows else None for rows in map(owned.get, keys)])


def all_of(listing: Listing, parent: str, most: int) -> RowLink:
    """Return the link to the first `most` rows that the object owns."""
    return RowLink(Owned(listing, parent, most), ("id",), _by_key)


def preloaded(name: str) -> RowLink:
    """Return the link to a row that the object already holds."""
    return RowLink(None, (name,), lambda _, rows: rows)
