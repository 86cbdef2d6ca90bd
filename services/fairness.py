"""Long loops that let the event loop run other tasks between their items."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


async def in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items, with a turn of the event loop between them."""
    is_first = True
    for item in items:
        if not is_first:
            await asyncio.sleep(0)
        is_first = False
        yield item
