"""Ticks: versions of accounts and challenges, of which only the newest counts."""

from collections import defaultdict
from collections.abc import Collection
from typing import Literal

from models.views import ticks as rows
from models.views.ticks import TICKS
from services.unit_of_work.reads import read_connection

__all__ = ["TICKS", "Watched", "tick_versions"]

Watched = tuple[Literal["account", "challenge"], int]
"""An account or a challenge, by its number."""


async def tick_versions(watched: Collection[Watched]) -> dict[Watched, str]:
    """Return a text for each that exists, which changes with each change of it: at most one statement per kind."""
    ids: defaultdict[Literal["account", "challenge"], list[int]] = defaultdict(list)
    for kind, key in watched:
        ids[kind].append(key)
    found: dict[Watched, str] = {}
    async with read_connection() as conn:
        for kind, keys in ids.items():
            found |= {(kind, key): version for key, version in (await rows.row_versions(conn, kind, keys)).items()}
    return found
