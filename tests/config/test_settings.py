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
    ("PROPDESK_ALLOWED_ORIGINS", "office.example"),
    ("PROPDESK_ALLOWED_ORIGINS", "https://office.example/"),
    ("PROPDESK_TRUSTED_PROXIES", "proxy.example"),
    ("PROPDESK_TRUSTED_PROXIES", "10.0.0.1/8"),
    ("PROPDESK_TRUSTED_PROXIES", "*"),
    ("PROPDESK_BOOTSTRAP_SECRET", "0123456789abcdef0123456789abcde"),
    ("PROPDESK_JWT_SECRET", "0123456789abcdef0123456789abcde"),
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


GUESSABLE = ["change-me-change-me-change-me-0123456789", "a" * 64, "my-company-SECRET-0123456789-abcdefgh"]


@pytest.mark.parametrize("variable", ["PROPDESK_JWT_SECRET", "PROPDESK_BOOTSTRAP_SECRET"])
def test_production_refuses_a_secret_that_can_be_guessed_and_repeats_none(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROPDESK_JWT_AUDIENCE", "desk")
    for secret in GUESSABLE:
        monkeypatch.setenv(variable, secret)
        assert load_settings()
        monkeypatch.setenv("PROPDESK_ENVIRONMENT", "production")
        with pytest.raises(Problem, match=variable) as refused:
            load_settings()
        assert secret not in str(refused.value)
        assert "\n" not in str(refused.value)
        monkeypatch.setenv("PROPDESK_ENVIRONMENT", "development")
    monkeypatch.setenv("PROPDESK_ENVIRONMENT", "production")
    monkeypatch.setenv(variable, "vq3Xo1nT8mZr5LkD0yBf7JhWc2PsGe9u")
    assert load_settings()


def test_foreign_pages_are_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_ALLOWED_ORIGINS", "https://office.example, http://localhost:5173,")
    assert load_settings().allowed_origins == ("https://office.example", "http://localhost:5173")


@pytest.mark.parametrize("source", ["PROPDESK_JWT_SECRET", "PROPDESK_JWT_JWKS_URL"])
def test_production_refuses_jwts_without_an_audience(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(source, "https://keys.acme.com/0123456789/jwks.json")
    load_settings()
    monkeypatch.setenv("PROPDESK_ENVIRONMENT", "production")
    with pytest.raises(Problem, match="PROPDESK_JWT_AUDIENCE: production"):
        load_settings()
    monkeypatch.setenv("PROPDESK_JWT_AUDIENCE", "desk")
    assert load_settings().jwt_audience == "desk"
