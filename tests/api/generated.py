"""Operations generated from the schema: each root field with its smallest input, or with a chosen value in one place,
and selections of every field below a type.
"""

from collections.abc import Iterator
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
    OperationType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from resolvers.main import schema
from schema.engine.readers import readers_of_field, readers_of_type
from schema.engine.strawberry_internals import graphql_schema
from services.principals import Role

GRAPHQL: GraphQLSchema = graphql_schema(schema)
SCALARS: dict[str, Any] = {
    "ID": "1", "String": "x", "Int": 1, "Boolean": True, "Decimal": "1", "DateTime": "2026-01-01T00:00:00Z",
    "QuoteList": [], "TextOrNumber": "x",
}  # fmt: skip
ENUMS = {"Role": "TRADER"}  # a token that a manager may make
Path = tuple[str | int, ...]
"""To a place in an operation's arguments."""


def roots() -> dict[str, list[str]]:
    """Return the names of the root fields by operation type."""
    kinds = {"query": GRAPHQL.query_type, "mutation": GRAPHQL.mutation_type, "subscription": GRAPHQL.subscription_type}
    return {kind: sorted(root.fields) for kind, root in kinds.items() if root}


def root_field(kind: str, name: str) -> GraphQLField:
    root = GRAPHQL.get_root_type(OperationType(kind))
    assert root
    field: GraphQLField = root.fields[name]
    return field


def operation(kind: str, name: str) -> tuple[str, dict[str, Any]]:
    """Return text and variables of an operation with one root field."""
    field = root_field(kind, name)
    required = {arg: one for arg, one in field.args.items() if isinstance(one.type, GraphQLNonNull)}
    declared = ", ".join(f"${arg}: {one.type}" for arg, one in required.items())
    passed = ", ".join(f"{arg}: ${arg}" for arg in required)
    selection = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
    text = f"{kind} {f'({declared})' if declared else ''} {{ {name}{f'({passed})' if passed else ''} {selection} }}"
    return text, {arg: least(one.type) for arg, one in required.items()}


def least(kind: Any) -> Any:
    """Return the smallest value of an input type."""
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


def bare(kind: Any) -> Any:
    """Return the type without its non-null wrapper."""
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def leaves(kind: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path of every scalar in an input type, and the scalar's name."""
    kind = bare(kind)
    if isinstance(kind, GraphQLInputObjectType):
        for name, field in kind.fields.items():
            yield from leaves(field.type, (*path, name))
    elif isinstance(kind, GraphQLList):
        yield from leaves(kind.of_type, (*path, 0))
    elif not isinstance(kind, GraphQLEnumType):
        yield path, kind.name


def planted(kind: Any, base: Any, path: Path, given: Any) -> Any:
    """Return the smallest value of an input type with this value at the path."""
    if not path:
        return given
    kind = bare(kind)
    if isinstance(kind, GraphQLList):
        return [planted(kind.of_type, base[0] if base else least(kind.of_type), path[1:], given)]
    base = dict(least(kind) if base is None else base)
    base[path[0]] = planted(kind.fields[path[0]].type, base.get(path[0]), path[1:], given)
    return base


def everything(kind: Any, depth: int, role: Role | None = None) -> str:
    """The selection of all that is below a field of this type, through so many objects; pages by their nodes.

    With a role, of all that it may read.
    """
    named = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    assert isinstance(named, GraphQLObjectType)
    parts = ["__typename"]
    for name, field in named.fields.items():
        of = get_named_type(field.type)
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        if role and not may_read(role, named, name):
            continue
        if is_leaf_type(of):
            parts.append(name)
        elif name == "nodes" or (depth and name not in ("edges", "pageInfo")):
            parts.append(f"{name} {everything(of, depth - (name != 'nodes'), role)}")
    return "{ " + " ".join(parts) + " }"


def may_read(role: Role, kind: GraphQLObjectType, name: str) -> bool:
    """Return whether the role may read a field of the type and the type of its value."""
    leads_to = get_named_type(kind.fields[name].type)
    return role in readers_of_field(kind.name, name) and (
        is_leaf_type(leads_to) or role in readers_of_type(leads_to.name)
    )


def described() -> list[tuple[str, str | None]]:
    """Yield every element of the schema with its description, except introspection."""
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
