"""Work on many things, divided: the event loop gets a turn between any two."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


async def in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items, and let others use the event loop between them."""
    is_first = True
    for item in items:
        if not is_first:
            await asyncio.sleep(0)
        is_first = False
        yield item
