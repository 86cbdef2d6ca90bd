"""The bench of the brokers, with so few messages that its figures mean nothing."""

import pytest

from tools.bench import brokers, harness


@pytest.mark.campaign
def test_a_tiny_bench_of_the_brokers_measures_each_that_is_installed() -> None:
    with harness.server() as server:
        figures = brokers.broker_figures(server, rounds=2, messages=20)
    assert "PostgreSQL" in figures[0].name
    assert len(figures) <= 3
    assert all(len(figure.ratios) == 2 and figure.ratio > 0 and figure.at_most for figure in figures)
