"""Pages and counts of lists: one statement for a page, and a second one if the first reached its limit of rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from models.sql import Connection
from models.views.access_paths import MatchedFilters, MatchedIds, Plan, list_plan, matching_ids, nested_plan
from models.views.list_query import (
    Filters,
    Listing,
    MatchFilter,
    NarrowFilter,
    PageRequest,
    Row,
    direction,
    order_clause,
)
from models.views.visibility import Visibility, Where

ANYWHERE = NarrowFilter("")  # a filter by brand: every list has an index for it
INDEXED = 10  # factor on the limit of a count that indexes serve alone
FIRST_PAGES_MAX = 1_000  # most cached statements
SOON_SHARE = 10  # share of the limit within which a common text is searched first
MATCHES_SHARE = 10  # share of the limit that one part of a match filter may find by index


class RowCount(NamedTuple):
    """The number of rows of a list. `exact` is False if the count ended at the limit, so that there may be more."""

    number: int
    exact: bool


NONE = RowCount(0, exact=True)


@dataclass(frozen=True, slots=True)
class LinkedListing:
    """Rows of another list that are read with a page: those whose ids are in a column of the page."""

    listing: Listing
    column: str


class PageRows(NamedTuple):
    """A page and one row more. `end`: the keys at which the search reached its limit, if it did."""

    rows: list[Row]
    linked: Sequence[list[Row]] = ()
    end: tuple[Any, ...] | None = None


def may_search(listing: Listing, filters: Filters) -> bool:
    """Return whether a page may need several statements, because a filter has to be tested on each row."""
    return any(not isinstance(listing.filters.get(name, ANYWHERE), NarrowFilter) for name, _ in filters)


async def fetch_page(
    conn: Connection,
    listing: Listing,
    visibility: Visibility,
    filters: Filters,
    window: PageRequest,
    most: int,
    linked: Sequence[LinkedListing] = (),
) -> PageRows:
    """Return at most `first` + 1 rows, and for each link the visible rows that the page leads to.

    If `may_search` returns True, the caller opens a transaction with one snapshot for all statements.
    """
    sets: MatchedFilters = {}
    if _indexed(listing, visibility, filters):  # a common text soon fills a page, and finding all its rows is expensive
        _, soon = await _statement(conn, listing, visibility, filters, sets, window, most // SOON_SHARE, linked)
        rows, others = soon.split(await conn.fetch(soon.text, *soon.values))
        if len(rows) > window.first:
            return PageRows(rows, others)
        sets = await _sets(conn, listing, visibility, filters, most)
    if filters or window.after is not None:
        plan, statement = await _statement(conn, listing, visibility, filters, sets, window, most, linked)
    else:  # the first page of a list without filters is always the same statement
        key = (listing, visibility, window, most, tuple(linked))
        if key not in _first_pages:
            if len(_first_pages) >= FIRST_PAGES_MAX:
                _first_pages.clear()
            _first_pages[key] = await _statement(conn, listing, visibility, filters, sets, window, most, linked)
        plan, statement = _first_pages[key]
    rows, others = statement.split(await conn.fetch(statement.text, *statement.values))
    if not plan.fits or len(rows) > window.first:
        return PageRows(rows, others)
    plan = list_plan(listing, visibility, filters, sets, shows=False)
    row = await conn.fetchrow(plan.end(window, most // plan.looks), *plan.where.values)
    if row is None:
        return PageRows(rows, others)
    end = tuple(row.values())
    return PageRows(list(_until(end, listing, window, rows)), others, end)


async def _statement(
    conn: Connection,
    listing: Listing,
    visibility: Visibility,
    filters: Filters,
    sets: MatchedFilters,
    window: PageRequest,
    most: int,
    linked: Sequence[LinkedListing],
) -> "tuple[Plan, PageStatement]":
    """Return the plan and the statement of a page."""
    plan = list_plan(listing, visibility, filters, sets, shows=True)
    text = plan.page(window, most // plan.looks)
    if linked:
        return plan, await _with_linked(conn, listing, visibility, text, plan.where, window, linked)
    return plan, PageStatement(text, tuple(plan.where.values))


def _until(end: tuple[Any, ...], listing: Listing, window: PageRequest, rows: Iterable[Row]) -> Iterable[Row]:
    """Return the rows up to `end`, where the first path reached its limit: between later rows some may be missing."""
    falls = direction(listing, window.reverse)[0] == "desc"
    for row in rows:
        keys = tuple(row[key.name] for key in listing.order)
        if keys == end or (keys > end) == falls:
            yield row


async def _sets(
    conn: Connection, listing: Listing, visibility: Visibility, filters: Filters, most: int
) -> MatchedFilters:
    """Return by match filter the ids that its selective parts find, for callers who see the whole brand."""
    sets: dict[str, MatchedIds] = {}
    share, brand = most // MATCHES_SHARE, visibility.brand or dict(filters).get("brand", (None,))[0]
    for name, value, match in _indexed(listing, visibility, filters):
        await conn.execute(
            "set local plan_cache_mode = force_custom_plan"
        )  # the plan depends on how many rows match this value
        places = [place for place, part in enumerate(match.parts) if part.seen(visibility)]
        text, values = matching_ids(listing, name, value, brand, share, places)
        ids_by_part: dict[int, list[int]] = {place: [] for place in places}
        for row in await conn.fetch(text, *values):
            ids_by_part[row["part"]].append(row["id"])
        few = [ids for ids in ids_by_part.values() if len(ids) <= share]
        many = [place for place, ids in ids_by_part.items() if len(ids) > share]
        sets[name] = MatchedIds(sorted(set(chain.from_iterable(few))), many)
    return sets


def _indexed(listing: Listing, visibility: Visibility, filters: Filters) -> list[tuple[str, Any, MatchFilter]]:
    """Return the match filters that indexes serve, with their values."""
    if visibility.client is not None or visibility.scope is not None:
        return []
    kinds = [(name, value, listing.filters.get(name)) for name, (value, *_) in filters]
    return [(name, value, kind) for name, value, kind in kinds if isinstance(kind, MatchFilter) and kind.indexed(value)]


_names: dict[Listing, tuple[str, ...]] = {}
"""The names of the columns of each listing."""


async def _names_of(conn: Connection, listing: Listing) -> tuple[str, ...]:
    if listing not in _names:
        statement = await conn.prepare(f"select {listing.columns} from {listing.source} limit 0")
        _names[listing] = tuple(one.name for one in statement.get_attributes())
    return _names[listing]


@dataclass(frozen=True, slots=True)
class PageStatement:
    """The statement of a page. With links, each row of its result belongs to the page (it has the key) or to one link.

    The columns of a link follow those of the page and a flag; `names` has them for each link.
    """

    text: str
    values: tuple[Any, ...]
    key: str = ""
    names: tuple[tuple[str, ...], ...] = ()

    def split(self, records: list[Any]) -> tuple[list[Row], list[list[Row]]]:
        """Return the rows of the page, and those of each link."""
        if not self.names:
            return records, []
        key = self.key
        many = next((place for place, row in enumerate(records) if row[key] is None), len(records))
        linked: list[list[Row]] = []
        start = len(records[0]) - sum(len(columns) + 1 for columns in self.names) if records else 0
        for columns in self.names:
            end = start + 1 + len(columns)
            linked.append(
                [dict(zip(columns, row[start + 1 : end], strict=True)) for row in records[many:] if row[start]]
            )
            start = end
        return records[:many], linked


_first_pages: "dict[tuple[Any, ...], tuple[Plan, PageStatement]]" = {}
"""By listing, visibility, window, limit and links, the plan and statement of a first page without filters."""


async def _with_linked(
    conn: Connection,
    listing: Listing,
    visibility: Visibility,
    page: str,
    where: Where,
    window: PageRequest,
    linked: Sequence[LinkedListing],
) -> PageStatement:
    """Return a statement for the rows of a page, and for each link the visible rows that they lead to.

    A row of the page has nulls in the columns of the links, and a row of a link in all others.
    """
    names = [await _names_of(conn, one.listing) for one in linked]
    sets = [f"page as materialized ({page})"]
    for place, (one, columns) in enumerate(zip(linked, names, strict=True)):
        of_link = where.sharing_parameters()  # one statement has one list of parameters
        one.listing.visibility(of_link, visibility)
        of_link.clauses.append(one.listing.id.format(f"(array(select {one.column} from page))"))
        renamed = ", ".join([f"l{place}", *(f"l{place}_{n}" for n in range(len(columns)))])
        rows = f"select true, {one.listing.columns} from {one.listing.source}{of_link.text}"
        sets.append(f"l{place} ({renamed}) as ({rows})")
    joins = "".join(f" full join l{place} on false" for place in range(len(linked)))
    key = listing.order[0].name
    statement = f"with {', '.join(sets)} select * from page{joins} order by page.{key} is null, "
    ordered = statement + order_clause(listing, window.reverse, "page")
    return PageStatement(ordered, tuple(where.values), key, tuple(names))


def _row_count(row: Row, most: int) -> RowCount:
    """Return the count of a result row, without the extra row that shows that there are more."""
    number: int = row["number"]
    return RowCount(min(number, most), exact=False) if row["cut"] else RowCount(number, exact=True)


async def count_rows(
    conn: Connection, listing: Listing, visibility: Visibility, filters: Filters, most: int
) -> RowCount:
    """Return the number of rows, counted among the first `most` of each path, or more if indexes serve all filters."""
    plan = list_plan(listing, visibility, filters, await _sets(conn, listing, visibility, filters, most), shows=False)
    most = most // plan.looks if plan.fits else most * INDEXED
    row = await conn.fetchrow(plan.counted(most), *plan.where.values)
    return _row_count(row, most) if row else NONE


async def count_by_value(
    conn: Connection, listing: Listing, visibility: Visibility, filters: Filters, expression: str, most: int
) -> tuple[dict[int, int], bool]:
    """Count the rows by the value of an expression, as `count_rows` does, and return whether the counts are exact."""
    plan = list_plan(listing, visibility, filters, await _sets(conn, listing, visibility, filters, most), shows=False)
    most = most // plan.looks if plan.fits else most * INDEXED
    rows = await conn.fetch(plan.counted(most, expression), *plan.where.values)
    extents = {row["value"]: _row_count(row, most) for row in rows}
    return {value: one.number for value, one in extents.items()}, all(one.exact for one in extents.values())


async def fetch_by_ids(
    conn: Connection, listing: Listing, visibility: Visibility, ids: Collection[int | str]
) -> list[Row]:
    """Return the visible rows with these ids, in no order."""
    where = Where()
    listing.visibility(where, visibility)
    where.add(listing.id, list(ids))
    statement = f"select {listing.columns} from {listing.source}{where.text}"
    rows: list[Row] = await conn.fetch(statement, *where.values)
    return rows


async def fetch_nested_pages(
    conn: Connection,
    listing: Listing,
    parent: str,
    ids: Collection[int],
    filters: Filters,
    window: PageRequest,
    most: int,
    visibility: Visibility | None = None,
) -> tuple[list[Row], Mapping[int, tuple[Any, ...]]]:
    """Return for each visible parent at most `first` + 1 rows, with the parent's id as `parent`.

    Also return by parent the keys at which the search reached its limit, as in `fetch_page`.
    """
    of = listing.parents[parent]
    plan = nested_plan(listing, of, list(ids), filters, visibility)
    parents = f"{of.source.format('$1')} cross join lateral"
    rows: list[Row] = await conn.fetch(
        f"""select p.id as parent, q.* from {parents} ({plan.page(window, most)}) q
        where p.id = any($1) order by p.id, {order_clause(listing, window.reverse, "q")}""",
        *plan.where.values,
    )
    if not plan.fits:
        return rows, {}
    numbers = [row["parent"] for row in rows]
    short = [one for one in ids if numbers.count(one) <= window.first]
    plan = nested_plan(listing, of, short, filters, visibility)
    ends = await conn.fetch(
        f"select p.id as parent, q.* from {parents} ({plan.end(window, most)}) q where p.id = any($1)",
        *plan.where.values,
    )
    return rows, {row["parent"]: tuple(row.values())[1:] for row in ends}


async def count_nested_rows(
    conn: Connection,
    listing: Listing,
    parent: str,
    ids: Collection[int],
    filters: Filters,
    most: int,
    visibility: Visibility | None = None,
) -> dict[int, RowCount]:
    """Return the number of rows of each visible parent, counted as in `count_rows`."""
    of = listing.parents[parent]
    plan = nested_plan(listing, of, list(ids), filters, visibility)
    rows = await conn.fetch(
        f"""select p.id, q.number, q.cut from {of.source.format("$1")}
        cross join lateral ({plan.counted(most)}) q where p.id = any($1)""",
        *plan.where.values,
    )
    return dict.fromkeys(ids, NONE) | {row["id"]: _row_count(row, most) for row in rows}
