"""The definition of a list: columns, order, visibility, and the index that serves each filter.

The cost of a page is bounded by its length. `IndexedFilter` names a column that leads an index in the list's order.
`NarrowFilter` leaves few rows, or a part of the order. `TimeFilter` leaves a range of ids within each brand.
`MatchFilter` finds its rows by index while they are few. Any other filter is a condition without an index: a page
tests it on a limited number of rows that the other filters leave. A sub-select in a condition returns a value; with
`exists` the server might read the whole other table first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from models.views.visibility import Visibility, Where

Row = Mapping[str, Any]
"""A row: values by the names of columns."""


@dataclass(frozen=True, slots=True)
class OrderKey:
    """A column of an order: its expression, its name in the row, and the type of its values."""

    expression: str
    name: str
    kind: type[int] | type[str] | type[datetime] = int


@dataclass(frozen=True, slots=True)
class ParentLink:
    """The parent of a nested list: the source of the parents' `p.id`, and the condition that joins a row to it."""

    condition: str
    source: str = "unnest({}::bigint[]) as p (id)"
    implied: bool = True  # a visible parent implies visible rows; else the visibility of the rows is tested too


@dataclass(frozen=True, slots=True)
class IndexedFilter:
    """A filter by values of a column that leads an index in the list's order, after the column of parent or brand.

    A page reads the rows of each value separately, so its cost does not depend on the number of other rows.
    """

    column: str
    kind: str = "text"
    of_brand: bool = False  # the index begins with the brand, which is `n.brand`
    values: str = ""  # a select that makes the values from the given one; empty: the given values
    otherwise: str = ""  # the condition on a single row; empty: the column has one of the values


@dataclass(frozen=True, slots=True)
class NarrowFilter:
    """A filter that leaves few rows, which an index finds, or a range of the list's order."""

    condition: str


@dataclass(frozen=True, slots=True)
class TimeFilter:
    """A filter by time of a list in the order of ids, which rise with time within a brand, with small exceptions.

    The ids of the rows of a `{brand}` lie beyond (`beyond`: `<` or `>`) the `bound`.
    """

    condition: str
    key: str
    beyond: str
    bound: str


@dataclass(frozen=True, slots=True)
class SearchPart:
    """A part of a match filter: the condition on a row, and a select of the ids of all rows that satisfy it.

    The select may use `brand`, which is null for all brands, and `rows`, the most ids that are needed.
    """

    condition: str
    ids: str
    seen: Callable[[Visibility], bool] = lambda _: True  # is the searched column visible? else the part finds nothing
    looks: int = 0  # number of rows of other tables that the condition reads


@dataclass(frozen=True, slots=True)
class MatchFilter:
    """A filter that a row satisfies by any of its parts. `named` returns the parameters of the parts for a value.

    While few rows match, indexes find them all. `indexed` returns whether an index serves a value.
    """

    parts: tuple[SearchPart, ...]
    named: Callable[[Any], Mapping[str, Any]]
    indexed: Callable[[Any], bool] = lambda _: True


Filter = str | IndexedFilter | NarrowFilter | TimeFilter | MatchFilter


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for a page: at most `first` rows after the keys `after`; `reverse` reads in the opposite order."""

    first: int
    after: tuple[Any, ...] | None = None
    reverse: bool = False


Filters = tuple[tuple[str, tuple[Any, ...]], ...]
"""The values of each filter, by the filter's name."""


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """The definition of a list. Its SQL texts are constants."""

    columns: str
    source: str
    visibility: Callable[[Where, Visibility], None]
    order: Sequence[OrderKey] = (OrderKey("t.id", "id"),)
    descending: bool = True
    id: str = "t.id = any({}::bigint[])"
    filters: Mapping[str, Filter] = field(default_factory=dict)  # the most selective first
    parents: Mapping[str, ParentLink] = field(default_factory=dict)
    base: str = ""  # the part of the source that order and filters need; empty: all of it
    brand: str | None = None  # the brand column, if an index begins with it
    brands: str = "select name from brands"
    own: str | None = None  # the filter that selects the rows of a client
    scope: tuple[
        IndexedFilter | NarrowFilter, ...
    ] = ()  # the filters for a scope's owners, clones, challenges, accounts
    unique: frozenset[str] = frozenset()  # filters that a unique index serves if all of them are given


def direction(listing: Listing, reverse: bool) -> tuple[str, str]:
    """Return the sort direction, and the operator between the keys of a row and those of the row before it."""
    return ("desc", "<") if listing.descending != reverse else ("asc", ">")


def order_clause(listing: Listing, reverse: bool, of: str) -> str:
    """Return the ORDER BY list of rows with the alias `of`."""
    way = direction(listing, reverse)[0]
    return ", ".join(f"{of}.{key.name} {way}" for key in listing.order)
