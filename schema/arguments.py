"""Arguments that many root fields share."""

from typing import Annotated, TypeVar

import strawberry
from strawberry import ID

from schema.engine.errors import Missing
from schema.engine.ids import parse_id, parse_ledger_id

InputT = TypeVar("InputT")

Input = Annotated[InputT, strawberry.argument(name="input", description="What is asked for.")]
Filter = Annotated[
    InputT | None, strawberry.argument(name="filter", description="Which of them; what is left out does not narrow.")
]
Id = Annotated[ID, strawberry.argument(name="id", description="The object's id.")]


def required(text: ID, field: str) -> int:
    """The number of an id in a mutation's input. Raises Missing for text that is no object's."""
    number = parse_id(text)
    if number is None:
        raise Missing(f"There is no such object: {field} {text[:64]!r}.")
    return number


def required_name(text: ID, field: str) -> tuple[int, int]:
    """Account and seq of an `account-seq` in a mutation's input. Raises Missing for text that is no object's."""
    name = parse_ledger_id(text)
    if name is None:
        raise Missing(f"There is no such object: {field} {text[:64]!r}.")
    return name
