"""`propdesk bench api` as a process, with so few subscribers that its figures mean nothing."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import propdesk


@pytest.mark.campaign
def test_a_tiny_bench_of_the_api_prints_and_writes_every_figure(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    sizes = ("--subscribers", "20", "--events", "10", "--connections", "20", "--rounds", "1", "--answers", "2",
             "--heavy", "3")  # fmt: skip
    done = propdesk("bench", "api", *sizes, "--json", str(path), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    told = json.loads(path.read_text())
    assert all(figure["name"] in done.stdout for figure in told["figures"])
    targets = [(f["target"], f["at_most"]) for f in told["figures"]]
    assert targets == [
        (0.4, False),
        (10, False),
        (3, True),
        (40, True),
        (8, False),
        (3, True),
        (0.4, False),
        (0.4, False),
        (3.3, True),
        (3.3, True),
        (2, True),
        (2, True),
        (2, True),
    ]
    assert all(figure["ratio"] > 0 for figure in told["figures"])
    assert told["size"] == {"subscribers": 20, "events": 10, "connections": 20, "rounds": 1, "answers": 2, "heavy": 3}
