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
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from operator import attrgetter, itemgetter
from types import GeneratorType, NoneType
from typing import Any

import orjson
from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    Undefined,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList

from schema.context import Context
from schema.links import LINK, Link, Source
from schema.rows import FromRow, adapters
from schema.scalars import LONG_MAX

Values = Sequence[Any]
Complete = Callable[["Reads", Values], list[Any]]
"""From a field's values to what is answered."""
Take = Callable[[Values], Values]
"""From objects to a field's values."""
Collect = Callable[[GraphQLObjectType, FieldDetailsList], CollectedFields]
"""What a field selects of an object: by its names in the answer, in their order."""

DEFINITION = "strawberry-definition"
KNOWN_DIRECTIVES = frozenset({"skip", "include"})  # which `Collect` has seen to


class Ordinary(Exception):
    """This list is the executor's to answer."""


def _as_they_are(values: Values) -> list[Any]:
    return list(values)


def _within(least: int, most: int) -> Callable[[Values], list[Any]]:
    def fitting(values: Values) -> list[Any]:
        if not all(value is None or least <= value <= most for value in values):
            raise Ordinary
        return list(values)

    return fitting


def _instants(values: Values) -> list[Any]:
    """As `isoformat` has them; all at once they take a tenth of the time."""
    answered: list[Any] = orjson.loads(orjson.dumps(values))
    return answered


AT_ONCE: dict[str, tuple[type, Callable[[Values], list[Any]]]] = {
    "String": (str, _as_they_are),
    "ID": (str, _as_they_are),
    "Boolean": (bool, _as_they_are),
    "Int": (int, _within(GRAPHQL_MIN_INT, GRAPHQL_MAX_INT)),
    "Long": (int, _within(-LONG_MAX, LONG_MAX)),
    "DateTime": (datetime, _instants),
}
"""By scalar how all its values, or nulls, are answered that are of the type; others are answered one by one."""


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
        for answer, value in zip(self.into, self.complete(reads, values), strict=True):
            answer[self.name] = value


@dataclass(slots=True)
class Reads:
    """What is still to be read for a list. What links lead to may have links of its own: one round a level."""

    due: list[Due] = field(default_factory=list)
    later: list[Callable[[], None]] = field(default_factory=list)
    """What is answered of objects with links while the database reads what these lead to."""

    async def done(self, context: Context) -> None:
        while self.due:
            now, self.due = self.due, []
            of: dict[Source, list[Due]] = {}
            for one in now:
                assert one.link.source is not None, "what is not read is not due"
                of.setdefault(one.link.source, []).append(one)
            async with asyncio.TaskGroup() as group:
                reads = [group.create_task(_read(source, those, context)) for source, those in of.items()]
                await asyncio.sleep(0)  # they begin
                later, self.later = self.later, []
                for answer in later:
                    answer()
            for read, those in zip(reads, of.values(), strict=True):
                for one in those:
                    one.put(self, read.result())


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
        made: list[dict[str, Any]] = [{} for _ in objects]
        links = [(column, column.link) for column in self.columns if column.link]
        if links:
            reads.due += [Due(link, one.take(objects), one.complete, one.name, made) for one, link in links]
            reads.later.append(lambda: self._fill(reads, objects, made))
        else:
            self._fill(reads, objects, made)
        return made

    def _fill(self, reads: Reads, objects: Values, made: list[dict[str, Any]]) -> None:
        """Put in all fields in their order; what links lead to follows when it has been read."""
        names = [column.name for column in self.columns]
        values = [
            [None] * len(objects) if column.link else column.complete(reads, column.take(objects))
            for column in self.columns
        ]
        for answer, row in zip(made, zip(*values, strict=True), strict=bool(names)):
            answer.update(zip(names, row))  # noqa: B905 - each row has a value for each name


def compiled(collect: Collect, kind: Any, details: FieldDetailsList, *, rows: bool) -> Complete:
    """How the items of a list are answered, which are objects or, with `rows`, the rows they would be made from.

    Raises Ordinary.
    """
    if is_leaf_type(named := get_nullable_type(kind)):
        return _leaf(named, required=is_non_null_type(kind))
    if is_non_null_type(kind):
        return _required(compiled(collect, kind.of_type, details, rows=rows))
    if is_list_type(kind):
        return _listed(compiled(collect, kind.of_type, details, rows=rows))
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
    if link is None:
        return Column(name, take, complete)
    if link.source is None:
        pick = link.pick
        return Column(name, lambda objects: [pick(given, None) for given in take(objects)], _shared(complete))
    return Column(name, take, _shared(complete), link)


def _shared(complete: Complete) -> Complete:
    """What is there several times, as what several objects lead to and an enum's members are, is answered once."""

    def through(reads: Reads, values: Values) -> list[Any]:
        distinct = dict(zip(map(id, values), values, strict=True))
        if len(distinct) == len(values):
            return complete(reads, values)
        answers = dict(zip(distinct, complete(reads, list(distinct.values())), strict=True))
        return [answers[id(value)] for value in values]

    return through


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


def _leaf(kind: GraphQLLeafType, *, required: bool) -> Complete:
    usual = _present(_coerced(kind.coerce_output_value))
    usual = _required(usual) if required else usual
    if isinstance(kind, GraphQLEnumType):
        return _shared(usual)
    if kind.name not in AT_ONCE:
        return usual
    known, answer = AT_ONCE[kind.name]
    kinds = {known} if required else {known, NoneType}

    def through(reads: Reads, values: Values) -> list[Any]:
        return answer(values) if kinds.issuperset(map(type, values)) else usual(reads, values)

    return through


def _coerced(coerce: Callable[[Any], Any]) -> Complete:
    def through(_reads: Reads, values: Values) -> list[Any]:
        done = list(map(coerce, values))
        if not {NoneType, type(Undefined)}.isdisjoint(map(type, done)):
            raise Ordinary
        return done

    return through
