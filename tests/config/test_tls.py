"""TLS towards PostgreSQL, with a real server and certificates: each sslmode, for asyncpg and for psycopg."""

import asyncio
import datetime as dt
import ipaddress
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.address import libpq_parameters
from config.database import close_database, connection, migrate, open_database, pool
from config.errors import Problem
from tests.cluster.postgres import Cluster, Server

RULES = """
hostssl   all certified all cert
hostssl   all only_tls all trust
hostnossl all only_tls all reject
hostssl   all only_plain all reject
hostnossl all only_plain all trust
"""
ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test's own."""

    name: str
    folder: Path
    key: ec.EllipticCurvePrivateKey
    file: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> "Authority":
        authority = cls(name, folder, ec.generate_private_key(ec.SECP256R1()), folder / f"{name}.crt")
        certificate = _certificate(name, name, authority.key, authority.key, None)
        authority.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return authority

    def issue(self, file: str, name: str, *hosts: str) -> tuple[Path, Path]:
        """A certificate of `name` for the hosts, and its private key."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
        ]
        certificate = _certificate(
            name, self.name, key, self.key, x509.SubjectAlternativeName(alternatives or [x509.DNSName(name)])
        )
        paths = self.folder / f"{file}.crt", self.folder / f"{file}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        paths[1].chmod(0o600)
        return paths


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    alternatives: x509.SubjectAlternativeName | None,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=alternatives is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if alternatives is None:
        usage = {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
        none = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = builder.add_extension(x509.KeyUsage(**usage, **none), critical=True)
    else:
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(signer, hashes.SHA256())


@dataclass(frozen=True)
class Secured:
    """A server that speaks TLS, and files for those who talk to it."""

    server: Server
    authority: Path
    other_authority: Path
    client: tuple[Path, Path]

    def url(self, options: str, user: str = "postgres", host: str = "localhost") -> str:
        named = {"CA": self.authority, "OTHER": self.other_authority, "CERT": self.client[0], "KEY": self.client[1]}
        for word, path in named.items():
            options = options.replace(word, str(path))
        return f"postgresql://{user}@{host}:{self.server.port}/propdesk?{options}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    files = tmp_path_factory.mktemp("tls")
    authority, other = Authority.make(files, "authority"), Authority.make(files, "other")
    certificate, key = authority.issue("server", "localhost", "localhost")
    client = authority.issue("client", "certified")
    with Cluster(settings={"ssl_ca_file": "authority.crt"}) as cluster:
        server = cluster.add("server0")
        server.create()
        for source, name in ((certificate, "server.crt"), (key, "server.key"), (authority.file, "authority.crt")):
            shutil.copy(source, server.data / name)
            if server.programs.user:
                shutil.chown(server.data / name, server.programs.user, server.programs.user)
        rules = server.data / "pg_hba.conf"
        rules.write_text(RULES + rules.read_text())
        server.start()
        _switch(server, "on")
        server.query("create database propdesk")
        for role in ("certified", "only_tls", "only_plain"):
            server.query(f"create role {role} login")
        yield Secured(server, authority.file, other.file, client)


@pytest.fixture(autouse=True)
def no_files_of_a_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(autouse=True)
async def every_connection_has_ended() -> AsyncIterator[None]:
    """Wait for refused connections: over TLS both sides say goodbye, and the test's loop would end before."""
    yield
    transports = asyncio.get_running_loop()._transports  # type: ignore[attr-defined] # noqa: SLF001
    async with asyncio.timeout(10):
        while any(transport._sock is not None for transport in list(transports.values())):  # noqa: SLF001
            await asyncio.sleep(0.01)


def _by_psycopg(url: str) -> bool:
    with psycopg.connect("", **libpq_parameters(url)) as conn:
        row = conn.execute(ENCRYPTED).fetchone()
        assert row
        return bool(row[0])


@pytest.mark.parametrize(
    ("options", "user", "host", "encrypted"),
    [
        ("", "postgres", "localhost", True),
        ("sslmode=disable", "postgres", "localhost", False),
        ("sslmode=disable", "only_plain", "localhost", False),
        ("sslmode=allow", "postgres", "localhost", False),
        ("sslmode=allow", "only_tls", "localhost", True),
        ("sslmode=prefer", "postgres", "localhost", True),
        ("sslmode=prefer", "only_plain", "localhost", False),
        ("sslmode=require", "only_tls", "127.0.0.1", True),
        ("sslmode=require&sslrootcert=CA", "only_tls", "127.0.0.1", True),
        ("sslmode=verify-ca&sslrootcert=CA", "postgres", "127.0.0.1", True),
        ("sslmode=verify-full&sslrootcert=CA", "postgres", "localhost", True),
        ("sslmode=verify-full&sslrootcert=CA&ssl_min_protocol_version=TLSv1.3", "postgres", "localhost", True),
        ("sslmode=require&sslcert=CERT&sslkey=KEY", "certified", "localhost", True),
        ("sslmode=verify-full&sslrootcert=CA&sslcert=CERT&sslkey=KEY", "certified", "localhost", True),
    ],
)
async def test_each_mode_encrypts_as_it_says_with_both_drivers(
    secured: Secured, options: str, user: str, host: str, encrypted: bool
) -> None:
    url = secured.url(options, user, host)
    async with connection(url) as conn:
        assert await conn.fetchval(ENCRYPTED) is encrypted
    assert _by_psycopg(url) is encrypted


@pytest.mark.parametrize(
    ("options", "user", "host", "words"),
    [
        ("sslmode=disable", "only_tls", "localhost", "reject"),
        ("sslmode=require", "only_plain", "localhost", "reject"),
        ("sslmode=require&sslrootcert=OTHER", "postgres", "localhost", "certificate"),
        ("sslmode=verify-ca&sslrootcert=OTHER", "postgres", "localhost", "certificate"),
        ("sslmode=verify-full&sslrootcert=OTHER", "postgres", "localhost", "certificate"),
        ("sslmode=verify-full&sslrootcert=CA", "postgres", "127.0.0.1", "127.0.0.1"),
        ("sslmode=verify-full&sslrootcert=system", "postgres", "localhost", "certificate"),
        ("sslmode=verify-full", "postgres", "localhost", "sslrootcert"),
        ("sslmode=require", "certified", "localhost", "certificate"),
    ],
)
async def test_what_a_mode_does_not_accept_is_one_line(
    secured: Secured, options: str, user: str, host: str, words: str
) -> None:
    url = secured.url(options, user, host)
    with pytest.raises(Problem) as refused:
        async with connection(url):
            pass
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises((psycopg.OperationalError, Problem)):
        _by_psycopg(url)


async def test_a_server_without_tls_is_named_where_tls_is_required(secured: Secured) -> None:
    _switch(secured.server, "off")
    try:
        with pytest.raises(Problem, match="rejected SSL upgrade") as refused:
            async with connection(secured.url("sslmode=require")):
                pass
        assert "\n" not in str(refused.value)
        async with connection(secured.url("sslmode=prefer")) as conn:
            assert await conn.fetchval(ENCRYPTED) is False
    finally:
        _switch(secured.server, "on")


async def test_the_desk_migrates_and_works_over_tls(secured: Secured) -> None:
    url = secured.url("sslmode=verify-full&sslrootcert=CA&application_name=fx")
    await migrate(url)
    await open_database(url, pool_size=2, name="test")
    try:
        assert await pool().fetchval("select current_user") == "propdesk_app"
        sessions = "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'fx-test'"
        assert secured.server.query(sessions) == [(True,)]
    finally:
        await close_database()


def _switch(server: Server, value: str) -> None:
    """Turn TLS on or off, and wait until new sessions have it so."""
    server.set("ssl", value)
    while server.value("show ssl") != value:
        pass
