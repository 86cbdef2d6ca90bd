"""Fields that are computed when asked for."""

from collections.abc import Callable
from typing import TypeVar, cast

import strawberry

Method = TypeVar("Method", bound=Callable[..., object])


def computed(description: str) -> Callable[[Method], Method]:
    """A field answered by the method below it."""
    return cast("Callable[[Method], Method]", strawberry.field(description=description))
