"""Arguments as the tables can hold them: text with a character that no column takes is refused wherever it stands.

PostgreSQL's text has neither NUL nor halves of surrogate pairs, which JSON can say. GraphQL's own scalars String and ID
cannot be replaced, so each field that takes them has its arguments checked before its resolver is called: the field is
refused, and its neighbours are answered. Scalars of ours check, or mark, what they take by themselves.
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
"""Takes the name of an argument or field and its value. Raises BadUserInput."""


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
    """The checks of those inputs that hold text, by their names."""
    found = {name: _check(one.type) for name, one in inputs.items()}
    return {name: check for name, check in found.items() if check is not None}


def _check(kind: Any) -> TextCheck | None:
    """The check of a type; None where no text can stand in it."""
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
        raise BadUserInput(f"{name} holds a character that is not text.")


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
