"""`propdesk bench scale` as a process, on a desk so small that its figures mean nothing."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import propdesk


@pytest.mark.campaign
def test_a_tiny_bench_of_scale_prints_and_writes_every_figure(tmp_path: Path) -> None:
    path = tmp_path / "scale.json"
    sizes = (
        "--accounts",
        "200",
        "--symbols",
        "10",
        "--batches",
        "2",
        "--rounds",
        "1",
        "--answers",
        "5",
        "--messages",
        "10",
    )
    done = propdesk("bench", "scale", *sizes, "--json", str(path), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    told = json.loads(path.read_text())
    assert all(figure["name"] in done.stdout for figure in told["figures"])
    targets = [(f["target"], f["at_most"]) for f in told["figures"]]
    assert targets[:10] == [
        (1.15, True), (1.3, True), (1.15, True), (1.3, True), (0, True), (0, True), (0, True), (3, True), (15, True),
        (1.8, False),
    ]  # fmt: skip
    assert set(targets[10:]) == {(10, True)}, "of PostgreSQL's broker, and of each other that is installed"
    runs = told["marked by workers"]
    assert runs.keys() == {"1", "2", "4"}
    assert all(run["processor_seconds"] > 0 and run["mebibytes"] > 10 for run in runs.values())
    assert all(len(run["behind"]) == 1 for run in runs.values()), "looked at when the second came"
