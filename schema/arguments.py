"""Arguments shared by many root fields."""

from typing import Annotated, TypeVar

import strawberry
from strawberry import ID

from schema.engine.errors import Missing
from schema.engine.ids import parse_id, parse_ledger_id

InputT = TypeVar("InputT")

Input = Annotated[InputT, strawberry.argument(name="input", description="Input of the mutation or query.")]
Filter = Annotated[
    InputT | None,
    strawberry.argument(
        name="filter", description="Filter for the list. A field that is left out does not restrict it."
    ),
]
Id = Annotated[ID, strawberry.argument(name="id", description="Id of the object.")]


def required(text: ID, field: str) -> int:
    """Return the number of an id in a mutation's input. Raise Missing for text that is not an id."""
    number = parse_id(text)
    if number is None:
        raise Missing(f"{field} {text[:64]!r} is not the id of an object; use an id returned by the API.")
    return number


def required_name(text: ID, field: str) -> tuple[int, int]:
    """Return account number and ledger number of an id such as `12-7`. Raise Missing for any other text."""
    name = parse_ledger_id(text)
    if name is None:
        raise Missing(f"{field} {text[:64]!r} is not the id of an object; use an id returned by the API.")
    return name
