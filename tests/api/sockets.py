"""Sockets in memory that the hub writes to."""

import asyncio
import random
import re


class Willing:
    """A socket that always has room; it keeps the frames."""

    def __init__(self) -> None:
        self.text = b""

    def deliver(self, frames: bytes) -> bool:
        self.text += frames
        return True

    async def push(self, frames: bytes) -> None:
        self.text += frames

    @property
    def positions(self) -> list[int]:
        return [int(found) for found in re.findall(rb'"position":(\d+)', self.text)]


class Flaky(Willing):
    """A socket that has room at random."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.refused = 0

    def deliver(self, frames: bytes) -> bool:
        if not self.refused or self.chance.random() < 0.3:  # the first time at any rate
            self.refused += 1
            return False
        return super().deliver(frames)

    async def push(self, frames: bytes) -> None:
        while not self.deliver(frames):
            for _ in range(self.chance.randrange(20)):
                await asyncio.sleep(0)
