"""The limits of a document: characters, tokens, fragments, repeats, depth, aliases, root fields and cost.

The cost is the number of fields in the answer if every page is full, plus the database's work for counts, filters and
text searches, converted into fields that take the same time. Cost, depth and aliases are measured before validation, in
one walk that visits each fragment once: nested fragments can double the selected fields with each line, so code that
visits each spread could be kept busy for minutes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    Lexer,
    ObjectValueNode,
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

from schema.engine.errors import BadUserInput
from schema.engine.item_errors import without_invalid_literals

LIST_SIZE = 10  # assumed length of a list that is not a page
# Costs in addition to a field's own 1, in fields answered in the same time, about 200 in a millisecond.
COUNT_COST = 1_000  # the database reads up to 10,000 rows or 100,000 index entries: 5 to 10 ms
COUNTERS_COST = 10_000  # a count for each state
FILTER_COST = 100  # most filters use an index; a combination may read as many rows as a count
TEXT_COST = 10_000  # a text search collects and may read all matching rows: up to 50 ms
COUNTING = {"totalCount": COUNT_COST, "totalCountIsExact": COUNT_COST, "challengeCounters": COUNTERS_COST}
NESTING_MAX = 100  # nested brackets; the parser recurses for each
KEPT, KEPT_CHARACTERS_MAX = 256, 8_000  # number and length of the documents kept in each cache
OPENING = {TokenKind.BRACE_L, TokenKind.PAREN_L, TokenKind.BRACKET_L}
CLOSING = {TokenKind.BRACE_R, TokenKind.PAREN_R, TokenKind.BRACKET_R}


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """The limits of one document and its variables."""

    characters: int = 20_000
    tokens: int = 5_000
    fragments: int = 100
    repeats: int = 30  # of one name in one selection, multiplied by those of the selections around it
    depth: int = 20
    aliases: int = 100
    roots: int = 25
    cost: int = 200_000
    actions: int = 1_000  # decision actions of all its fields
    variables: int = 250_000  # characters of variables used more than once, times their uses
    errors: int = 1_000  # in its answer; further ones are left out, and one error says so
    items: int = 250  # objects in one list of its variables, except actions and quotes
    values: int = 15_000  # in all its variables, except quotes


class LimitExceeded(BadUserInput):
    """The document exceeds a limit; `extensions` have `limit`, `max` and `seen`."""

    def __init__(self, name: str, limit: int, observed: int) -> None:
        super().__init__(
            f"The document's {name} is {observed}; the limit is {limit}. Select less, or split the document."
        )
        assert self.extensions is not None
        self.extensions |= {"limit": name, "max": limit, "seen": observed}


@dataclass(frozen=True, slots=True)
class Weight:
    """The measures of a selection. `listed` is the cost of one item of each of its lists, `flat` all other cost."""

    depth: int = 0
    aliases: int = 0
    roots: int = 0
    flat: int = 0
    listed: int = 0

    def plus(self, other: "Weight") -> "Weight":
        """Return the weight of two selections of the same object."""
        return Weight(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.roots + other.roots,
            self.flat + other.flat,
            self.listed + other.listed,
        )

    def cost(self, size: int) -> int:
        """Return the cost if lists have this size."""
        return self.flat + size * self.listed


class DocumentWeigher:
    """The measurement of one document, each of its fragments once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = fragments_of(document)
        self._weights: dict[str, Weight] = {}

    def operation(self, node: OperationDefinitionNode) -> Weight:
        return self._selection(node.selection_set, self._schema.get_root_type(node.operation))

    def _selection(self, node: SelectionSetNode | None, of: GraphQLNamedType | None) -> Weight:
        weight = Weight()
        for part in node.selections if node else ():
            if isinstance(part, FieldNode):
                weight = weight.plus(self._field(part, of))
            elif isinstance(part, FragmentSpreadNode):
                weight = weight.plus(self._fragment(part.name.value))
            elif isinstance(part, InlineFragmentNode):
                condition = part.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else of
                weight = weight.plus(self._selection(part.selection_set, inner))
        return weight

    def _fragment(self, name: str) -> Weight:
        if name not in self._weights:
            self._weights[name] = Weight()  # a fragment that spreads itself ends here; validation refuses it
            if node := self._fragments.get(name):
                of = self._schema.get_type(node.type_condition.name.value)
                self._weights[name] = self._selection(node.selection_set, of)
        return self._weights[name]

    def _field(self, node: FieldNode, of: GraphQLNamedType | None) -> Weight:
        field = _definition(self._schema, of, node.name.value)
        inner = self._selection(node.selection_set, get_named_type(field.type) if field else None)
        cost = 1 + _database_cost(node, field) + inner.cost(self._size(node, field))
        many = field is not None and is_list_type(get_nullable_type(field.type))
        return Weight(
            depth=1 + inner.depth,
            aliases=(node.alias is not None) + inner.aliases,
            roots=1,
            flat=0 if many else cost,
            listed=cost if many else 0,
        )

    def _size(self, node: FieldNode, field: GraphQLField | None) -> int:
        """Return the largest number of items of a page of the field."""
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                if isinstance(value, IntValueNode):
                    return max(1, int(value.value))
                size = self._variables.get(value.name.value) if isinstance(value, VariableNode) else None
                if isinstance(size, int):
                    return max(1, size)
        first = field.args.get("first") if field else None
        return first.default_value if first is not None and isinstance(first.default_value, int) else LIST_SIZE


def _database_cost(node: FieldNode, field: GraphQLField | None) -> int:
    """Return the cost of the rows that the database reads for the field."""
    cost = COUNTING.get(node.name.value, 0)
    filter_ = next((one.value for one in node.arguments or () if one.name.value == "filter"), None)
    if isinstance(filter_, ObjectValueNode):
        names = {one.name.value for one in filter_.fields}
    elif isinstance(filter_, VariableNode) and field is not None and "filter" in field.args:
        names = set(getattr(get_named_type(field.args["filter"].type), "fields", ()))  # it may have any of them
    else:
        names = set()
    return cost + FILTER_COST * bool(names) + TEXT_COST * ("text" in names)


def _definition(schema: GraphQLSchema, of: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if of is schema.query_type and name in ("__schema", "__type"):
        return schema.get_field(schema.query_type, name) if schema.query_type else None
    if is_object_type(of) or is_interface_type(of):
        field: GraphQLField | None = of.fields.get(name)
        return field
    return None


def definitions_of(document: DocumentNode, kind: type[Any]) -> Iterator[Any]:
    """Return the document's definitions of a kind."""
    return (node for node in document.definitions if isinstance(node, kind))


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """Return the document's fragments by name."""
    return {node.name.value: node for node in definitions_of(document, FragmentDefinitionNode)}


def operations_of(document: DocumentNode, name: str | None) -> list[OperationDefinitionNode]:
    """Return the operations of this name; without a name all of them."""
    nodes = definitions_of(document, OperationDefinitionNode)
    return [node for node in nodes if name in (None, node.name and node.name.value)]


def parse_document(text: str, tokens_max: int) -> DocumentNode:
    """Parse a document, or return it from the cache: clients send few different documents.

    Raises GraphQLSyntaxError, and LimitExceeded for a document that is too long or too deeply nested.
    """
    return (_kept if len(text) <= KEPT_CHARACTERS_MAX else _parse)(text, tokens_max)


def _parse(text: str, tokens_max: int) -> DocumentNode:
    lexer, nesting, tokens = Lexer(Source(text)), 0, 0
    while (token := lexer.advance()).kind is not TokenKind.EOF:
        tokens += 1
        nesting += (token.kind in OPENING) - (token.kind in CLOSING)
        if tokens > tokens_max:
            raise LimitExceeded("tokens", tokens_max, tokens)
        if nesting > NESTING_MAX:
            raise LimitExceeded("nesting", NESTING_MAX, nesting)
    return without_invalid_literals(parse(text), text)


_kept = lru_cache(maxsize=KEPT)(_parse)
