"""The compiler of a list's selection: each selected field becomes a column that goes through all objects at once.

A selection can be compiled if it holds attributes, methods without arguments, and links (`schema/engine/relations.py`)
to scalars, enums, objects and lists of them. For any other selection, and for any value that is wrong (a null where the
schema allows none, a value that its scalar refuses), `Fallback` is raised and the plain executor answers the list, so
errors, their paths and the nulls they cause are graphql-core's own.
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

from schema.engine.fast_lists.batched_reads import Completer, Getter, LinkColumn, PendingLink, PendingReads, set_field
from schema.engine.graphql_internals import CollectedFields, FieldDetailsList
from schema.engine.relations import LINK, RowLink, Values
from schema.engine.row_types import FromRow, adapters
from schema.engine.scalars import LONG_MAX
from schema.engine.strawberry_internals import definition_of

SubfieldCollector = Callable[[GraphQLObjectType, FieldDetailsList], CollectedFields]
"""Returns the selected fields of an object, by their names in the answer and in its order."""

APPLIED_DIRECTIVES = frozenset({"skip", "include"})  # the collector has applied them
PORTION_FIELDS = 2_000  # answered at a stretch: one to four milliseconds; a page of 50 rows has fewer


class Fallback(Exception):
    """The plain executor has to answer this list."""


def _unchanged(values: Values) -> Values:
    return values


def _within(least: int, most: int) -> Callable[[Values], Values]:
    def check(values: Values) -> Values:
        numbers = values if None not in values else [value for value in values if value is not None]
        if numbers and not (least <= min(numbers) and max(numbers) <= most):
            raise Fallback
        return values

    return check


def _instants(values: Values) -> Values:
    """Return the instants as `isoformat` writes them, in a tenth of its time."""
    texts: list[Any] = orjson.loads(orjson.dumps(values))
    return texts


BULK_SERIALIZERS: dict[str, tuple[type, Callable[[Values], Values]]] = {
    "String": (str, _unchanged),
    "ID": (str, _unchanged),
    "Boolean": (bool, _unchanged),
    "Int": (int, _within(GRAPHQL_MIN_INT, GRAPHQL_MAX_INT)),
    "Long": (int, _within(-LONG_MAX, LONG_MAX)),
    "DateTime": (datetime, _instants),
}
"""By scalar the type of its values and a function that serializes many of them, and nulls, at once.

Values of other types and of other scalars are serialized one by one.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A selected field whose values the objects have themselves."""

    name: str  # in the answer
    get: Getter
    complete: Completer


class ObjectPlan:
    """The compiled selection of one object type."""

    __slots__ = ("_blank", "_columns", "_links", "_portion")

    def __init__(self, columns: Sequence[Column | LinkColumn]) -> None:
        self._blank = dict.fromkeys(column.name for column in columns)  # the fields in the answer's order
        self._columns = [column for column in columns if isinstance(column, Column)]
        self._links = [column for column in columns if isinstance(column, LinkColumn)]
        self._portion = max(1, PORTION_FIELDS // max(1, len(self._blank)))

    def complete(self, reads: PendingReads, objects: Values) -> list[dict[str, Any]]:
        """Return an answer for each object. The first portion begins now; the other portions wait in `reads`."""
        answers = [self._blank.copy() for _ in objects]
        portion = self._portion
        if len(objects) <= portion:
            self._begin(reads, objects, answers)
            return answers
        self._begin(reads, objects[:portion], answers[:portion])
        for at in range(portion, len(objects), portion):
            reads.portions.append(partial(self._begin, reads, objects[at : at + portion], answers[at : at + portion]))
        return answers

    def _begin(self, reads: PendingReads, objects: Values, answers: list[dict[str, Any]]) -> None:
        for column in self._links:
            reads.links.append(PendingLink(column, objects, tuple(get(objects) for get in column.getters), answers))
        if self._links:
            reads.fills.append(lambda: self._fill(reads, objects, answers))
        else:
            self._fill(reads, objects, answers)

    def _fill(self, reads: PendingReads, objects: Values, answers: list[dict[str, Any]]) -> None:
        """Set every field but the links, which follow once their rows are read."""
        for column in self._columns:
            set_field(answers, column.name, column.complete(reads, column.get(objects)))


def compile_items(collect: SubfieldCollector, kind: Any, details: FieldDetailsList, *, are_rows: bool) -> Completer:
    """Return the completer of a list's items, which are objects or, with `are_rows`, rows of the database.

    Raises Fallback.
    """
    required, kind = is_non_null_type(kind), get_nullable_type(kind)
    if is_leaf_type(kind):
        return _leaf(kind, required=required)
    if is_list_type(kind):
        return _nullable(
            _flattened(compile_items(collect, kind.of_type, details, are_rows=are_rows)), required=required
        )
    if is_object_type(kind) and kind.is_type_of is None:
        fields = collect(kind, details).grouped_field_set
        plan = ObjectPlan([_column(collect, kind, name, field, are_rows) for name, field in fields.items()])
        return _nullable(plan.complete, required=required)
    raise Fallback


def _column(
    collect: SubfieldCollector, parent: GraphQLObjectType, name: str, details: FieldDetailsList, are_rows: bool
) -> Column | LinkColumn:
    for detail in details:
        if detail.defer_usage or detail.fragment_variable_values or not _has_no_arguments(detail.node):
            raise Fallback
    field_name = details[0].node.name.value
    if field_name == "__typename":
        return Column(name, lambda objects: [parent.name] * len(objects), _same_values)
    field: GraphQLField | None = parent.fields.get(field_name)
    if field is None or field.args:
        raise Fallback
    definition = definition_of(field)
    if definition is None:  # introspection
        raise Fallback
    link: RowLink | None = definition.metadata.get(LINK)
    if link is None:
        return _value_column(name, parent, field, compile_items(collect, field.type, details, are_rows=False), are_rows)
    complete = _deduplicated(compile_items(collect, field.type, details, are_rows=True))
    read, pick = itemgetter if are_rows else attrgetter, link.pick
    getters = tuple(_each(read(attribute)) for attribute in link.names)
    if link.source is None:
        return Column(name, lambda objects: pick({}, *(get(objects) for get in getters)), complete)
    if not are_rows:
        getters = (_as_numbers(getters[0]), *getters[1:])
    return LinkColumn(name, link.names, getters, link.source, pick, complete)


def _as_numbers(get: Getter) -> Getter:
    """Read ids as numbers: objects hold them as text, rows as numbers."""
    return lambda objects: [None if value is None else int(value) for value in get(objects)]


def _deduplicated(complete: Completer) -> Completer:
    """Complete each distinct value once: several objects may link to one row, and enums have few members."""

    def through(reads: PendingReads, values: Values) -> Values:
        ids = list(map(id, values))
        distinct = dict(zip(ids, values, strict=True))
        if len(distinct) == len(values):
            return complete(reads, values)
        answers = dict(zip(distinct, complete(reads, list(distinct.values())), strict=True))
        return list(map(answers.__getitem__, ids))

    return through


def _has_no_arguments(node: FieldNode) -> bool:
    """Return whether the field has no arguments and no directive that the collector has not applied."""
    return not node.arguments and all(one.name.value in APPLIED_DIRECTIVES for one in node.directives or ())


def _same_values(_reads: PendingReads, values: Values) -> Values:
    return values


def _value_column(
    name: str, parent: GraphQLObjectType, field: GraphQLField, complete: Completer, are_rows: bool
) -> Column:
    """Return the column of a field whose values the objects, or the rows, have themselves. Raises Fallback."""
    definition, kind = definition_of(field), get_nullable_type(field.type)
    method, column = definition.base_resolver, definition.python_name
    if definition.extensions or (method and (method.is_async or not _takes_only_self(method))):
        raise Fallback
    row_type = definition_of(parent).origin
    if are_rows and not issubclass(row_type, FromRow):
        raise Fallback
    if method:
        call = _each(method.wrapped_func)
        return Column(name, (lambda rows: call(list(map(row_type.of, rows)))) if are_rows else call, complete)
    if not are_rows:
        return Column(name, _each(attrgetter(column)), complete)
    get, adapt = _each(itemgetter(column)), adapters(row_type)[column]
    if adapt is None:
        return Column(name, get, complete)
    if isinstance(kind, GraphQLEnumType):
        return Column(name, get, _enum_names(kind, adapt, required=is_non_null_type(field.type)))
    return Column(name, lambda rows: list(map(adapt, get(rows))), complete)


def _enum_names(kind: GraphQLEnumType, adapt: Callable[[Any], Any], *, required: bool) -> Completer:
    """Complete stored values as the enum's names; each distinct value is looked up once."""

    @cache
    def name(stored: Any) -> Any:
        try:
            member = adapt(stored)
        except LookupError:  # a newer version stored it: the plain executor leaves the row out
            raise Fallback from None
        if member is None and required:
            raise Fallback
        return None if member is None else kind.coerce_output_value(member)

    return lambda _, values: list(map(name, values))


def _each(get: Callable[[Any], Any]) -> Getter:
    return lambda objects: list(map(get, objects))


def _takes_only_self(method: Any) -> bool:
    return bool(method.self_parameter) and not method.info_parameter and not method.arguments


@lru_cache(maxsize=1024)
def _is_plain_value(kind: type) -> bool:
    """Return whether values of the type are neither awaitable, nor iterated, nor exceptions, nor Undefined."""
    special = (Exception, GeneratorType, type(Undefined))
    return not issubclass(kind, special) and not hasattr(kind, "__await__") and not hasattr(kind, "__aiter__")


def _nullable(complete: Completer, *, required: bool) -> Completer:
    """Keep nulls where the schema allows them, and complete the other values."""

    def through(reads: PendingReads, values: Values) -> Values:
        kinds = set(map(type, values))
        if not all(map(_is_plain_value, kinds)) or (required and NoneType in kinds):
            raise Fallback
        if NoneType not in kinds:
            return complete(reads, values)
        completed = iter(complete(reads, [value for value in values if value is not None]))
        return [None if value is None else next(completed) for value in values]

    return through


def _flattened(complete: Completer) -> Completer:
    """Complete the items of all lists as one column."""

    def through(reads: PendingReads, values: Values) -> Values:
        if any(type(value) not in (list, tuple) for value in values):
            raise Fallback
        completed = iter(complete(reads, list(chain.from_iterable(values))))
        return [list(islice(completed, len(value))) for value in values]

    return through


def _leaf(kind: GraphQLLeafType, *, required: bool) -> Completer:
    one_by_one = _nullable(_serialized(kind.coerce_output_value), required=required)
    if isinstance(kind, GraphQLEnumType):
        return _deduplicated(one_by_one)
    if kind.name not in BULK_SERIALIZERS:
        return one_by_one
    value_type, serialize = BULK_SERIALIZERS[kind.name]
    types = {value_type} if required else {value_type, NoneType}

    def through(reads: PendingReads, values: Values) -> Values:
        return serialize(values) if types.issuperset(map(type, values)) else one_by_one(reads, values)

    return through


def _serialized(serialize: Callable[[Any], Any]) -> Completer:
    def through(_reads: PendingReads, values: Values) -> Values:
        answers = list(map(serialize, values))
        if not {NoneType, type(Undefined)}.isdisjoint(map(type, answers)):
            raise Fallback
        return answers

    return through
