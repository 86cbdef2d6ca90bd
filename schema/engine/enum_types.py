"""An enum of the domain as one of the API, every value with its description."""

from enum import Enum
from typing import Any, TypeVar

import strawberry

Kind = TypeVar("Kind", bound=type[Enum])


def describe_enum(kind: Kind, name: str, description: str, **values: str) -> Kind:
    """The enum under `name`; every member has its description."""
    strawberry.enum(kind, name=name, description=description)
    definition: Any = kind.__strawberry_definition__  # type: ignore[attr-defined] # the line above has put it there
    assert {value.name for value in definition.values} == set(values), f"each value of {name} is described"
    for value in definition.values:
        value.description = values[value.name]
    return kind
