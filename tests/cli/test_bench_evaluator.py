"""`propdesk bench evaluator` as a process, on a desk so small that its figures mean nothing."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import propdesk


@pytest.mark.campaign
def test_a_tiny_bench_of_the_evaluator_prints_and_writes_every_figure(tmp_path: Path) -> None:
    path = tmp_path / "evaluator.json"
    sizes = ("--accounts", "100", "--symbols", "10", "--screened", "1000", "--rounds", "1", "--growth", "100,200")
    done = propdesk("bench", "evaluator", *sizes, "--json", str(path), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    told = json.loads(path.read_text())
    assert all(figure["name"] in done.stdout for figure in told["figures"])
    assert [(f["target"], f["at_most"]) for f in told["figures"]] == [
        (4, True), (1.5, True), (1.5, True), (0.2, True), (1, True), (4, True), (2, True), (0.98, False), (1, False),
        (1.5, True),
    ]  # fmt: skip
    by_name = {figure["name"]: figure for figure in told["figures"]}
    assert by_name["breaches written"]["met"] and by_name["batches marked while they were written"]["met"]
    assert all(figure["ratio"] > 0 for figure in told["figures"])
    assert told["full pass, seconds"].keys() == {"nothing due", "everything due"}
