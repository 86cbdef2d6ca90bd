"""The restore drill alone, on a desk without faults."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.campaign import Run


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user reaches, as it does not reach pytest's."""
    with tempfile.TemporaryDirectory(prefix="propdesk-drill-") as name:
        place = Path(name)
        place.chmod(0o755)
        yield place


@pytest.mark.campaign
async def test_a_desk_is_restored_to_a_moment_by_the_commands_of_the_page(folder: Path) -> None:
    run = Run(seed=1, minutes=0.25, rate=10, folder=folder, has_faults=False)
    await run.play()
    assert run.findings == []
