"""Addresses of databases, as libpq and asyncpg each want them."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from config.address import asyncpg_parameters, libpq_parameters, parse, sibling, spoken
from config.errors import Problem

SOCKET = "postgresql://postgres@/propdesk?host=/var/lib/propdesk/postgres"
SECRETS = ("s3cret", "s3", "cret")


@pytest.fixture(autouse=True)
def nothing_of_libpq_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def _asyncpg(url: str) -> dict[str, Any]:
    address = parse(url)
    return asyncpg_parameters(address, address.hosts[0])


def test_a_socket_directory_in_the_query_is_the_host() -> None:
    libpq = libpq_parameters(SOCKET)
    assert (libpq["user"], libpq["dbname"], libpq["host"]) == ("postgres", "propdesk", "/var/lib/propdesk/postgres")
    assert _asyncpg(SOCKET)["database"] == "propdesk"


def test_a_password_is_decoded_once_and_never_spoken() -> None:
    url = "postgresql://me:a%25b%40c@db:6432/desk?sslmode=require"
    assert _asyncpg(url)["password"] == libpq_parameters(url)["password"] == "a%b@c"
    assert "sslmode=require" in _asyncpg(url)["dsn"]
    assert spoken(url) == "db:6432/desk"
    assert "a%b@c" not in repr(parse(url)) + str(parse(url))


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://a:5432,b:5433/desk", "a:5432,b:5433"),
        ("postgres://me@a,b:6000/desk", "a:5432,b:6000"),
        ("postgresql:///desk?host=a,b", "a:5432,b:5432"),
        ("postgresql:///desk?host=a,b&port=1,2", "a:1,b:2"),
        ("postgresql:///desk?host=a,b&port=6432", "a:6432,b:6432"),
        ("postgresql://[::1]:6432,[fe80::1%25eth0]/desk", "[::1]:6432,[fe80::1%eth0]:5432"),
        ("postgresql://%2Fvar%2Frun,db/desk", "/var/run:5432,db:5432"),
    ],
)
def test_several_hosts_have_a_port_each_and_go_to_libpq_in_the_same_order(url: str, hosts: str) -> None:
    assert spoken(url) == f"{hosts}/desk"
    libpq = libpq_parameters(url)
    assert libpq["host"].split(",") == [host.name for host in parse(url).hosts]
    assert libpq["port"].split(",") == [str(host.port) for host in parse(url).hosts]


@pytest.mark.parametrize(
    ("url", "other"),
    [
        (SOCKET, SOCKET.replace("/propdesk?", "/other?")),
        ("postgresql://a:1,b:2/desk?sslmode=require", "postgresql://a:1,b:2/other?sslmode=require"),
        ("postgres://me:p%40w@db", "postgres://me:p%40w@db/other"),
        ("postgres://me:p?w#[@db/desk", "postgres://me:p?w#[@db/other"),
        ("postgresql:///?dbname=desk&host=/run/x", "postgresql:///other?host=/run/x"),
        ("postgresql://[::1]/desk?dbname=more", "postgresql://[::1]/other"),
    ],
)
def test_a_sibling_differs_by_its_database_alone(url: str, other: str) -> None:
    assert sibling(url, "other") == other
    assert parse(sibling(url, "other")).database == "other"


def test_what_the_url_leaves_open_comes_from_its_service_and_then_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "services.conf").write_text("[desk]\nhost=primary\nport=6432\nuser=of_service\npassword=s3%cret\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services.conf"))
    monkeypatch.setenv("PGUSER", "of_environment")
    monkeypatch.setenv("PGDATABASE", "desk")
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "read-write")
    address = parse("postgresql://?service=desk&port=7000")
    assert (str(address), address.user, address.target) == ("primary:7000/desk", "of_service", "read-write")
    assert address.options["password"] == "s3%cret"
    assert parse("postgresql://db").user == "of_environment"
    monkeypatch.setenv("PGSERVICE", "desk")
    assert str(parse("postgresql://")) == "primary:6432/desk"
    with pytest.raises(Problem, match="no service 'none'"):
        parse("postgresql://?service=none")


def test_options_become_settings_and_the_application_name_keeps_the_processes_apart() -> None:
    address = parse("postgresql://db/desk?options=-c%20work_mem%3D64MB%20--synchronous-commit%3Don&application_name=fx")
    assert address.settings == {"work_mem": "64MB", "synchronous_commit": "on"}
    assert parse(r"postgresql://db/desk?options=-c%20a.b%3Dx%5C%20y").settings == {"a.b": "x y"}
    assert address.application_name("api") == "fx-api"
    assert parse("postgresql://db/desk").application_name("api") == "propdesk-api"
    assert "options" not in libpq_parameters("postgresql://db/desk?options=-c%20work_mem%3D64MB"), "poolers refuse it"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://localhost", "unsupported scheme 'redis'"),
        ("postgresql+asyncpg://db/desk", "unsupported scheme"),
        ("desk", "no URL"),
        ("host=db password=s3cret", "no URL"),
        ("host=db password=s3cret://", "no URL"),
        ("postgresql://db/desk?colour=red", "option colour"),
        ("postgresql://me:s3/cret@db/desk", "percent-encode"),
        ("postgresql://me:s3%cret@db/desk", "percent-encode"),
        ("postgresql://me:s3@cret@db/desk", "percent-encode"),
        ("postgresql://me:5/s3cret@db/desk", "percent-encode"),
        ("postgresql://me:5/x?s3cret@db/desk", "percent-encode"),
        ("postgresql://me:5/x?cret=s3@db/desk", "percent-encode"),
        ("postgresql://me:s3 cret@db/desk", "percent-encode"),
        ("postgresql://[::1/desk", "percent-encode"),
        ("postgresql://db:0/desk", "port"),
        ("postgresql://db:65536/desk", "port"),
        ("postgresql:///desk?host=a,b&port=1,2,3", "2 hosts and 3 ports"),
        ("postgresql:///desk?host=@abstract", "abstract"),
        ("postgresql://db/desk?sslmode=verify_full", "sslmode='verify_full'"),
        ("postgresql://db/desk?target_session_attrs=master", "target_session_attrs='master'"),
        ("postgresql://db/desk?connect_timeout=soon", "connect_timeout='soon'"),
        ("postgresql://db/desk?hostaddr=10.0.0.1", "hostaddr"),
        ("postgresql://db/desk?channel_binding=require", "channel_binding"),
        ("postgresql://db/desk?gssencmode=require", "gssencmode"),
        ("postgresql://db/desk?require_auth=scram-sha-256", "require_auth"),
        ("postgresql://db/desk?client_encoding=latin1", "client_encoding"),
        ("postgresql://db/desk?ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version"),
        ("postgresql://db/desk?sslrootcert=system&sslmode=require", "verify-full"),
        ("postgresql://db/desk?sslnegotiation=direct", "sslnegotiation"),
        ("postgresql://db/desk?passfile=/nowhere", "passfile=/nowhere"),
    ],
)
def test_what_cannot_be_honoured_is_refused_in_one_line_without_a_password(url: str, words: str) -> None:
    with pytest.raises(Problem, match="DATABASE_URL") as refused:
        parse(url)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not any(secret in str(refused.value) for secret in SECRETS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-c%20role%3Dadmin", "role"),
        ("-c%20TimeZone%3DCET", "UTC"),
        ("--search_path%3Dmine", "search_path"),
        ("-S%204", "-c name=value"),
        ("-c", "-c name=value"),
    ],
)
def test_settings_on_which_the_desk_relies_are_not_for_options(options: str, words: str) -> None:
    with pytest.raises(Problem, match=re.escape(words)):
        _ = parse(f"postgresql://db/desk?options={options}").settings


def test_files_of_tls_that_are_missing_or_open_to_others_are_named(tmp_path: Path) -> None:
    def refused(query: str) -> str:
        with pytest.raises(Problem) as raised:
            libpq_parameters(f"postgresql://me:s3cret@db/desk?{query}")
        assert "s3cret" not in str(raised.value)
        return str(raised.value)

    key, certificate = tmp_path / "client.key", tmp_path / "client.crt"
    key.write_text("")
    certificate.write_text("")
    key.chmod(0o644)
    assert f"sslrootcert={tmp_path}/none" in refused(f"sslmode=verify-ca&sslrootcert={tmp_path}/none")
    assert "sslrootcert=system" in refused("sslmode=verify-full")
    assert "sslkey" in refused(f"sslcert={certificate}")
    assert "chmod 600" in refused(f"sslcert={certificate}&sslkey={key}")
    key.chmod(0o600)
    assert libpq_parameters(f"postgresql://db/desk?sslcert={certificate}&sslkey={key}")["sslcert"] == str(certificate)


def test_a_file_of_passwords_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text("*:*:*:*:s3cret\n")
    file.chmod(0o644)
    with pytest.raises(Problem, match="chmod 600"):
        parse(f"postgresql://db/desk?passfile={file}")
    file.chmod(0o600)
    assert _asyncpg(f"postgresql://db/desk?passfile={file}")["passfile"] == str(file)


def test_a_message_names_the_setting_that_has_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_DIRECT_URL", "postgresql://db/desk?colour=red")
    with pytest.raises(Problem, match=r"^DATABASE_DIRECT_URL"):
        parse("postgresql://db/desk?colour=red")
