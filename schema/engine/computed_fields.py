"""Fields with a method: the value is computed when the field is selected."""

from collections.abc import Callable
from typing import TypeVar, cast

import strawberry

from schema.engine.relations import LINK, RowLink

Method = TypeVar("Method", bound=Callable[..., object])


def computed(description: str, link: RowLink | None = None) -> Callable[[Method], Method]:
    """Declare the method below as a field. With a link, lists read the linked rows of all objects at once."""
    metadata = {LINK: link} if link else None
    return cast("Callable[[Method], Method]", strawberry.field(description=description, metadata=metadata))
