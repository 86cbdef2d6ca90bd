"""Fields that are computed when asked for."""

from collections.abc import Callable
from typing import TypeVar, cast

import strawberry

from schema.engine.relations import LINK, Link

Method = TypeVar("Method", bound=Callable[..., object])


def computed(description: str, link: Link | None = None) -> Callable[[Method], Method]:
    """A field answered by the method below it; with a link, for many objects at once."""
    metadata = {LINK: link} if link else None
    return cast("Callable[[Method], Method]", strawberry.field(description=description, metadata=metadata))
