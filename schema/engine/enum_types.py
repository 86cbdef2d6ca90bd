"""Enums of the domain as enums of the API, with a description of every value."""

from enum import Enum
from typing import TypeVar

import strawberry

from schema.engine.strawberry_internals import class_definition

Kind = TypeVar("Kind", bound=type[Enum])


def describe_enum(kind: Kind, name: str, description: str, **values: str) -> Kind:
    """Register the enum in the schema under `name`, with a description of each member."""
    strawberry.enum(kind, name=name, description=description)
    definition = class_definition(kind)
    assert {value.name for value in definition.values} == set(values), f"each value of {name} is described"
    for value in definition.values:
        value.description = values[value.name]
    return kind
