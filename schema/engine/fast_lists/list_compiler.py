"""Lists answered by columns: each field of all their objects at once, instead of every field of every object.

graphql-core finds out for each field of each object anew what it found out for the object before: that costs many times
what the values do. Here a selection is compiled once for a list, and each of its fields then goes through all objects.
What a selection may hold: attributes, methods that are handed nothing, and links, which are read for all objects at
once; of these scalars, enums, objects, and lists of them. For anything else, and for whatever is not as it should be
(a null where none may be, a value that its scalar refuses), `Fallback` is raised, and the executor answers instead:
so errors, their paths and what becomes null because of them are its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache, partial
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

from schema.engine.fast_lists.batched_reads import Completer, Getter, LinkColumn, PendingLink, PendingReads, set_field
from schema.engine.relations import LINK, Link, Values
from schema.engine.row_types import FromRow, adapters
from schema.engine.scalars import LONG_MAX

SubfieldCollector = Callable[[GraphQLObjectType, FieldDetailsList], CollectedFields]
"""What a field selects of an object: by its names in the answer, in their order."""

DEFINITION = "strawberry-definition"
KNOWN_DIRECTIVES = frozenset({"skip", "include"})  # which `SubfieldCollector` has seen to
PORTION_FIELDS = 2_000  # answered at once: one to four milliseconds; a page of 50 rows is below it


class Fallback(Exception):
    """This list is the executor's to answer."""


def _unchanged(values: Values) -> Values:
    return values


def _within(least: int, most: int) -> Callable[[Values], Values]:
    def fitting(values: Values) -> Values:
        found = values if None not in values else [value for value in values if value is not None]
        if found and not (least <= min(found) and max(found) <= most):
            raise Fallback
        return values

    return fitting


def _instants(values: Values) -> Values:
    """As `isoformat` has them; all at once they take a tenth of the time."""
    answered: list[Any] = orjson.loads(orjson.dumps(values))
    return answered


BULK_SERIALIZERS: dict[str, tuple[type, Callable[[Values], Values]]] = {
    "String": (str, _unchanged),
    "ID": (str, _unchanged),
    "Boolean": (bool, _unchanged),
    "Int": (int, _within(GRAPHQL_MIN_INT, GRAPHQL_MAX_INT)),
    "Long": (int, _within(-LONG_MAX, LONG_MAX)),
    "DateTime": (datetime, _instants),
}
"""By scalar how all its values, or nulls, are answered that are of the type; others are answered one by one."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field by its name in the answer."""

    name: str
    take: Getter
    complete: Completer


class ObjectPlan:
    """The fields that are asked of objects of one type."""

    __slots__ = ("_blank", "_links", "_plain", "_portion")

    def __init__(self, columns: Sequence[Column | LinkColumn]) -> None:
        self._blank = dict.fromkeys(column.name for column in columns)  # the fields in their order
        self._plain = [column for column in columns if isinstance(column, Column)]
        self._links = [column for column in columns if isinstance(column, LinkColumn)]
        self._portion = max(1, PORTION_FIELDS // max(1, len(self._blank)))

    def answer(self, reads: PendingReads, objects: Values) -> list[dict[str, Any]]:
        """Return an answer for each object. Those of the first portion are begun; the others wait in `reads`."""
        made = [self._blank.copy() for _ in objects]
        portion = self._portion
        if len(objects) <= portion:
            self._begin(reads, objects, made)
            return made
        self._begin(reads, objects[:portion], made[:portion])
        for at in range(portion, len(objects), portion):
            reads.waiting.append(partial(self._begin, reads, objects[at : at + portion], made[at : at + portion]))
        return made

    def _begin(self, reads: PendingReads, objects: Values, made: list[dict[str, Any]]) -> None:
        for column in self._links:
            reads.due.append(PendingLink(column, objects, tuple(take(objects) for take in column.take), made))
        if self._links:
            reads.later.append(lambda: self._fill(reads, objects, made))
        else:
            self._fill(reads, objects, made)

    def _fill(self, reads: PendingReads, objects: Values, made: list[dict[str, Any]]) -> None:
        """Put in all but what links lead to, which follows when it has been read."""
        for column in self._plain:
            set_field(made, column.name, column.complete(reads, column.take(objects)))


def compile_items(collect: SubfieldCollector, kind: Any, details: FieldDetailsList, *, rows: bool) -> Completer:
    """How the items of a list are answered, which are objects or, with `rows`, the rows they would be made from.

    Raises Ordinary.
    """
    required, kind = is_non_null_type(kind), get_nullable_type(kind)
    if is_leaf_type(kind):
        return _leaf(kind, required=required)
    if is_list_type(kind):
        return _nullable(_flattened(compile_items(collect, kind.of_type, details, rows=rows)), required=required)
    if is_object_type(kind) and kind.is_type_of is None:
        fields = collect(kind, details).grouped_field_set
        selection = ObjectPlan([_column(collect, kind, name, of, rows) for name, of in fields.items()])
        return _nullable(selection.answer, required=required)
    raise Fallback


def _column(
    collect: SubfieldCollector, of: GraphQLObjectType, name: str, details: FieldDetailsList, rows: bool
) -> Column | LinkColumn:
    for one in details:
        if one.defer_usage or one.fragment_variable_values or not _has_no_arguments(one.node):
            raise Fallback
    asked = details[0].node.name.value
    if asked == "__typename":
        return Column(name, lambda objects: [of.name] * len(objects), _same_values)
    known: GraphQLField | None = of.fields.get(asked)
    if known is None or known.args:
        raise Fallback
    definition = known.extensions.get(DEFINITION)
    if definition is None:  # of the schema's own schema
        raise Fallback
    link: Link | None = definition.metadata.get(LINK)
    if link is None:
        return _value_column(name, of, known, compile_items(collect, known.type, details, rows=False), rows)
    complete = _deduplicated(compile_items(collect, known.type, details, rows=True))
    take, pick = tuple(_each((itemgetter if rows else attrgetter)(name)) for name in link.names), link.pick
    if link.source is None:
        return Column(name, lambda objects: pick({}, *(column(objects) for column in take)), complete)
    return LinkColumn(
        name, link.names, take if rows else (_as_numbers(take[0]), *take[1:]), link.source, pick, complete
    )


def _as_numbers(take: Getter) -> Getter:
    """Objects have as text the ids that rows have as numbers."""
    return lambda objects: [None if value is None else int(value) for value in take(objects)]


def _deduplicated(complete: Completer) -> Completer:
    """What is there several times, as what several objects lead to and an enum's members are, is answered once."""

    def through(reads: PendingReads, values: Values) -> Values:
        ids = list(map(id, values))
        distinct = dict(zip(ids, values, strict=True))
        if len(distinct) == len(values):
            return complete(reads, values)
        answers = dict(zip(distinct, complete(reads, list(distinct.values())), strict=True))
        return list(map(answers.__getitem__, ids))

    return through


def _has_no_arguments(node: FieldNode) -> bool:
    """Has it no arguments, and no directives but those that are seen to?"""
    return not node.arguments and all(one.name.value in KNOWN_DIRECTIVES for one in node.directives or ())


def _same_values(_reads: PendingReads, values: Values) -> Values:
    return values


def _value_column(name: str, of: GraphQLObjectType, known: GraphQLField, complete: Completer, rows: bool) -> Column:
    """A field whose values the objects, or the rows, have. Raises Ordinary."""
    definition, kind = known.extensions[DEFINITION], get_nullable_type(known.type)
    method, column = definition.base_resolver, definition.python_name
    if definition.extensions or (method and (method.is_async or not _takes_only_self(method))):
        raise Fallback
    made_from = of.extensions[DEFINITION].origin
    if rows and not issubclass(made_from, FromRow):
        raise Fallback
    if method:
        answer = _each(method.wrapped_func)
        return Column(name, (lambda found: answer(list(map(made_from.of, found)))) if rows else answer, complete)
    if not rows:
        return Column(name, _each(attrgetter(column)), complete)
    take, adapt = _each(itemgetter(column)), adapters(made_from)[column]
    if adapt is None:
        return Column(name, take, complete)
    if isinstance(kind, GraphQLEnumType):
        return Column(name, take, _enum_names(kind, adapt, required=is_non_null_type(known.type)))
    return Column(name, lambda found: list(map(adapt, take(found))), complete)


def _enum_names(kind: GraphQLEnumType, adapt: Callable[[Any], Any], *, required: bool) -> Completer:
    """An enum's names for what rows have, each of which is looked up once."""

    @cache
    def name(stored: Any) -> Any:
        try:
            member = adapt(stored)
        except LookupError:  # a value of a newer version: the executor leaves the row out
            raise Fallback from None
        if member is None and required:
            raise Fallback
        return None if member is None else kind.coerce_output_value(member)

    return lambda _, column: list(map(name, column))


def _each(get: Callable[[Any], Any]) -> Getter:
    return lambda found: list(map(get, found))


def _takes_only_self(method: Any) -> bool:
    """Is it handed the object, and nothing else?"""
    return bool(method.self_parameter) and not method.info_parameter and not method.arguments


@lru_cache(maxsize=1024)
def _is_plain_value(kind: type) -> bool:
    """Are such values neither awaited, nor raised, nor left out?"""
    never = (Exception, GeneratorType, type(Undefined))
    return not issubclass(kind, never) and not hasattr(kind, "__await__") and not hasattr(kind, "__aiter__")


def _nullable(complete: Completer, *, required: bool) -> Completer:
    """Null stays null, where it may be; the others are completed."""

    def through(reads: PendingReads, values: Values) -> Values:
        kinds = set(map(type, values))
        if not all(map(_is_plain_value, kinds)) or (required and NoneType in kinds):
            raise Fallback
        if NoneType not in kinds:
            return complete(reads, values)
        done = iter(complete(reads, [value for value in values if value is not None]))
        return [None if value is None else next(done) for value in values]

    return through


def _flattened(complete: Completer) -> Completer:
    """The items of all lists as one column."""

    def through(reads: PendingReads, values: Values) -> Values:
        if any(type(value) not in (list, tuple) for value in values):
            raise Fallback
        done = iter(complete(reads, list(chain.from_iterable(values))))
        return [list(islice(done, len(value))) for value in values]

    return through


def _leaf(kind: GraphQLLeafType, *, required: bool) -> Completer:
    usual = _nullable(_coerced(kind.coerce_output_value), required=required)
    if isinstance(kind, GraphQLEnumType):
        return _deduplicated(usual)
    if kind.name not in BULK_SERIALIZERS:
        return usual
    known, answer = BULK_SERIALIZERS[kind.name]
    kinds = {known} if required else {known, NoneType}

    def through(reads: PendingReads, values: Values) -> Values:
        return answer(values) if kinds.issuperset(map(type, values)) else usual(reads, values)

    return through


def _coerced(coerce: Callable[[Any], Any]) -> Completer:
    def through(_reads: PendingReads, values: Values) -> Values:
        done = list(map(coerce, values))
        if not {NoneType, type(Undefined)}.isdisjoint(map(type, done)):
            raise Fallback
        return done

    return through
