"""The check of arguments for text that PostgreSQL cannot store: NUL and lone surrogates, which JSON allows.

GraphQL's own scalars String and ID cannot be replaced, so the arguments of each field that takes them are checked
before its resolver runs: that field is refused, and the other fields are answered. The desk's own scalars check their
values themselves.
"""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
)

from domain.validation import is_storable
from schema.engine.errors import BadUserInput

TextCheck = Callable[[str, Any], None]
"""Takes the name and the value of an argument or field. Raises BadUserInput."""


def check_text_arguments(schema: GraphQLSchema) -> None:
    """Check the arguments of every field of the schema."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field in kind.fields.values():
                if checks := _checks(field.args):
                    _guard(field, checks)


def _guard(field: GraphQLField, checks: Mapping[str, TextCheck]) -> None:
    for name in ("resolve", "subscribe"):
        if resolve := getattr(field, name):
            setattr(field, name, _checked(resolve, checks))


def _checked(resolve: Callable[..., Any], checks: Mapping[str, TextCheck]) -> Callable[..., Any]:
    def checked(source: Any, info: Any, **arguments: Any) -> Any:
        for name, check in checks.items():
            if arguments.get(name) is not None:
                check(name, arguments[name])
        return resolve(source, info, **arguments)

    return checked


def _checks(inputs: Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField]) -> dict[str, TextCheck]:
    """Return by name the checks of the inputs that hold text."""
    checks = {name: _check(one.type) for name, one in inputs.items()}
    return {name: check for name, check in checks.items() if check is not None}


def _check(kind: Any) -> TextCheck | None:
    """Return the check of a type; None for a type without text."""
    if isinstance(kind, GraphQLNonNull):
        return _check(kind.of_type)
    if isinstance(kind, GraphQLList):
        item = _check(kind.of_type)
        return item and _of_each(item)
    if isinstance(kind, GraphQLInputObjectType):
        checks = _checks(kind.fields)
        return _of_fields(checks) if checks else None
    return _text if kind in (GraphQLString, GraphQLID) else None


def _text(name: str, text: str) -> None:
    if not is_storable(text):
        raise BadUserInput(f"{name} contains NUL or a lone surrogate, which cannot be stored; remove it.")


def _of_each(check: TextCheck) -> TextCheck:
    def checked(name: str, items: list[Any]) -> None:
        for item in items:
            if item is not None:
                check(name, item)

    return checked


def _of_fields(checks: Mapping[str, TextCheck]) -> TextCheck:
    def checked(_name: str, fields: Mapping[str, Any]) -> None:
        for name, check in checks.items():
            if fields.get(name) is not None:
                check(name, fields[name])

    return checked
