"""Access paths of a list: the index that leads to its rows, and the statements that use it.

Each path reads rows from an index in the list's order. Conditions without an index are tested on a limited number of
these rows, so the cost of a statement is bounded for any table size and any filter.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from models.views.list_query import (
    Filters,
    IndexedFilter,
    Listing,
    MatchFilter,
    NarrowFilter,
    PageRequest,
    ParentLink,
    SearchPart,
    TimeFilter,
    direction,
)
from models.views.visibility import Visibility, Where


class MatchedIds(NamedTuple):
    """The ids of the rows that the selective parts of a `MatchFilter` find, and the places of its other parts."""

    ids: Sequence[int]
    others: Sequence[int] = ()


MatchedFilters = Mapping[str, MatchedIds]
"""The ids found by index, by the name of a `MatchFilter`."""
ANY_BRAND = re.compile(r"\w\.brand = coalesce\(\{brand\}, \w\.brand\) and ")


class AccessPath(NamedTuple):
    """An index and the value to look up; without both, the index of the list's order."""

    by: IndexedFilter | NarrowFilter | None = None
    value: Any = None


@dataclass(slots=True)
class Plan:
    """The parts of the statements of one request for a list, and their parameters."""

    listing: Listing
    where: Where
    """Conditions on the rows of the result."""
    inner: Where
    """Conditions on every row that a path reads; the index serves them, so they discard no rows."""
    paths: Sequence[AccessPath]
    fits: list[str] = field(default_factory=list)
    """Conditions without an index."""
    brand: str | None = None
    spans: Filters = ()
    """Time filters, which limit the range of ids of each path within a brand."""
    below: int = 0
    """The number of leading conditions that join a nested list to its parent."""
    looks: int = 1
    """The number of rows read for each row of the list, other tables included."""

    @property
    def is_plain(self) -> bool:
        """Whether the index of the list's order serves every condition."""
        return not self.fits and len(self.paths) == 1 and self.paths[0].by is None

    @property
    def _numbers(self) -> str:
        return ", ".join(f"k{n}" for n in range(len(self.listing.order)))

    def _fan(self, path: AccessPath) -> str:
        """Return the FROM items that repeat the path for each value in each brand."""
        by, items = path.by, []
        if (
            self.listing.brand is not None
            and by is not None
            and ("n.brand" in (by.condition if isinstance(by, NarrowFilter) else by.values) or _is_of_brand(by))
        ):
            bound = None if self.brand is None else self.where.put("select {}::text", self.brand)
            items.append(f"({bound or self.listing.brands}) n (brand)")
        if isinstance(by, IndexedFilter):
            values = by.values or f"select distinct unnest({{}}::{by.kind}[])"
            items.append(f"lateral ({self.where.put(values, path.value) if '{' in values else values}) v (value)")
        return "".join(f"{item} cross join " for item in items)

    def _look(self, path: AccessPath, after: PageRequest | None, limit: str, *more: str) -> tuple[str, str]:
        """Return the select of the keys of the path's rows with the flag `fits`, and its order.

        Equality of the leading column is written as a range, and the column is part of the order. So only the index
        that it leads can serve, and the planner cannot choose a scan that hopes to find matching rows early.
        """
        listing, by = self.listing, path.by
        turn, comparison = direction(listing, after is not None and after.reverse)
        where, keys = self.inner.sharing_parameters(), [key.expression for key in listing.order]
        where.clauses += self.inner.clauses
        marks = ["{}" for _ in keys]
        if isinstance(by, NarrowFilter):
            where.add(by.condition, path.value)
        if isinstance(by, IndexedFilter) and by.of_brand and by.column != listing.brand:
            where.clauses.append(f"{listing.brand} = n.brand")
        lead = [by.column] if isinstance(by, IndexedFilter) else []
        for name, values in self.spans:
            where.clauses.append(_place(listing, where, name, values, self.brand, *lead))
        if lead:
            where.add(f"{lead[0]} {'>=' if comparison == '<' else '<='} v.value")
            marks = ["v.value", *marks]
        if after is not None and after.after is not None:
            where.add(f"({', '.join(lead + keys)}) {comparison} ({', '.join(marks)})", *after.after)
        elif lead:
            where.add(f"{lead[0]} {'<=' if comparison == '<' else '>='} v.value")
        names = [f"{key} as k{n}" for n, key in enumerate(keys)] + [f"{one} as lead" for one in lead] + list(more)
        order = ", ".join(f"{key} {turn}" for key in lead + keys)
        fits = " and ".join(self.fits) or "true"
        text = f"select {', '.join(names)}, ({fits}) as fits from {listing.base or listing.source}{where.text}"
        ordered = [*("lead" for _ in lead), *(f"k{n}" for n in range(len(keys)))]
        return f"{text} order by {order} limit {limit}", ", ".join(f"{one} {turn}" for one in ordered)

    def _turned(self, reverse: bool) -> str:
        turn = direction(self.listing, reverse)[0]
        return ", ".join(f"k{n} {turn}" for n in range(len(self.listing.order)))

    def page(self, window: PageRequest, most: int) -> str:
        """Return the statement of a page with one row more, which shows whether another page follows.

        Each path reads at most `most` rows.
        """
        keys, rows = [key.expression for key in self.listing.order], window.first + 1
        turn, comparison = direction(self.listing, window.reverse)
        if self.is_plain:
            if window.after is not None:
                self.where.add(f"({', '.join(keys)}) {comparison} ({', '.join('{}' for _ in keys)})", *window.after)
            limit = self.where.put("limit {}", rows)
        else:
            led = [self._fitting(path, window, most, rows) for path in self.paths]
            some = " union ".join(led)  # several paths may lead to the same row
            page_keys = f"select {self._numbers} from ({some}) u order by {self._turned(window.reverse)}"
            self.where.clauses = self._shown(f"{page_keys} limit {rows}")
            limit = ""
        order = ", ".join(f"{key} {turn}" for key in keys)
        return f"select {self.listing.columns} from {self.listing.source}{self.where.text} order by {order} {limit}"

    def _shown(self, page_keys: str) -> list[str]:
        """Return the conditions on the rows of the result: the keys of the page, and the visibility once more.

        `is true` keeps the planner from using another index than that of the keys.
        """
        keys = [key.expression for key in self.listing.order]
        has_keys = f"{keys[0]} = any(array({page_keys}))" if len(keys) == 1 else f"({', '.join(keys)}) in ({page_keys})"
        parent, others = self.where.clauses[: self.below], self.where.clauses[self.below :]
        return [*parent, has_keys, *(f"({clause}) is true" for clause in others)]

    def _fitting(self, path: AccessPath, window: PageRequest, most: int, rows: int) -> str:
        look, order = self._look(path, window, str(most if self.fits else rows))
        some = f"select {self._numbers} from ({look}) k where k.fits order by {order} limit {rows}"
        return f"(select {self._numbers} from {self._fan(path)}lateral ({some}) k)"

    def end(self, window: PageRequest, most: int) -> str:
        """Return the statement of the keys at which a path reached its limit; no row if all paths reached their end."""
        turned = self._turned(window.reverse)
        ends = []
        for path in self.paths:
            look, order = self._look(path, window, str(most))
            last = f"select {self._numbers} from ({look}) k order by {order} offset {most - 1} limit 1"
            ends.append(f"(select {self._numbers} from {self._fan(path)}lateral ({last}) k)")
        return f"select {self._numbers} from ({' union all '.join(ends)}) u order by {turned} limit 1"

    def counted(self, most: int, value: str = "0") -> str:
        """Return the statement that counts the fitting rows among the first `most` rows of each path.

        Its rows: `value` of an expression, the `number` of rows, and whether a path was `cut` off at the limit.
        """
        number, parts = "count(*) filter (where fits)", []
        for path in self.paths:
            look, _ = self._look(path, None, str(most + 1), f"{value} as value")
            if len(self.paths) == 1:
                cut = f"sum(count(*)) over () > {most} as cut"
                some = f"select k.value, {number} as number, {cut} from ({look}) k group by 1"
                return f"""select k.value, sum(k.number)::bigint as number, bool_or(k.cut) as cut
                  from {self._fan(path)}lateral ({some}) k group by 1"""
            some = f"select k.*, count(*) over () > {most} as cut from ({look}) k"
            parts.append(f"(select {self._numbers}, k.value, k.fits, k.cut from {self._fan(path)}lateral ({some}) k)")
        keys = f"{self._numbers}, value, fits"
        rows = f"select {keys}, bool_or(cut) as cut from ({' union all '.join(parts)}) u group by {keys}"
        return f"select value, {number} as number, bool_or(cut) as cut from ({rows}) u group by 1"


def _is_of_brand(by: IndexedFilter | NarrowFilter) -> bool:
    return isinstance(by, IndexedFilter) and by.of_brand


def _has_brand(listing: Listing, path: AccessPath) -> bool:
    """Return whether the path itself fixes the brand."""
    return isinstance(path.by, IndexedFilter) and (path.by.of_brand or path.by.column == listing.brand)


def _is_whole(visibility: Visibility) -> bool:
    """Return whether every row of the brand is visible."""
    return visibility.client is None and visibility.scope is None and not visibility.trades


def _condition(
    listing: Listing,
    name: str,
    values: Sequence[Any],
    where: Where,
    visibility: Visibility,
    matched: MatchedIds | None = None,
) -> str:
    """Return the condition on a single row."""
    kind = listing.filters[name]
    if isinstance(kind, str):
        return where.put(kind, *values)
    if isinstance(kind, NarrowFilter | TimeFilter):
        return where.put(kind.condition, *values)
    if isinstance(kind, IndexedFilter):
        return where.put(kind.otherwise or f"{kind.column} = any({{}}::{kind.kind}[])", _value_of(kind, values))
    named = kind.named(values[0])
    parts = [where.put(part.condition, **named) for part in _row_parts(kind, visibility, matched)]
    if matched is not None and matched.ids:
        parts.insert(0, where.put(listing.id, list(matched.ids)))
    return f"({' or '.join(parts) or 'false'})"


def _row_parts(match: MatchFilter, visibility: Visibility, matched: MatchedIds | None) -> list[SearchPart]:
    """Return the parts to be tested on each row: those whose rows no index has found."""
    places = range(len(match.parts)) if matched is None else matched.others
    return [match.parts[place] for place in places if match.parts[place].seen(visibility)]


def _value_of(kind: IndexedFilter, values: Sequence[Any]) -> Any:
    """Return the value of an `IndexedFilter`: a list, or a single value from which its select makes the values."""
    [value] = values
    if isinstance(value, list | tuple):
        return list(value)
    return value if kind.values else [value]


def _split(listing: Listing, filters: Filters) -> tuple[Filters, Filters]:
    """Return the filters that leave few rows or a range of the order, and the other filters."""
    names = {name for name, _ in filters}
    of_one = listing.unique if listing.unique and listing.unique <= names else frozenset()
    within = tuple(one for one in filters if isinstance(listing.filters[one[0]], NarrowFilter) or one[0] in of_one)
    return within, tuple(one for one in filters if one not in within)


def _lead(listing: Listing, filters: Filters) -> tuple[str, tuple[Any, ...]] | None:
    """Return the filter whose index is used: the given one that the listing names first, as the most selective."""
    values = dict(filters)
    return next(
        ((n, values[n]) for n, kind in listing.filters.items() if isinstance(kind, IndexedFilter) and n in values), None
    )


def _of_scope(listing: Listing, visibility: Visibility) -> list[AccessPath]:
    scope = visibility.scope or ()
    return [AccessPath(by, list(names)) for by, names in zip(listing.scope, scope, strict=False) if names]


def list_plan(listing: Listing, visibility: Visibility, filters: Filters, sets: MatchedFilters, *, shows: bool) -> Plan:
    """Return the plan of the visible rows of a list. `shows`: the rows are returned, and not only counted."""
    where, inner = Where(), Where()
    inner.values = where.values
    brand, values_by_name = visibility.brand, dict(filters)
    if listing.brand is not None and "brand" in values_by_name:
        filters = tuple(one for one in filters if one[0] != "brand")
        [name] = values_by_name["brand"]
        if brand not in (None, name):
            inner.clauses.append("false")
        brand = name if brand is None else brand
    within, rest = _split(listing, filters)
    spans = tuple(one for one in rest if isinstance(listing.filters[one[0]], TimeFilter))
    paths, rest = _paths(listing, visibility, tuple(one for one in rest if one not in spans), sets)
    if (
        paths == [AccessPath()]
        and listing.brand is not None
        and _is_whole(visibility)
        and (spans if brand is None else rest or not shows)
    ):
        # The brand's index, as a range like any other: else the planner may read all brands in the order of ids.
        paths = [AccessPath(IndexedFilter(listing.brand, of_brand=True, values="select n.brand"))]
    is_led = any(path.by is not None for path in paths)
    if brand is None and not all(path.by and _is_of_brand(path.by) for path in paths):
        rest, spans = (*rest, *spans), ()  # a range of ids needs a brand
    if is_led:
        _restrict(listing, inner, within, visibility)
        if brand is not None and listing.brand is not None and not all(_has_brand(listing, path) for path in paths):
            inner.add(f"{listing.brand} = {{}}", brand)
    of_scope = bool(visibility.scope and listing.scope)
    of_own = listing.own is not None and paths[0].by is listing.filters[listing.own]
    if shows or not is_led:
        where.clauses += [clause for clause in inner.clauses if clause == "false"]
        # With a scope, the paths have its conditions.
        listing.visibility(where, Visibility(visibility.brand) if of_scope else visibility)
        if listing.brand is not None and visibility.brand is None and brand is not None:
            where.add(f"{listing.brand} = {{}}", brand)
        _restrict(listing, where, (*within, *spans), visibility)
    if is_led:
        _restrict(listing, inner, spans, visibility)
    else:
        where.clauses += [_place(listing, where, name, values, brand) for name, values in spans]
        inner.clauses = where.clauses[:]
    fits = [_condition(listing, name, values, where, visibility, sets.get(name)) for name, values in rest]
    looks = 1 + sum(
        part.looks
        for name, _ in rest
        if isinstance(kind := listing.filters[name], MatchFilter)
        for part in _row_parts(kind, visibility, sets.get(name))
    )
    if is_led and not (of_scope or of_own or _is_whole(visibility)):
        visible = where.sharing_parameters()
        listing.visibility(visible, visibility)
        fits += visible.clauses
    return Plan(listing, where, inner, paths, fits, brand, spans if is_led else (), looks=looks)


def _place(listing: Listing, where: Where, name: str, values: Sequence[Any], brand: str | None, lead: str = "") -> str:
    """Return the condition on the ids for a time filter, within a brand; with `lead`, in the index it leads."""
    kind = listing.filters[name]
    assert isinstance(kind, TimeFilter)
    if brand is None:
        bound = where.put(kind.bound.replace("{brand}", "n.brand"), *values)
    else:
        bound = where.put(kind.bound, *values, brand=brand)
    return f"({lead}, {kind.key}) {kind.beyond} (v.value, {bound})" if lead else f"{kind.key} {kind.beyond} {bound}"


def _restrict(listing: Listing, where: Where, within: Filters, visibility: Visibility) -> None:
    where.clauses += [_condition(listing, name, values, where, visibility) for name, values in within]


def _paths(
    listing: Listing, visibility: Visibility, filters: Filters, sets: MatchedFilters
) -> tuple[list[AccessPath], Filters]:
    """Return the access paths, and the filters that none of them serves."""
    matched = next((name for name, _ in filters if name in sets and not sets[name].others), None)
    if matched is not None:
        return [AccessPath(NarrowFilter(listing.id), list(sets[matched].ids))], tuple(
            one for one in filters if one[0] != matched
        )
    if visibility.scope is not None and listing.scope:
        return _of_scope(listing, visibility), filters
    if visibility.client is not None and listing.own is not None:
        own = listing.filters[listing.own]
        assert isinstance(own, IndexedFilter)
        filters = tuple(one for one in filters if one != (listing.own, (visibility.client,)))
        if filters or own.values:  # else the visibility condition leads to the same index
            return [AccessPath(own, _value_of(own, (visibility.client,)))], filters
    lead = _lead(listing, filters)
    if lead is None:
        return [AccessPath()], filters
    by = listing.filters[lead[0]]
    assert isinstance(by, IndexedFilter)
    return [AccessPath(by, _value_of(by, lead[1]))], tuple(
        one for one in filters if one is not lead and one[0] != lead[0]
    )


def nested_plan(
    listing: Listing, parent: ParentLink, ids: Any, filters: Filters, visibility: Visibility | None
) -> Plan:
    """Return the plan of the rows of each parent `p`; visible ones only, unless a visible parent implies them."""
    where = Where(ids)
    where.add(parent.condition)
    if not parent.implied:
        assert visibility is not None, "a visible parent does not imply visible rows"
        listing.visibility(where, visibility)
    within, rest = _split(listing, filters)
    _restrict(listing, where, within, visibility or Visibility())
    lead = _lead(listing, rest)
    path = AccessPath()
    if lead is not None and isinstance(by := listing.filters[lead[0]], IndexedFilter) and not by.of_brand:
        path, rest = AccessPath(by, _value_of(by, lead[1])), tuple(one for one in rest if one[0] != lead[0])
    inner = where.sharing_parameters()
    inner.clauses += where.clauses
    fits = [_condition(listing, name, values, where, visibility or Visibility()) for name, values in rest]
    return Plan(listing, where, inner, [path], fits, below=1)


def matching_ids(
    listing: Listing, name: str, value: Any, brand: str | None, most: int, places: Sequence[int]
) -> tuple[str, list[Any]]:
    """Return the statement of the ids that some parts of a `MatchFilter` find, at most `most` + 1 for each part.

    `offset 0` is an optimisation fence: the planner must not hope to reach the limit early in a scan.
    """
    match, where = listing.filters[name], Where()
    assert isinstance(match, MatchFilter)
    named = {**match.named(value), "rows": most + 1, "brand": brand}
    parts = []
    for place in places:
        ids = match.parts[place].ids
        one = where.put(ids if brand is not None else ANY_BRAND.sub("", ids), **named)
        parts.append(f"(select {place} as part, i.id from ({one} offset 0) i (id) limit {most + 1})")
    return " union all ".join(parts) or "select 0 as part, 0 as id where false", where.values
