"""The ways to a list's rows: which index leads to them, and the statements that follow it.

Each way reads rows in the list's order from an index. Conditions that no index serves are asked of the rows as they
come, of a limited number: so the cost of a statement is bounded, whatever the table holds and whatever fits.
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
"""By the name of a `MatchFilter` what was found by the indexes of its parts."""
ANY_BRAND = re.compile(r"\w\.brand = coalesce\(\{brand\}, \w\.brand\) and ")


class AccessPath(NamedTuple):
    """An index with what is looked up in it; without either, the list's order itself."""

    by: IndexedFilter | NarrowFilter | None = None
    value: Any = None


@dataclass(slots=True)
class Plan:
    """The parts of the statements for one list as one caller asks for it, and their parameters."""

    listing: Listing
    where: Where
    """Conditions on the rows that are answered."""
    inner: Where
    """Conditions that hold for each row that a way leads to, so that none is left out by them in vain."""
    ways: Sequence[AccessPath]
    fits: list[str] = field(default_factory=list)
    """Conditions that no index serves."""
    brand: str | None = None
    spans: Filters = ()
    """Times that say where in a brand's ids the rows of each way are."""
    below: int = 0
    """How many of the first conditions say whose rows a nested list holds."""
    looks: int = 1
    """How many rows are looked at for each of the list's."""

    @property
    def is_plain(self) -> bool:
        """Do the list's own order and conditions that indexes serve say everything?"""
        return not self.fits and len(self.ways) == 1 and self.ways[0].by is None

    @property
    def _numbers(self) -> str:
        return ", ".join(f"k{n}" for n in range(len(self.listing.order)))

    def _fan(self, way: AccessPath) -> str:
        """Return what the way is followed for: each value, in each brand."""
        by, items = way.by, []
        if (
            self.listing.brand is not None
            and by is not None
            and ("n.brand" in (by.condition if isinstance(by, NarrowFilter) else by.values) or _is_of_brand(by))
        ):
            bound = None if self.brand is None else self.where.put("select {}::text", self.brand)
            items.append(f"({bound or self.listing.brands}) n (brand)")
        if isinstance(by, IndexedFilter):
            values = by.values or f"select distinct unnest({{}}::{by.kind}[])"
            items.append(f"lateral ({self.where.put(values, way.value) if '{' in values else values}) v (value)")
        return "".join(f"{item} cross join " for item in items)

    def _look(self, way: AccessPath, after: PageRequest | None, limit: str, *more: str) -> tuple[str, str]:
        """Return the select of the rows that the way leads to, as keys and whether they fit, and its order.

        That a column has the value is said as a range, and ordered by: so only the index that it leads can serve, and
        the server is not left to guess that looking through everything would soon come upon some.
        """
        listing, by = self.listing, way.by
        turn, beyond = direction(listing, after is not None and after.reverse)
        where, keys = self.inner.beside(), [key.expression for key in listing.order]
        where.clauses += self.inner.clauses
        marks = ["{}" for _ in keys]
        if isinstance(by, NarrowFilter):
            where.add(by.condition, way.value)
        if isinstance(by, IndexedFilter) and by.of_brand and by.column != listing.brand:
            where.clauses.append(f"{listing.brand} = n.brand")
        lead = [by.column] if isinstance(by, IndexedFilter) else []
        for name, values in self.spans:
            where.clauses.append(_place(listing, where, name, values, self.brand, *lead))
        if lead:
            where.add(f"{lead[0]} {'>=' if beyond == '<' else '<='} v.value")
            marks = ["v.value", *marks]
        if after is not None and after.after is not None:
            where.add(f"({', '.join(lead + keys)}) {beyond} ({', '.join(marks)})", *after.after)
        elif lead:
            where.add(f"{lead[0]} {'<=' if beyond == '<' else '>='} v.value")
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
        """Return the statement of a page with a row more, which tells whether another follows.

        Each way looks at no more than `most` rows.
        """
        keys, rows = [key.expression for key in self.listing.order], window.first + 1
        turn, beyond = direction(self.listing, window.reverse)
        if self.is_plain:
            if window.after is not None:
                self.where.add(f"({', '.join(keys)}) {beyond} ({', '.join('{}' for _ in keys)})", *window.after)
            limit = self.where.put("limit {}", rows)
        else:
            led = [self._fitting(way, window, most, rows) for way in self.ways]
            some = " union ".join(led)  # several ways may lead to the same row
            found = f"select {self._numbers} from ({some}) u order by {self._turned(window.reverse)}"
            self.where.clauses = self._shown(f"{found} limit {rows}")
            limit = ""
        order = ", ".join(f"{key} {turn}" for key in keys)
        return f"select {self.listing.columns} from {self.listing.source}{self.where.text} order by {order} {limit}"

    def _shown(self, found: str) -> list[str]:
        """Return the conditions on the rows that are answered: they have the keys, and are visible, asked once more.

        `is true` keeps the server from reading them by any other index than that of the keys.
        """
        keys = [key.expression for key in self.listing.order]
        has_keys = f"{keys[0]} = any(array({found}))" if len(keys) == 1 else f"({', '.join(keys)}) in ({found})"
        parent, others = self.where.clauses[: self.below], self.where.clauses[self.below :]
        return [*parent, has_keys, *(f"({clause}) is true" for clause in others)]

    def _fitting(self, way: AccessPath, window: PageRequest, most: int, rows: int) -> str:
        look, order = self._look(way, window, str(most if self.fits else rows))
        some = f"select {self._numbers} from ({look}) k where k.fits order by {order} limit {rows}"
        return f"(select {self._numbers} from {self._fan(way)}lateral ({some}) k)"

    def end(self, window: PageRequest, most: int) -> str:
        """Return the statement of the keys at which the looking ended; none where all ways came to their end."""
        turned = self._turned(window.reverse)
        ends = []
        for way in self.ways:
            look, order = self._look(way, window, str(most))
            last = f"select {self._numbers} from ({look}) k order by {order} offset {most - 1} limit 1"
            ends.append(f"(select {self._numbers} from {self._fan(way)}lateral ({last}) k)")
        return f"select {self._numbers} from ({' union all '.join(ends)}) u order by {turned} limit 1"

    def counted(self, most: int, value: str = "0") -> str:
        """Return the statement that counts the fitting ones among the first rows of each way.

        Its rows: each `value` of a constant expression, the `number` of rows, and whether a way was `cut` off.
        """
        number, parts = "count(*) filter (where fits)", []
        for way in self.ways:
            look, _ = self._look(way, None, str(most + 1), f"{value} as value")
            if len(self.ways) == 1:
                cut = f"sum(count(*)) over () > {most} as cut"
                some = f"select k.value, {number} as number, {cut} from ({look}) k group by 1"
                return f"""select k.value, sum(k.number)::bigint as number, bool_or(k.cut) as cut
                  from {self._fan(way)}lateral ({some}) k group by 1"""
            some = f"select k.*, count(*) over () > {most} as cut from ({look}) k"
            parts.append(f"(select {self._numbers}, k.value, k.fits, k.cut from {self._fan(way)}lateral ({some}) k)")
        keys = f"{self._numbers}, value, fits"
        rows = f"select {keys}, bool_or(cut) as cut from ({' union all '.join(parts)}) u group by {keys}"
        return f"select value, {number} as number, bool_or(cut) as cut from ({rows}) u group by 1"


def _is_of_brand(by: IndexedFilter | NarrowFilter) -> bool:
    return isinstance(by, IndexedFilter) and by.of_brand


def _has_brand(listing: Listing, way: AccessPath) -> bool:
    """Does the way itself say the brand?"""
    return isinstance(way.by, IndexedFilter) and (way.by.of_brand or way.by.column == listing.brand)


def _is_whole(visibility: Visibility) -> bool:
    """Is every row of the brand seen?"""
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
        return where.put(kind.otherwise or f"{kind.column} = any({{}}::{kind.kind}[])", _given(kind, values))
    named = kind.named(values[0])
    parts = [where.put(part.condition, **named) for part in _looked_through(kind, visibility, matched)]
    if matched is not None and matched.ids:
        parts.insert(0, where.put(listing.id, list(matched.ids)))
    return f"({' or '.join(parts) or 'false'})"


def _looked_through(match: MatchFilter, visibility: Visibility, matched: MatchedIds | None) -> list[SearchPart]:
    """Return the parts that each row is asked for: those whose rows no index has told."""
    places = range(len(match.parts)) if matched is None else matched.others
    return [match.parts[place] for place in places if match.parts[place].seen(visibility)]


def _given(kind: IndexedFilter, values: Sequence[Any]) -> Any:
    """Return what the values of an `IndexedFilter` are made from: a list, unless a select makes them from one value."""
    [value] = values
    if isinstance(value, list | tuple):
        return list(value)
    return value if kind.values else [value]


def _parted(listing: Listing, filters: Filters) -> tuple[Filters, Filters]:
    """Return the filters that leave few rows or a part of the order, and the others."""
    names = {name for name, _ in filters}
    of_one = listing.unique if listing.unique and listing.unique <= names else frozenset()
    within = tuple(one for one in filters if isinstance(listing.filters[one[0]], NarrowFilter) or one[0] in of_one)
    return within, tuple(one for one in filters if one not in within)


def _lead(listing: Listing, filters: Filters) -> tuple[str, tuple[Any, ...]] | None:
    """Return the filter to be followed: the one that finds fewest rows."""
    given = dict(filters)
    return next(
        ((n, given[n]) for n, kind in listing.filters.items() if isinstance(kind, IndexedFilter) and n in given), None
    )


def _of_scope(listing: Listing, visibility: Visibility) -> list[AccessPath]:
    scope = visibility.scope or ()
    return [AccessPath(by, list(names)) for by, names in zip(listing.scope, scope, strict=False) if names]


def list_plan(listing: Listing, visibility: Visibility, filters: Filters, sets: MatchedFilters, *, shows: bool) -> Plan:
    """Return how the rows of a list that are visible are found; `shows` tells whether they are to be answered."""
    where, inner = Where(), Where()
    inner.values = where.values
    brand, given = visibility.brand, dict(filters)
    if listing.brand is not None and "brand" in given:
        filters = tuple(one for one in filters if one[0] != "brand")
        [name] = given["brand"]
        if brand not in (None, name):
            inner.clauses.append("false")
        brand = name if brand is None else brand
    within, rest = _parted(listing, filters)
    spans = tuple(one for one in rest if isinstance(listing.filters[one[0]], TimeFilter))
    ways, rest = _ways(listing, visibility, tuple(one for one in rest if one not in spans), sets)
    if (
        ways == [AccessPath()]
        and listing.brand is not None
        and _is_whole(visibility)
        and (spans if brand is None else rest or not shows)
    ):
        # The brand's index said as a range, as any other: else the server may read all brands in the order of ids.
        ways = [AccessPath(IndexedFilter(listing.brand, of_brand=True, values="select n.brand"))]
    is_led = any(way.by is not None for way in ways)
    if brand is None and not all(way.by and _is_of_brand(way.by) for way in ways):
        rest, spans = (*rest, *spans), ()  # of which brand's ids?
    if is_led:
        _bound(listing, inner, within, visibility)
        if brand is not None and listing.brand is not None and not all(_has_brand(listing, way) for way in ways):
            inner.add(f"{listing.brand} = {{}}", brand)
    of_scope = bool(visibility.scope and listing.scope)
    of_own = listing.own is not None and ways[0].by is listing.filters[listing.own]
    if shows or not is_led:
        where.clauses += [clause for clause in inner.clauses if clause == "false"]
        listing.visibility(
            where, Visibility(visibility.brand) if of_scope else visibility
        )  # whose conditions are those of its ways
        if listing.brand is not None and visibility.brand is None and brand is not None:
            where.add(f"{listing.brand} = {{}}", brand)
        _bound(listing, where, (*within, *spans), visibility)
    if is_led:
        _bound(listing, inner, spans, visibility)
    else:
        where.clauses += [_place(listing, where, name, values, brand) for name, values in spans]
        inner.clauses = where.clauses[:]
    fits = [_condition(listing, name, values, where, visibility, sets.get(name)) for name, values in rest]
    looks = 1 + sum(
        part.looks
        for name, _ in rest
        if isinstance(kind := listing.filters[name], MatchFilter)
        for part in _looked_through(kind, visibility, sets.get(name))
    )
    if is_led and not (of_scope or of_own or _is_whole(visibility)):
        seen = where.beside()
        listing.visibility(seen, visibility)
        fits += seen.clauses
    return Plan(listing, where, inner, ways, fits, brand, spans if is_led else (), looks=looks)


def _place(listing: Listing, where: Where, name: str, values: Sequence[Any], brand: str | None, lead: str = "") -> str:
    """Return where in a brand's ids the rows of these times can be; behind a `lead`, in the index that it leads."""
    kind = listing.filters[name]
    assert isinstance(kind, TimeFilter)
    if brand is None:
        bound = where.put(kind.bound.replace("{brand}", "n.brand"), *values)
    else:
        bound = where.put(kind.bound, *values, brand=brand)
    return f"({lead}, {kind.key}) {kind.beyond} (v.value, {bound})" if lead else f"{kind.key} {kind.beyond} {bound}"


def _bound(listing: Listing, where: Where, within: Filters, visibility: Visibility) -> None:
    where.clauses += [_condition(listing, name, values, where, visibility) for name, values in within]


def _ways(
    listing: Listing, visibility: Visibility, filters: Filters, sets: MatchedFilters
) -> tuple[list[AccessPath], Filters]:
    """Return the ways, and the filters that none of them serves."""
    found = next((name for name, _ in filters if name in sets and not sets[name].others), None)
    if found is not None:
        return [AccessPath(NarrowFilter(listing.id), list(sets[found].ids))], tuple(
            one for one in filters if one[0] != found
        )
    if visibility.scope is not None and listing.scope:
        return _of_scope(listing, visibility), filters
    if visibility.client is not None and listing.own is not None:
        own = listing.filters[listing.own]
        assert isinstance(own, IndexedFilter)
        filters = tuple(one for one in filters if one != (listing.own, (visibility.client,)))
        if filters or own.values:  # else the condition of its visibility leads the same index
            return [AccessPath(own, _given(own, (visibility.client,)))], filters
    lead = _lead(listing, filters)
    if lead is None:
        return [AccessPath()], filters
    by = listing.filters[lead[0]]
    assert isinstance(by, IndexedFilter)
    return [AccessPath(by, _given(by, lead[1]))], tuple(one for one in filters if one is not lead and one[0] != lead[0])


def nested_plan(
    listing: Listing, parent: ParentLink, ids: Any, filters: Filters, visibility: Visibility | None
) -> Plan:
    """Return how the rows of each parent `p` are found; those in sight, where the parent's being so does not say it."""
    where = Where(ids)
    where.add(parent.condition)
    if not parent.implied:
        assert visibility is not None, "who sees the parent need not see these"
        listing.visibility(where, visibility)
    within, rest = _parted(listing, filters)
    _bound(listing, where, within, visibility or Visibility())
    lead = _lead(listing, rest)
    way = AccessPath()
    if lead is not None and isinstance(by := listing.filters[lead[0]], IndexedFilter) and not by.of_brand:
        way, rest = AccessPath(by, _given(by, lead[1])), tuple(one for one in rest if one[0] != lead[0])
    inner = where.beside()
    inner.clauses += where.clauses
    fits = [_condition(listing, name, values, where, visibility or Visibility()) for name, values in rest]
    return Plan(listing, where, inner, [way], fits, below=1)


def matching_ids(
    listing: Listing, name: str, value: Any, brand: str | None, most: int, places: Sequence[int]
) -> tuple[str, list[Any]]:
    """Return the statement of the ids that some parts of a `MatchFilter` fit, at most one more than `most` of each.

    The fence of `offset 0` keeps the server from hoping that it finds so many before it has looked far.
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
