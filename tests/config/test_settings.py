"""What the environment may say."""

from pathlib import Path

import pytest

from config.errors import Problem
from config.settings import load_settings

REFUSED = [
    ("PROPDESK_PORT", "eighty"),
    ("PROPDESK_PORT", "70000"),
    ("PROPDESK_ENVIRONMENT", "staging"),
    ("PROPDESK_SAMPLE_DATA", "perhaps"),
    ("PROPDESK_POOL_SIZE", "0"),
    ("PROPDESK_MARK_LEDGER_MINUTES", "0"),
    ("PROPDESK_LOG_LEVEL", "LOUD"),
]


@pytest.mark.parametrize(("variable", "value"), REFUSED)
def test_a_value_that_cannot_be_used_is_refused_by_its_variable_name_in_one_line(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Problem, match=variable) as refused:
        load_settings()
    assert "\n" not in str(refused.value)


def test_an_empty_address_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert load_settings().database_url is None


def test_sample_data_is_for_development_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().sample_data
    monkeypatch.setenv("PROPDESK_ENVIRONMENT", "production")
    assert not load_settings().sample_data
    monkeypatch.setenv("PROPDESK_SAMPLE_DATA", "true")
    assert load_settings().sample_data


def test_the_data_of_root_is_kept_outside_the_home_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert load_settings().data_dir == Path("/var/lib/propdesk")
