"""How every list is read: filtered, bounded by sight, in the order of a keyset, one statement a page."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from models.sql import Connection
from models.views.sight import Sight, Where

Row = Mapping[str, Any]
"""As the database answers it: values by the names of columns."""


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order: its expression, its name in the row, and the type its values have."""

    expression: str
    name: str
    kind: type[int] | type[str] | type[datetime] = int


@dataclass(frozen=True, slots=True)
class Parent:
    """Whose rows a nested list holds: where the parents' `p.id` comes from, and what joins a row to it."""

    condition: str
    source: str = "unnest({}::bigint[]) as p (id)"
    implied: bool = True  # whoever sees the parent sees its rows; else they are bound by sight as well


@dataclass(frozen=True, slots=True)
class Each:
    """A filter by values of a text column that leads, after the parent's, an index in the list's order.

    A page reads each value's rows by themselves, so that it costs what it shows, however many rows it leaves out.
    """

    column: str


@dataclass(frozen=True, slots=True)
class Window:
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
    sight: Callable[[Where, Sight], None]
    order: Sequence[Key] = (Key("t.id", "id"),)
    descending: bool = True
    id: str = "t.id = any({}::bigint[])"
    filters: Mapping[str, str | Each] = field(default_factory=dict)  # of text with a `{}` for each value
    parents: Mapping[str, Parent] = field(default_factory=dict)


def _narrow(listing: Listing, where: Where, filters: Filters) -> None:
    for name, values in filters:
        condition = listing.filters[name]
        if isinstance(condition, Each):
            where.add(f"{condition.column} = any({{}}::text[])", *values)
        else:
            where.add(condition, *values)


def _order(listing: Listing, reverse: bool, of: str = "q") -> str:
    """The order of the rows of a statement that is named `of`."""
    direction = "desc" if listing.descending != reverse else "asc"
    return ", ".join(f"{of}.{key.name} {direction}" for key in listing.order)


def _page(listing: Listing, where: Where, filters: Filters, window: Window) -> str:
    """The statement of one page with a row more, which tells whether another follows."""
    lead = next((one for one in filters if isinstance(listing.filters[one[0]], Each)), None)
    _narrow(listing, where, tuple(one for one in filters if one is not lead))
    if lead is None:
        return _rows(listing, where, window)
    name, (values, *_) = lead
    condition = listing.filters[name]
    assert isinstance(condition, Each)
    where.values.append(list(dict.fromkeys(values)))
    given = f"unnest(${len(where.values)}::text[]) as v (value)"
    text = f"select q.* from {given} cross join lateral ({_rows(listing, where, window, condition.column)}) q"
    return f"{text} order by {_order(listing, window.reverse)} limit ${len(where.values)}"


def _rows(listing: Listing, where: Where, window: Window, lead: str | None = None) -> str:
    """The rows of one page, or, of a column that leads its index, those with the value `v.value`.

    That they have the value is said as a range, and ordered by: so only that index can serve it, and the server is
    not left to guess that looking through everything would soon come upon some.
    """
    direction, beyond = ("desc", "<") if listing.descending != window.reverse else ("asc", ">")
    keys = [key.expression for key in listing.order]
    marks = ["{}" for _ in keys]
    if lead is not None:
        where.add(f"{lead} {'>=' if beyond == '<' else '<='} v.value")
        keys, marks = [lead, *keys], ["v.value", *marks]
    if window.after is not None:
        where.add(f"({', '.join(keys)}) {beyond} ({', '.join(marks)})", *window.after)
    elif lead is not None:
        where.add(f"{lead} {'<=' if beyond == '<' else '>='} v.value")
    order = ", ".join(f"{key} {direction}" for key in keys)
    where.values.append(window.first + 1)
    return f"select {listing.columns} from {listing.source}{where.text} order by {order} limit ${len(where.values)}"


async def page(conn: Connection, listing: Listing, sight: Sight, filters: Filters, window: Window) -> list[Row]:
    """At most `first` + 1 rows."""
    where = Where()
    listing.sight(where, sight)
    found: list[Row] = await conn.fetch(_page(listing, where, filters, window), *where.values)
    return found


@dataclass(frozen=True, slots=True)
class Linked:
    """Rows of another listing that are read with a page: those whose ids stand in a column of the page's rows."""

    listing: Listing
    column: str


_names: dict[Listing, tuple[str, ...]] = {}
"""By listing the names of its columns, as the database gives them."""


async def _names_of(conn: Connection, listing: Listing) -> tuple[str, ...]:
    if listing not in _names:
        statement = await conn.prepare(f"select {listing.columns} from {listing.source} limit 0")
        _names[listing] = tuple(one.name for one in statement.get_attributes())
    return _names[listing]


async def page_with(
    conn: Connection, listing: Listing, sight: Sight, filters: Filters, window: Window, linked: Sequence[Linked]
) -> tuple[list[Row], list[list[Row]]]:
    """Return at most `first` + 1 rows, and for each link the rows in sight that the page leads to: one statement.

    Its result has the sets one below the other; a row of one set has nulls in the columns of the others.
    """
    names = [await _names_of(conn, one.listing) for one in linked]
    where = Where()
    listing.sight(where, sight)
    sets = [f"page as materialized ({_page(listing, where, filters, window)})"]
    for place, (one, columns) in enumerate(zip(linked, names, strict=True)):
        of_link = Where()
        of_link.values = where.values  # one statement has one list of parameters
        one.listing.sight(of_link, sight)
        of_link.clauses.append(one.listing.id.format(f"(array(select {one.column} from page))"))
        renamed = ", ".join([f"l{place}", *(f"l{place}_{n}" for n in range(len(columns)))])
        rows = f"select true, {one.listing.columns} from {one.listing.source}{of_link.text}"
        sets.append(f"l{place} ({renamed}) as ({rows})")
    joins = "".join(f" full join l{place} on false" for place in range(len(linked)))
    key = listing.order[0].name
    statement = f"with {', '.join(sets)} select * from page{joins} order by page.{key} is null, "
    found = await conn.fetch(statement + _order(listing, window.reverse, "page"), *where.values)
    return _parted(found, key, names)


def _parted(found: Sequence[Any], key: str, names: Sequence[Sequence[str]]) -> tuple[list[Row], list[list[Row]]]:
    """The page's rows, which have the key, and those of each link, whose columns follow the page's and a mark."""
    many = next((place for place, row in enumerate(found) if row[key] is None), len(found))
    linked: list[list[Row]] = []
    start = len(found[0]) - sum(len(columns) + 1 for columns in names) if found else 0
    for columns in names:
        end = start + 1 + len(columns)
        linked.append([dict(zip(columns, row[start + 1 : end], strict=True)) for row in found[many:] if row[start]])
        start = end
    return list(found[:many]), linked


async def count(conn: Connection, listing: Listing, sight: Sight, filters: Filters) -> int:
    where = Where()
    listing.sight(where, sight)
    _narrow(listing, where, filters)
    number: int = await conn.fetchval(f"select count(*) from {listing.source}{where.text}", *where.values)
    return number


async def tally(conn: Connection, listing: Listing, sight: Sight, filters: Filters, expression: str) -> dict[int, int]:
    """How many rows have each value of a constant expression."""
    where = Where()
    listing.sight(where, sight)
    _narrow(listing, where, filters)
    rows = await conn.fetch(
        f"select {expression} as value, count(*) as number from {listing.source}{where.text} group by 1", *where.values
    )
    return {row["value"]: row["number"] for row in rows}


async def by_ids(conn: Connection, listing: Listing, sight: Sight, ids: Collection[int | str]) -> list[Row]:
    """The rows of these ids that are in sight, in no order."""
    where = Where()
    listing.sight(where, sight)
    where.add(listing.id, list(ids))
    statement = f"select {listing.columns} from {listing.source}{where.text}"
    found: list[Row] = await conn.fetch(statement, *where.values)
    return found


def _belong(listing: Listing, of: Parent, where: Where, sight: Sight | None) -> None:
    """A parent's rows; those in sight, where the parent's being in sight does not say so."""
    where.add(of.condition)
    if not of.implied:
        assert sight is not None, "who sees the parent need not see these"
        listing.sight(where, sight)


async def pages(
    conn: Connection,
    listing: Listing,
    parent: str,
    ids: Collection[int],
    filters: Filters,
    window: Window,
    sight: Sight | None = None,
) -> list[Row]:
    """Of each parent, which is in sight, at most `first` + 1 rows, named by `parent`."""
    of, where = listing.parents[parent], Where(list(ids))
    _belong(listing, of, where, sight)
    inner = _page(listing, where, filters, window)
    found: list[Row] = await conn.fetch(
        f"""select p.id as parent, q.* from {of.source.format("$1")} cross join lateral ({inner}) q
        where p.id = any($1) order by p.id, {_order(listing, window.reverse)}""",
        *where.values,
    )
    return found


async def counts(
    conn: Connection,
    listing: Listing,
    parent: str,
    ids: Collection[int],
    filters: Filters,
    sight: Sight | None = None,
) -> dict[int, int]:
    """How many rows each parent, which is in sight, has."""
    of, where = listing.parents[parent], Where(list(ids))
    _belong(listing, of, where, sight)
    _narrow(listing, where, filters)
    rows = await conn.fetch(
        f"""select p.id, q.number from {of.source.format("$1")}
        cross join lateral (select count(*) as number from {listing.source}{where.text}) q where p.id = any($1)""",
        *where.values,
    )
    return {row["id"]: row["number"] for row in rows}
