"""Database addresses: one URL, as operators write it for libpq, in the shapes its readers want.

What a URL leaves out comes from its service (`service=`, pg_service.conf) and then from libpq's environment variables,
as in every program on libpq. An option that asyncpg cannot honour is refused by name; none is dropped silently.
Messages quote hosts, ports, database, user and harmless options of a URL, and no more.
"""

import configparser
import getpass
import os
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

from config.addressfiles import require_password_file, require_tls_files, system_certificates
from config.addressoptions import require_options, startup_settings
from config.errors import Problem

SCHEMES = ("postgresql", "postgres")
VARIABLES = ("DATABASE_URL", "DATABASE_DIRECT_URL", "OWNER_DATABASE_URL", "DATABASE_READ_URL", "BROKER_URL")
PORT = 5432
CONNECT_SECONDS = 10  # for each host, where connect_timeout says nothing
SOCKET_FOLDERS = ("/run/postgresql", "/var/run/postgresql", "/tmp")  # where a server on this machine listens

_URL = re.compile(r"(?P<start>[a-z]+://(?:[^@/]*@)?[^/?]*)(?P<path>/[^?]*)?(?P<query>\?.*)?", re.DOTALL)
_ENCODED = "if its password has one of : / ? # @ % [ ] or a space, percent-encode that"
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation")
_SECRETS = ("password", "passfile", "krbsrvname", "gsslib")
_TLS_VERSIONS = ("ssl_min_protocol_version", "ssl_max_protocol_version")


@dataclass(frozen=True, slots=True)
class Host:
    """One server of an address: a name, an IP address, or the folder of a socket; and its port."""

    name: str
    port: int

    @property
    def is_socket(self) -> bool:
        return self.name.startswith("/")

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """A database address: the URL with what its service file and the environment add."""

    variable: str  # the setting it stands in
    hosts: tuple[Host, ...]
    user: str
    database: str
    options: Mapping[str, str] = field(repr=False)  # the others, by libpq's names; a password among them

    @property
    def connect_seconds(self) -> float | None:
        """For one host to be connected and ready; None: without end, as `connect_timeout=0` asks for."""
        given = self.options.get("connect_timeout")
        return CONNECT_SECONDS if given is None else float(given) or None

    @property
    def target(self) -> str:
        """The accepted servers: any, read-write, read-only, primary, standby or prefer-standby."""
        return self.options.get("target_session_attrs", "any")

    @property
    def settings(self) -> dict[str, str]:
        """The server's settings that `options` asks for."""
        return startup_settings(self.variable, self.options.get("options", ""))

    def application_name(self, process: str) -> str:
        """The name of a session for the server: `propdesk-api`, or the operator's word in the place of propdesk."""
        word = self.options.get("application_name") or self.options.get("fallback_application_name") or "propdesk"
        return f"{word}-{process}"

    def hosts_in_order(self) -> list[Host]:
        """The hosts in the order of the attempts: as written, or shuffled where load_balance_hosts=random."""
        hosts = list(self.hosts)
        if self.options.get("load_balance_hosts") == "random":
            random.shuffle(hosts)
        return hosts

    @property
    def tls(self) -> dict[str, str]:
        """The TLS options. Raises Problem for files that are missing or readable by others."""
        given = {name: self.options[name] for name in (*_TLS, *_TLS_VERSIONS) if name in self.options}
        if all(host.is_socket for host in self.hosts) or given.get("sslmode") == "disable":
            return {"sslmode": "disable"}
        if given.get("sslrootcert") == "system":
            given["sslrootcert"] = system_certificates(self.variable)
        require_tls_files(self.variable, given)
        return given

    def __str__(self) -> str:
        return f"{','.join(map(str, self.hosts))}/{self.database}"


def parse(url: str, variable: str | None = None) -> Address:
    """Take a URL apart by libpq's rules. Raises Problem, one line that names `variable`, for what is no address."""
    variable = variable or variable_of(url)
    written = _options_of(url, variable)
    require_password_file(variable, written)
    given = _with_defaults(variable, written)
    require_options(variable, given)
    hosts = _hosts(variable, given.pop("host", ""), given.pop("port", ""))
    user = given.pop("user", "") or getpass.getuser()
    return Address(variable, hosts, user, given.pop("dbname", "") or user, given)


def libpq_parameters(url: str, variable: str | None = None) -> dict[str, Any]:
    """The address for psycopg, all its hosts at once, of which a primary will do.

    Without `options`, which poolers refuse at the start of a session: `Address.settings` are to be set afterwards.
    """
    address = parse(url, variable)
    servers = {
        "host": ",".join(host.name for host in address.hosts),
        "port": ",".join(str(host.port) for host in address.hosts),
        "user": address.user,
        "dbname": address.database,
        "connect_timeout": str(int(address.connect_seconds or 0)),
        "target_session_attrs": "read-write" if address.target == "any" else address.target,
    }
    dropped = ("options", "application_name", "fallback_application_name")
    return {name: value for name, value in address.options.items() if name not in dropped} | address.tls | servers


def asyncpg_parameters(address: Address, host: Host) -> dict[str, Any]:
    """One host of the address, for `asyncpg.connect`, which takes most options for TLS only in a URL."""
    secrets = {name: address.options[name] for name in _SECRETS if name in address.options}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in address.tls.items())
    return secrets | {
        "dsn": f"postgresql:///?{query}",
        "host": host.name,
        "port": host.port,
        "user": address.user,
        "database": address.database,
        "target_session_attrs": "any",
    }


def sibling(url: str, database: str) -> str:
    """The address of another database on the same servers."""
    parts = _URL.fullmatch(url)
    assert parts, "the URL has been read before"
    options = [
        option for option in (parts["query"] or "?")[1:].split("&") if option and not option.startswith("dbname=")
    ]
    query = f"?{'&'.join(options)}" if options else ""
    return f"{parts['start']}/{quote(database, safe='')}{query}"


def spoken(url: str) -> str:
    """The address without its password, for messages: hosts, ports and database."""
    return str(parse(url))


def variable_of(url: str) -> str:
    """The name of the setting that has this URL, for messages."""
    return next((name for name in VARIABLES if os.environ.get(name) == url), "DATABASE_URL")


def _options_of(url: str, variable: str) -> dict[str, str]:
    scheme, separator, _ = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,20}", scheme):
        raise Problem(f"{variable} is no URL; use postgresql://user:password@host:port/name")
    if scheme not in SCHEMES:
        raise Problem(
            f"{variable} has the unsupported scheme {scheme!r}; use postgresql://user:password@host:port/name"
        )
    parts = _URL.fullmatch(url)
    if parts is None or "@" in (parts["path"] or "") or parts["start"].count("@") > 1:
        raise Problem(f"{variable} is not a PostgreSQL address; {_ENCODED}")
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except ProgrammingError as error:
        raise Problem(f"{variable} is not a PostgreSQL address: {_without_quotations(str(error), url)}") from None


def _without_quotations(message: str, url: str) -> str:
    """Return libpq's message about an unreadable URL without the quoted part, which may contain the password."""
    option = re.search(r'invalid URI query parameter: "([a-z_]{1,40})"', message)
    if option and "@" not in url.partition("?")[2]:
        return f"it has the option {option[1]}, which libpq does not know"
    words = re.split(r'[:]? ?"', message.strip())[0].rstrip(": ")
    return f"{' '.join(words.split())}; {_ENCODED}"


def _with_defaults(variable: str, given: dict[str, str]) -> dict[str, str]:
    """Add what the URL leaves open: from its service first, then from the environment."""
    service = given.pop("service", None) or os.environ.get("PGSERVICE")
    of_service = _service(variable, service) if service else {}
    by_variable = {
        option.keyword.decode(): os.environ[option.envvar.decode()]
        for option in pq.Conninfo.get_defaults()
        if option.envvar and os.environ.get(option.envvar.decode())
    }
    by_variable.pop("service", None)
    every = by_variable | of_service | {name: value for name, value in given.items() if value != ""}
    if every.get("sslrootcert") == "system":
        every.setdefault("sslmode", "verify-full")
    return every


def _service(variable: str, name: str) -> dict[str, str]:
    """The options of a service, from the first of libpq's files that has it. Raises Problem where none has."""
    folder = os.environ.get("PGSYSCONFDIR", "/etc/postgresql-common")
    own = os.environ.get("PGSERVICEFILE") or Path("~/.pg_service.conf").expanduser()
    for file in (Path(own), Path(folder) / "pg_service.conf"):
        services = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=False)
        services.optionxform = str  # type: ignore[assignment,method-assign] # as its documentation says
        try:
            services.read(file)
        except (configparser.Error, OSError, UnicodeDecodeError):
            raise Problem(f"{variable}: the service file {file} cannot be read") from None
        if services.has_section(name):
            return dict(services.items(name))
    raise Problem(f"{variable}: there is no service {name!r} in {own} nor in {folder}/pg_service.conf")


def _hosts(variable: str, names: str, ports: str) -> tuple[Host, ...]:
    every = names.split(",")
    if any(name.startswith("@") for name in every):
        raise Problem(f"{variable} has a host in the abstract socket namespace, which asyncpg does not support")
    numbers = [_port(variable, port) for port in ports.split(",")]
    if len(numbers) == 1:
        numbers *= len(every)
    if len(numbers) != len(every):
        raise Problem(
            f"{variable} names {len(every)} hosts and {len(numbers)} ports; give each host its port, or all one"
        )
    return tuple(Host(name or _local(port), port) for name, port in zip(every, numbers, strict=True))


def _port(variable: str, given: str) -> int:
    if not given:
        return PORT
    if not given.isdecimal() or not 1 <= int(given) <= 65_535:
        raise Problem(f"{variable} has a port that is no number from 1 to 65535; {_ENCODED}")
    return int(given)


def _local(port: int) -> str:
    """Return the default host: the server's socket, else localhost."""
    found = (folder for folder in SOCKET_FOLDERS if Path(folder, f".s.PGSQL.{port}").exists())
    return next(found, "localhost")
