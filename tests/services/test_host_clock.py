"""A process whose clock is not the database's says so, and judges ends by the database's."""

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import pytest

from domain.errors import InvalidInput
from services import host_clock, tokens
from services.principals import Principal, Role
from services.telemetry import REGISTRY

ADMIN = Principal(0, "root", Role.ADMIN)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def a_clock_that_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_clock, "_offset", timedelta(0))


@pytest.fixture
def hour_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's clock, an hour behind the database's."""

    class Behind(datetime):
        @classmethod
        def now(cls, zone: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time() - HOUR.total_seconds(), zone)

    monkeypatch.setattr(host_clock, "datetime", Behind)


async def _watch_until(caplog: pytest.LogCaptureFixture, many: int) -> list[str]:
    task = asyncio.create_task(host_clock.run_host_clock())
    async with asyncio.timeout(10):
        while len(caplog.records) < many and not host_clock._offset:  # noqa: SLF001
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return [record.getMessage() for record in caplog.records]


async def test_an_hour_is_one_line_and_a_metric(
    database: str, hour_behind: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "services.host_clock")
    monkeypatch.setattr(host_clock, "WATCH_SECONDS", 0.01)
    (line,) = await _watch_until(caplog, 1)
    assert "3600" in line
    assert "behind the database's" in line
    offset = REGISTRY.get_sample_value("propdesk_clock_offset_seconds")
    assert offset == pytest.approx(3600, abs=5)


async def test_ends_are_judged_by_the_databases_clock(database: str, hour_behind: None) -> None:
    assert await host_clock.measure_offset() == pytest.approx(3600, abs=5)
    assert abs(host_clock.database_time() - datetime.now(UTC)) < timedelta(seconds=5)
    half_an_hour_ago = datetime.now(UTC) - HOUR / 2  # ahead by this process's own clock
    with pytest.raises(InvalidInput):
        await tokens.create_for(ADMIN, role="ADMIN", name="late", expires_at=half_an_hour_ago)


async def test_a_clock_that_agrees_is_no_line(database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "services.host_clock")
    assert await _watch_until(caplog, 1) == []
    assert abs((await host_clock.measure_offset()) or 0) < 5
