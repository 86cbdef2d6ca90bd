"""Lists answered by columns: each field of all their objects at once, instead of every field of every object.

graphql-core finds out for each field of each object anew what it found out for the object before: that costs many times
what the values do. Here a selection is compiled once for a list, and each of its fields then goes through all objects.
What a selection may hold: attributes, methods that are handed nothing, and links, which are read for all objects at
once; of these scalars, enums, objects, and lists of them. For anything else, and for whatever is not as it should be
(a null where none may be, a value that its scalar refuses), `Ordinary` is raised, and the executor answers instead:
so errors, their paths and what becomes null because of them are its own.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice
from operator import attrgetter, itemgetter
from types import GeneratorType, NoneType
from typing import Any

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList

from schema.context import Context
from schema.links import LINK, Link, Source
from schema.rows import FromRow, adapters

Values = Sequence[Any]
Complete = Callable[["Reads", Values], list[Any]]
"""From a field's values to what is answered."""
Take = Callable[[Values], Values]
"""From objects to a field's values."""
Collect = Callable[[GraphQLObjectType, FieldDetailsList], CollectedFields]
"""What a field selects of an object: by its names in the answer, in their order."""

DEFINITION = "strawberry-definition"
AS_THEY_ARE: dict[str, type] = {"String": str, "ID": str, "Boolean": bool, "Int": int}
"""Scalars that answer values of a type unchanged; of whole numbers those that fit."""
KNOWN_DIRECTIVES = frozenset({"skip", "include"})  # which `Collect` has seen to


class Ordinary(Exception):
    """This list is the executor's to answer."""


@dataclass(slots=True)
class Due:
    """A link's values, to be put under `name` into what was answered of each object."""

    link: Link
    given: Values
    complete: Complete
    name: str
    into: list[dict[str, Any]]
    keys: list[int | None] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = [None if values[0] is None else int(values[0]) for values in self.given]

    def put(self, reads: "Reads", found: dict[int, Any]) -> None:
        pick = self.link.pick
        values = [
            None if key is None else pick(values, found.get(key))
            for key, values in zip(self.keys, self.given, strict=True)
        ]
        distinct = {id(value): value for value in values}  # what several lead to is answered once
        answers = dict(zip(distinct, self.complete(reads, list(distinct.values())), strict=True))
        for answer, value in zip(self.into, values, strict=True):
            answer[self.name] = answers[id(value)]


@dataclass(slots=True)
class Reads:
    """What is still to be read for a list. What links lead to may have links of its own: one round a level."""

    due: list[Due] = field(default_factory=list)

    async def done(self, context: Context) -> None:
        while self.due:
            now, self.due = self.due, []
            of: dict[Source, list[Due]] = {}
            for one in now:
                assert one.link.source is not None, "what is not read is not due"
                of.setdefault(one.link.source, []).append(one)
            for found, those in zip(
                await asyncio.gather(*(_read(source, those, context) for source, those in of.items())),
                of.values(),
                strict=True,
            ):
                for one in those:
                    one.put(self, found)


async def _read(source: Source, those: Iterable[Due], context: Context) -> dict[int, Any]:
    keys = dict.fromkeys(key for one in those for key in one.keys if key is not None)
    return await source.read(context, list(keys)) if keys else {}


@dataclass(frozen=True, slots=True)
class Column:
    """A field by its name in the answer."""

    name: str
    take: Take
    complete: Complete
    link: Link | None = None  # where the values have to be read first


@dataclass(frozen=True, slots=True)
class Selection:
    """The fields that are asked of objects of one type."""

    columns: tuple[Column, ...]

    def answer(self, reads: Reads, objects: Values) -> list[dict[str, Any]]:
        if not self.columns:
            return [{} for _ in objects]
        names = [column.name for column in self.columns]
        values = [
            [None] * len(objects) if column.link else column.complete(reads, column.take(objects))
            for column in self.columns
        ]
        made = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        for column in self.columns:
            if column.link:
                reads.due.append(Due(column.link, column.take(objects), column.complete, column.name, made))
        return made


def compiled(collect: Collect, kind: Any, details: FieldDetailsList, *, rows: bool) -> Complete:
    """How the items of a list are answered, which are objects or, with `rows`, the rows they would be made from.

    Raises Ordinary.
    """
    if is_non_null_type(kind):
        return _required(compiled(collect, kind.of_type, details, rows=rows))
    if is_list_type(kind):
        return _listed(compiled(collect, kind.of_type, details, rows=rows))
    if is_leaf_type(kind):
        return _leaf(kind)
    if is_object_type(kind) and kind.is_type_of is None:
        fields = collect(kind, details).grouped_field_set
        selection = Selection(tuple(_column(collect, kind, name, of, rows) for name, of in fields.items()))
        return _present(selection.answer)
    raise Ordinary


def _column(collect: Collect, of: GraphQLObjectType, name: str, details: FieldDetailsList, rows: bool) -> Column:
    for one in details:
        if one.defer_usage or one.fragment_variable_values or not _is_bare(one.node):
            raise Ordinary
    asked = details[0].node.name.value
    if asked == "__typename":
        return Column(name, lambda objects: [of.name] * len(objects), _as_it_is)
    known: GraphQLField | None = of.fields.get(asked)
    if known is None or known.args:
        raise Ordinary
    definition = known.extensions.get(DEFINITION)
    if definition is None:  # of the schema's own schema
        raise Ordinary
    link: Link | None = definition.metadata.get(LINK)
    take = _taken(of, definition, rows) if link is None else _keys(link, rows)
    complete = compiled(collect, known.type, details, rows=link is not None)
    if link is not None and link.source is None:
        pick = link.pick
        return Column(name, lambda objects: [pick(given, None) for given in take(objects)], complete)
    return Column(name, take, complete, link)


def _is_bare(node: FieldNode) -> bool:
    """Has it no arguments, and no directives but those that are seen to?"""
    return not node.arguments and all(one.name.value in KNOWN_DIRECTIVES for one in node.directives or ())


def _as_it_is(_reads: Reads, values: Values) -> list[Any]:
    return list(values)


def _taken(of: GraphQLObjectType, definition: Any, rows: bool) -> Take:
    """How a field's values are taken from objects, or from rows. Raises Ordinary."""
    method = definition.base_resolver
    if definition.extensions or (method and (method.is_async or not _is_alone(method))):
        raise Ordinary
    made_from = of.extensions[DEFINITION].origin
    if rows and not issubclass(made_from, FromRow):
        raise Ordinary
    if method:
        answer = _each(method.wrapped_func)
        return (lambda found: answer(list(map(made_from.of, found)))) if rows else answer
    if not rows:
        return _each(attrgetter(definition.python_name))
    take, adapt = _each(itemgetter(definition.python_name)), adapters(made_from)[definition.python_name]
    return take if adapt is None else lambda found: list(map(adapt, take(found)))


def _each(get: Callable[[Any], Any]) -> Take:
    return lambda found: list(map(get, found))


def _is_alone(method: Any) -> bool:
    """Is it handed the object, and nothing else?"""
    return bool(method.self_parameter) and not method.info_parameter and not method.arguments


def _keys(link: Link, rows: bool) -> Take:
    columns = [_each(itemgetter(name) if rows else attrgetter(name)) for name in link.names]
    return lambda found: list(zip(*(column(found) for column in columns), strict=True))


@lru_cache(maxsize=1024)
def _is_plain(kind: type) -> bool:
    """Are such values neither awaited, nor raised, nor left out?"""
    never = (Exception, GeneratorType, type(Undefined))
    return not issubclass(kind, never) and not hasattr(kind, "__await__") and not hasattr(kind, "__aiter__")


def _present(complete: Complete) -> Complete:
    """Null stays null; the others are completed."""

    def through(reads: Reads, values: Values) -> list[Any]:
        kinds = set(map(type, values))
        if not all(map(_is_plain, kinds)):
            raise Ordinary
        if NoneType not in kinds:
            return complete(reads, values)
        done = iter(complete(reads, [value for value in values if value is not None]))
        return [None if value is None else next(done) for value in values]

    return through


def _required(complete: Complete) -> Complete:
    def through(reads: Reads, values: Values) -> list[Any]:
        done = complete(reads, values)
        if NoneType in set(map(type, done)):
            raise Ordinary
        return done

    return through


def _listed(complete: Complete) -> Complete:
    """The items of all lists as one column."""

    def through(reads: Reads, values: Values) -> list[Any]:
        if any(type(value) not in (list, tuple) for value in values):
            raise Ordinary
        done = iter(complete(reads, list(chain.from_iterable(values))))
        return [list(islice(done, len(value))) for value in values]

    return _present(through)


def _leaf(kind: GraphQLLeafType) -> Complete:
    coerce, same = kind.coerce_output_value, AS_THEY_ARE.get(kind.name)

    def through(_reads: Reads, values: Values) -> list[Any]:
        if same is not None and set(map(type, values)) <= {same}:
            if same is int and values and not GRAPHQL_MIN_INT <= min(values) <= max(values) <= GRAPHQL_MAX_INT:
                raise Ordinary
            return list(values)
        if isinstance(kind, GraphQLEnumType):
            names = {value: coerce(value) for value in set(values)}
            done = [names[value] for value in values]
        else:
            done = list(map(coerce, values))
        if not {NoneType, type(Undefined)}.isdisjoint(map(type, done)):
            raise Ordinary
        return done

    return _present(through)
