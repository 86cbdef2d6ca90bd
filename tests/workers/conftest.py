"""Fixtures: one server of each broker, shared by all tests of this process."""

from collections.abc import Callable, Iterator

import pytest

from tests.workers.brokers import Kind, all_kinds


@pytest.fixture(scope="session")
def broker_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Kind]]:
    """`broker_of("redis")`: its server, running and empty; where it is not installed the test is skipped, saying so."""
    with all_kinds(tmp_path_factory.mktemp("brokers")) as give:
        yield give


@pytest.fixture
def kind(request: pytest.FixtureRequest, broker_of: Callable[[str], Kind]) -> Kind:
    """The broker that the test is parametrised with."""
    return broker_of(request.param)
