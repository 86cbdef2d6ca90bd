"""Operations made from the schema itself: one for each root field, with the least input it takes."""

from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)

from resolvers.main import schema

GRAPHQL: GraphQLSchema = schema._schema  # noqa: SLF001 - Strawberry has no public name for it
SCALARS: dict[str, Any] = {
    "ID": "1", "String": "x", "Int": 1, "Boolean": True, "Decimal": "1", "DateTime": "2026-01-01T00:00:00Z",
    "QuoteList": [],
}  # fmt: skip
ENUMS = {"Role": "TRADER"}  # a token that a manager may make


def roots() -> dict[str, list[str]]:
    """The names of the root fields by the kind of operation."""
    kinds = {"query": GRAPHQL.query_type, "mutation": GRAPHQL.mutation_type, "subscription": GRAPHQL.subscription_type}
    return {kind: sorted(root.fields) for kind, root in kinds.items() if root}


def operation(kind: str, name: str) -> tuple[str, dict[str, Any]]:
    """The text and variables of an operation that asks for one root field."""
    root = {"query": GRAPHQL.query_type, "mutation": GRAPHQL.mutation_type, "subscription": GRAPHQL.subscription_type}
    parent = root[kind]
    assert parent
    field: GraphQLField = parent.fields[name]
    required = {arg: one for arg, one in field.args.items() if isinstance(one.type, GraphQLNonNull)}
    declared = ", ".join(f"${arg}: {one.type}" for arg, one in required.items())
    passed = ", ".join(f"{arg}: ${arg}" for arg in required)
    selection = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
    text = f"{kind} {f'({declared})' if declared else ''} {{ {name}{f'({passed})' if passed else ''} {selection} }}"
    return text, {arg: least(one.type) for arg, one in required.items()}


def least(kind: Any) -> Any:
    """The smallest value of an input type."""
    if isinstance(kind, GraphQLNonNull):
        return least(kind.of_type)
    if isinstance(kind, GraphQLList):
        return [least(kind.of_type)]
    if isinstance(kind, GraphQLInputObjectType):
        fields: dict[str, GraphQLInputField] = kind.fields
        return {name: least(one.type) for name, one in fields.items() if isinstance(one.type, GraphQLNonNull)}
    if isinstance(kind, GraphQLEnumType):
        return ENUMS.get(kind.name) or next(iter(kind.values))
    return SCALARS[kind.name]


def described() -> list[tuple[str, str | None]]:
    """Everything of ours that a client can see, with its description."""
    seen: list[tuple[str, str | None]] = []
    for name, kind in GRAPHQL.type_map.items():
        if name.startswith("__"):
            continue
        seen.append((name, kind.description))
        if isinstance(kind, GraphQLEnumType):
            seen += [(f"{name}.{value}", one.description) for value, one in kind.values.items()]
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType):
            seen += [(f"{name}.{field}", one.description) for field, one in kind.fields.items()]
        if isinstance(kind, GraphQLObjectType):
            args: dict[str, GraphQLArgument] = {
                f"{name}.{field}({arg})": argument
                for field, one in kind.fields.items()
                for arg, argument in one.args.items()
            }
            seen += [(path, argument.description) for path, argument in args.items()]
    return seen
