"""What a document may ask for: its length, fragments, repeats, depth, aliases, root fields and cost.

The cost is the number of fields that would be answered if every page were full. It, the depth and the aliases are
found in one walk that looks at each fragment once, however often it is spread, and before the document is validated:
nested fragments double what is asked for with each line, and whatever looks at each spread stops the server.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    Lexer,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_interface_type,
    is_list_type,
    is_object_type,
    parse,
)
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from schema.errors import BadUserInput
from schema.merging import repeats

LIST_SIZE = 10  # what a list that is not a page counts as
NESTING_MAX = 100  # brackets; the parser goes as deep as they do
KEPT, KEPT_CHARACTERS_MAX = 256, 8_000  # documents that are kept, and of each
OPENING = {TokenKind.BRACE_L, TokenKind.PAREN_L, TokenKind.BRACKET_L}
CLOSING = {TokenKind.BRACE_R, TokenKind.PAREN_R, TokenKind.BRACKET_R}


@dataclass(frozen=True, slots=True)
class Allowed:
    """The most a document may have of each; its cost in fields answered if every page were full."""

    tokens: int = 5_000
    fragments: int = 100
    repeats: int = 30  # of one name in one selection
    depth: int = 20
    aliases: int = 100
    roots: int = 25
    cost: int = 200_000


class TooMuch(BadUserInput):
    """The document asks for more than the server answers."""

    def __init__(self, name: str, limit: int, seen: int) -> None:
        super().__init__(f"The document's {name} is {seen}; the limit is {limit}. Ask for less, or in parts.")
        assert self.extensions is not None
        self.extensions |= {"limit": name, "max": limit, "seen": seen}


@dataclass(frozen=True, slots=True)
class Weight:
    """Of a selection. `listed` is the cost of one item of each of its lists, `flat` of all the rest."""

    depth: int = 0
    aliases: int = 0
    roots: int = 0
    flat: int = 0
    listed: int = 0

    def beside(self, other: "Weight") -> "Weight":
        """Of two selections of the same object."""
        return Weight(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.roots + other.roots,
            self.flat + other.flat,
            self.listed + other.listed,
        )

    def cost(self, size: int) -> int:
        """With lists of this size."""
        return self.flat + size * self.listed


class Scale:
    """Weighs one document, each of its fragments once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {node.name.value: node for node in _of(document, FragmentDefinitionNode)}
        self._weights: dict[str, Weight] = {}

    def operation(self, node: OperationDefinitionNode) -> Weight:
        return self._selection(node.selection_set, self._schema.get_root_type(node.operation))

    def _selection(self, node: SelectionSetNode | None, of: GraphQLNamedType | None) -> Weight:
        weight = Weight()
        for part in node.selections if node else ():
            if isinstance(part, FieldNode):
                weight = weight.beside(self._field(part, of))
            elif isinstance(part, FragmentSpreadNode):
                weight = weight.beside(self._fragment(part.name.value))
            elif isinstance(part, InlineFragmentNode):
                condition = part.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else of
                weight = weight.beside(self._selection(part.selection_set, inner))
        return weight

    def _fragment(self, name: str) -> Weight:
        if name not in self._weights:
            self._weights[name] = Weight()  # for one that spreads itself, which validation refuses
            if node := self._fragments.get(name):
                of = self._schema.get_type(node.type_condition.name.value)
                self._weights[name] = self._selection(node.selection_set, of)
        return self._weights[name]

    def _field(self, node: FieldNode, of: GraphQLNamedType | None) -> Weight:
        field = _definition(self._schema, of, node.name.value)
        inner = self._selection(node.selection_set, get_named_type(field.type) if field else None)
        cost = 1 + inner.cost(self._size(node, field))
        many = field is not None and is_list_type(get_nullable_type(field.type))
        return Weight(
            depth=1 + inner.depth,
            aliases=(node.alias is not None) + inner.aliases,
            roots=1,
            flat=0 if many else cost,
            listed=cost if many else 0,
        )

    def _size(self, node: FieldNode, field: GraphQLField | None) -> int:
        """How many items a page below the field may have."""
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                if isinstance(value, IntValueNode):
                    return max(1, int(value.value))
                given = self._variables.get(value.name.value) if isinstance(value, VariableNode) else None
                if isinstance(given, int):
                    return max(1, given)
        first = field.args.get("first") if field else None
        return first.default_value if first is not None and isinstance(first.default_value, int) else LIST_SIZE


def _of(document: DocumentNode, kind: type[Any]) -> Iterator[Any]:
    return (node for node in document.definitions if isinstance(node, kind))


def _definition(schema: GraphQLSchema, of: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if of is schema.query_type and name in ("__schema", "__type"):
        return schema.get_field(schema.query_type, name) if schema.query_type else None
    if is_object_type(of) or is_interface_type(of):
        field: GraphQLField | None = of.fields.get(name)
        return field
    return None


def read(text: str, tokens_max: int) -> DocumentNode:
    """The document of a text. Raises GraphQLError for one that is none, TooMuch for one too long or too nested.

    One answered before is not read again: documents are few and come often.
    """
    return (_kept if len(text) <= KEPT_CHARACTERS_MAX else _read)(text, tokens_max)


def _read(text: str, tokens_max: int) -> DocumentNode:
    lexer, nesting, tokens = Lexer(Source(text)), 0, 0
    while (token := lexer.advance()).kind is not TokenKind.EOF:
        tokens += 1
        nesting += (token.kind in OPENING) - (token.kind in CLOSING)
        if tokens > tokens_max:
            raise TooMuch("tokens", tokens_max, tokens)
        if nesting > NESTING_MAX:
            raise TooMuch("nesting", NESTING_MAX, nesting)
    return parse(text)


_kept = lru_cache(maxsize=KEPT)(_read)


@dataclass(frozen=True, slots=True)
class Asked:
    """A document with what its weight depends on besides: the operation that is named, and the whole numbers given."""

    schema: GraphQLSchema
    text: str
    tokens_max: int
    name: str | None
    numbers: tuple[tuple[str, int], ...]


def numbers(variables: Mapping[str, Any] | None) -> tuple[tuple[str, int], ...]:
    """The whole numbers among the variables; 10.0 is one, too, in JSON and for graphql-core."""
    given = (variables or {}).items()
    return tuple([(name, int(value)) for name, value in given if isinstance(value, int | float) and value % 1 == 0])


def _defaults(operations: Iterable[OperationDefinitionNode]) -> dict[str, int]:
    """By variable the largest whole number that an operation gives it where the request gives none."""
    found: dict[str, int] = {}
    for variable in chain.from_iterable(node.variable_definitions or () for node in operations):
        if isinstance(variable.default_value, IntValueNode):
            name = variable.variable.name.value
            found[name] = max(found.get(name, 0), int(variable.default_value.value))
    return found


def _weigh(asked: Asked) -> tuple[Weight, int]:
    """What is to be executed weighs, and how many operations the document has."""
    document = read(asked.text, asked.tokens_max)
    operations = list(_of(document, OperationDefinitionNode))
    scale, weight = Scale(asked.schema, document, _defaults(operations) | dict(asked.numbers)), Weight()
    for node in operations:
        if asked.name in (None, node.name and node.name.value):
            weight = weight.beside(scale.operation(node))
    return weight, len(operations)


_weighed = lru_cache(maxsize=KEPT)(_weigh)


def _crowd(text: str, tokens_max: int, fragments_max: int) -> tuple[int, int]:
    """How many fragments a document has, and its repeats; 0 where the fragments are too many to look."""
    document = read(text, tokens_max)
    fragments = sum(1 for _ in _of(document, FragmentDefinitionNode))
    return fragments, repeats(document) if fragments <= fragments_max else 0


_crowded = lru_cache(maxsize=KEPT)(_crowd)
_valid: OrderedDict[tuple[object, ...], None] = OrderedDict()
"""Documents that keep the rules they were validated by; they are not validated again."""


class Limits(SchemaExtension):
    """Refuses a document beyond the limits before it is validated, and answers the cost of every other."""

    cost: int | None = None

    def on_parse(self) -> Iterator[None]:
        execution = self.execution_context
        if execution.query:
            with suppress(GraphQLSyntaxError):  # Strawberry comes upon it too, and reports it
                execution.graphql_document = read(execution.query, execution.context.allowed.tokens)
        yield

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        self._weigh(execution)
        kept = len(execution.query or "") <= KEPT_CHARACTERS_MAX
        key = (execution.schema, execution.query, execution.validation_rules)
        if kept and execution.pre_execution_errors is None and key in _valid:
            _valid.move_to_end(key)
            execution.pre_execution_errors = []
        yield
        if kept and not execution.pre_execution_errors:
            _valid[key] = None
            if len(_valid) > KEPT:
                _valid.popitem(last=False)

    def _weigh(self, execution: ExecutionContext) -> None:
        assert execution.query, "it has been parsed"
        allowed: Allowed = execution.context.allowed
        asked = Asked(
            execution.schema._schema,  # noqa: SLF001 - its only name
            execution.query,
            allowed.tokens,
            execution.operation_name,
            numbers(execution.variables),
        )
        weight, operations = (_weighed if len(execution.query) <= KEPT_CHARACTERS_MAX else _weigh)(asked)
        crowd = _crowded if len(execution.query) <= KEPT_CHARACTERS_MAX else _crowd
        fragments, repeated = crowd(execution.query, allowed.tokens, allowed.fragments)
        found = {
            "fragments": (fragments, allowed.fragments),
            "repeats": (repeated, allowed.repeats),
            "depth": (weight.depth, allowed.depth),
            "aliases": (weight.aliases, allowed.aliases),
            "root fields": (weight.roots, allowed.roots),
            "cost": (weight.cost(LIST_SIZE), allowed.cost),
        }
        for name, (seen, limit) in found.items():
            if seen > limit:
                execution.pre_execution_errors = [TooMuch(name, limit, seen)]
                break
        if operations > 1 and execution._provided_operation_name is None:  # noqa: SLF001 - or the first is taken
            execution.pre_execution_errors = [BadUserInput("Name one of the document's operations: operationName.")]
        self.cost = weight.cost(LIST_SIZE)

    def get_results(self) -> dict[str, Any]:
        """`cost`: what the operation may cost at most, and how much is allowed. Events of a subscription lack it."""
        execution = self.execution_context
        if self.cost is None or execution.operation_type is OperationType.SUBSCRIPTION:
            return {}
        return {"cost": {"used": self.cost, "max": execution.context.allowed.cost}}
