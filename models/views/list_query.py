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
"""As the database answers it: values by the names of columns."""


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One column of an order: its expression, its name in the row, and the type its values have."""

    expression: str
    name: str
    kind: type[int] | type[str] | type[datetime] = int


@dataclass(frozen=True, slots=True)
class ParentLink:
    """Whose rows a nested list holds: where the parents' `p.id` comes from, and what joins a row to it."""

    condition: str
    source: str = "unnest({}::bigint[]) as p (id)"
    implied: bool = True  # whoever sees the parent sees its rows; else they are bound by visibility as well


@dataclass(frozen=True, slots=True)
class IndexedFilter:
    """A filter by values of a column that leads an index in the list's order: after the parent's, or the brand's.

    A page reads each value's rows by themselves, so that it costs what it shows, however many rows it leaves out.
    """

    column: str
    kind: str = "text"
    of_brand: bool = False  # the index begins with the brand, which stands in `n.brand`
    values: str = ""  # a select of the values for what is given; none: they are what is given
    otherwise: str = ""  # the same condition for a single row; none: the column has one of the values


@dataclass(frozen=True, slots=True)
class NarrowFilter:
    """A filter that leaves few rows, found by an index, or a part of the list's order."""

    condition: str


@dataclass(frozen=True, slots=True)
class TimeFilter:
    """A filter by time of a list in the order of ids, which rise with time within a brand, but for moments.

    The ids of the rows of a `{brand}` lie `beyond` the `bound`.
    """

    condition: str
    key: str
    beyond: str
    bound: str


@dataclass(frozen=True, slots=True)
class SearchPart:
    """One way to match: the condition on a row, and a select of the ids of all rows that it fits.

    The select may name `brand`, which is null for all of them, and `rows`, of which no more are wanted.
    """

    condition: str
    ids: str
    seen: Callable[[Visibility], bool] = lambda _: True  # by whom: it finds nothing by what is not shown
    looks: int = 0  # rows of other tables that the condition looks at


@dataclass(frozen=True, slots=True)
class MatchFilter:
    """A filter that fits a row by any of its parts. `named` has the values that these name.

    While the rows that fit are few, indexes find them all. `indexed` says for which values.
    """

    parts: tuple[SearchPart, ...]
    named: Callable[[Any], Mapping[str, Any]]
    indexed: Callable[[Any], bool] = lambda _: True


Filter = str | IndexedFilter | NarrowFilter | TimeFilter | MatchFilter


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page: at most `first` rows after the keys of the row before it; `reverse` turns the order round."""

    first: int
    after: tuple[Any, ...] | None = None
    reverse: bool = False


Filters = tuple[tuple[str, tuple[Any, ...]], ...]
"""By name the values of each condition."""


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """A list as the API shows it. Its texts are constants; only what they join is chosen."""

    columns: str
    source: str
    visibility: Callable[[Where, Visibility], None]
    order: Sequence[OrderKey] = (OrderKey("t.id", "id"),)
    descending: bool = True
    id: str = "t.id = any({}::bigint[])"
    filters: Mapping[str, Filter] = field(default_factory=dict)  # the one that finds fewest rows first
    parents: Mapping[str, ParentLink] = field(default_factory=dict)
    base: str = ""  # of the source what order and filters need; none: all of it
    brand: str | None = None  # the column, where an index begins with it
    brands: str = "select name from brands"
    own: str | None = None  # the filter by which a client sees its rows
    scope: tuple[
        IndexedFilter | NarrowFilter, ...
    ] = ()  # how a scope's owners, clones, challenges and accounts lead to rows
    unique: frozenset[str] = frozenset()  # filters that an index serves where all of them are given


def direction(listing: Listing, reverse: bool) -> tuple[str, str]:
    """Return how the rows are ordered, and what compares the keys of a row with those of one before it."""
    return ("desc", "<") if listing.descending != reverse else ("asc", ">")


def order_clause(listing: Listing, reverse: bool, of: str) -> str:
    """Return the order of the rows of a statement that is named `of`."""
    way = direction(listing, reverse)[0]
    return ", ".join(f"{of}.{key.name} {way}" for key in listing.order)
