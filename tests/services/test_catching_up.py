"""Accounts end with the same books whether they are marked in columns or folded under locks, often or late."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from config.database import close_database, create_database, drop_database, open_database
from config.settings import settings
from services import marking, retention
from services.columnar.passes import Marker
from services.unit_of_work.openings import transaction
from tests.conftest import TEMPLATE
from tests.services.journeys import ENDING, NEVER_ENDING, a_journey, begin, left, play
from tests.services.world import books_hold

ACCOUNTS, STEPS = 6, 60
Look = Callable[[], Awaitable[Any]]


async def nobody() -> None:
    """Only who acts on an account brings it up to date; at the end everybody's is."""


def a_restarted_marker() -> Look:
    """It looks now and then, now and then it is a new one, and every quote that may be forgotten is."""
    chance, marker = random.Random(5), [Marker(0)]

    async def look() -> None:
        if chance.random() < 0.2:
            marker[0] = Marker(0)
        if chance.random() < 0.6:
            await marker[0].drain()
        async with transaction() as work:
            await work.conn.execute("update batches set recorded_at = now() - interval '2 days'")
        await retention.delete_old_rows()

    return look


def a_marker_away_for_days() -> Look:
    """It comes back shortly before the end."""
    seen, marker = [0], Marker(0)

    async def look() -> None:
        seen[0] += 1
        if not 10 < seen[0] < STEPS - 3:
            await marker.drain()

    return look


def two_markers() -> Look:
    both = Marker(0), Marker(0)

    async def look() -> None:
        await asyncio.gather(*(marker.drain() for marker in both))

    return look


LOOKS: dict[str, Callable[[], Look]] = {
    "a marker": lambda: Marker(0).drain,
    "a marker that is restarted": a_restarted_marker,
    "two markers at once": two_markers,
    "a marker away for days": a_marker_away_for_days,
}


TRIGGERED = {("LIMIT", "FILLED"), ("STOP", "FILLED"), ("STOP_LOSS", "FILLED"), ("TAKE_PROFIT", "FILLED"),
             ("STOP_LOSS", "CANCELLED")}  # fmt: skip


@pytest.fixture
def played(server: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    """What a journey leaves in a database of its own."""

    async def play_it(look: Look, *, ends: bool, seed: int) -> dict[str, Any]:
        name = f"journey_{random.getrandbits(64):x}"
        url = await create_database(server, name, template=TEMPLATE)
        await open_database(url, pool_size=10, name="test")
        try:
            world, challenges = await begin(url, ENDING if ends else NEVER_ENDING, ACCOUNTS)
            await play(world, challenges, a_journey(seed, steps=STEPS, accounts=ACCOUNTS), look)
            await books_hold()
            return await left()
        finally:
            await close_database()
            await drop_database(server, name)

    return play_it


async def test_it_does_not_matter_who_looks_nor_when(
    played: Callable[..., Awaitable[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor whether the quotes are kept that everybody has been marked through."""
    a_day = settings().replace(quotes_keep_days=1)
    monkeypatch.setattr(retention, "settings", lambda: a_day)
    expected = await played(nobody, ends=False, seed=9)
    assert {row["rule"] for row in expected["breaches"]} == {"MAX_DAILY_LOSS", "MAX_TOTAL_LOSS", "MAX_DAILY_PROFIT"}
    assert {row["number"] for row in expected["days"]} >= {1, 2, 3}
    assert {(row["type"], row["status"]) for row in expected["orders"]} >= TRIGGERED
    for name, look in LOOKS.items():
        assert await played(look(), ends=False, seed=9) == expected, name


async def test_phases_end_alike_in_columns_and_under_locks(played: Callable[..., Awaitable[dict[str, Any]]]) -> None:
    expected = await played(marking.mark_all, ends=True, seed=13)
    assert {row["end_reason"] for row in expected["phases"]} >= {"MAX_DAILY_LOSS", "MAX_TOTAL_LOSS"}
    for name in ("a marker", "two markers at once"):
        assert await played(LOOKS[name](), ends=True, seed=13) == expected, name
