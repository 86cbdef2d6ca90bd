"""The options of a database address that the desk honours, and what to do instead of the others.

libpq, on which psycopg stands, has them all; asyncpg has some, the desk adds some; what is left is refused by its name.
"""

import re
from collections.abc import Mapping

from config.errors import Problem

_VALUES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    "sslnegotiation": ("postgres", "direct"),
    "keepalives": ("0", "1"),
}
_TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_NUMBERS = ("connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
_INSTEAD: dict[str, tuple[tuple[str, ...], str]] = {  # the values that change nothing; what to do instead of others
    "hostaddr": ((), "put the address into host"),
    "channel_binding": (("disable", "prefer"), "use sslmode=verify-full, which also proves who the server is"),
    "gssencmode": (("disable", "prefer"), "use sslmode=require or verify-full"),
    "gssdelegation": (("0",), "leave it out"),
    "require_auth": ((), "let the server's pg_hba.conf say it, and use sslmode=verify-full"),
    "requirepeer": ((), "leave it out, and let only the server's user write to the socket's folder"),
    "replication": (("false", "off", "no", "0"), "leave it out: the desk is no standby"),
    "sslcompression": (("0",), "leave it out: TLS has no compression any more"),
    "sslcrldir": ((), "name one file with sslcrl"),
    "sslsni": (("1",), "leave it out: the host's name is always sent"),
    "sslcertmode": (("allow",), "leave out sslcert, or have the server ask for the certificate"),
    "sslkeylogfile": ((), "leave it out"),
    "min_protocol_version": (("3.0",), "leave it out"),
    "scram_client_key": ((), "give the password, or a passfile"),
    "scram_server_key": ((), "give the password, or a passfile"),
    "oauth_issuer": ((), "give the password, a passfile or a client certificate"),
    "oauth_client_id": ((), "give the password, a passfile or a client certificate"),
    "oauth_client_secret": ((), "give the password, a passfile or a client certificate"),
    "oauth_scope": ((), "give the password, a passfile or a client certificate"),
    "client_encoding": (("utf8", "utf-8", "unicode"), "leave it out: the desk speaks UTF-8"),
}
_OWN = {  # settings of the server on which the desk relies: what it does with them
    "role": "takes the role propdesk_app itself",
    "session_authorization": "takes the role propdesk_app itself",
    "timezone": "computes in UTC",
    "datestyle": "needs ISO dates",
    "intervalstyle": "needs the style postgres",
    "client_encoding": "speaks UTF-8",
    "search_path": "has its tables in the schema public",
    "bytea_output": "needs hex",
    "extra_float_digits": "needs numbers in full",
    "standard_conforming_strings": "needs it on",
    "default_transaction_isolation": "chooses it for each transaction",
    "default_transaction_read_only": "writes",
    "statement_timeout": "sets it by PROPDESK_STATEMENT_SECONDS_MAX",
    "lock_timeout": "sets it by PROPDESK_LOCK_SECONDS_MAX",
    "application_name": "takes it as an option of its own: application_name=",
}
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)


def require_options(variable: str, options: Mapping[str, str]) -> None:
    """Raise Problem for an option that cannot be honoured, and for a value that is none of its option's."""
    for name, value in options.items():
        if name in _INSTEAD and value.lower() not in _INSTEAD[name][0]:
            raise Problem(f"{variable} has the option {name}, which is not supported; {_INSTEAD[name][1]}")
        allowed = _TLS_VERSIONS if name.startswith("ssl_m") else _VALUES.get(name)
        if allowed and value not in allowed:
            raise Problem(f"{variable} has {name}={value[:40]!r}; it is one of {', '.join(allowed)}")
        if name in _NUMBERS and not re.fullmatch(r"\d{1,9}", value):
            raise Problem(f"{variable} has {name}={value[:40]!r}; it is a whole number")
    if options.get("sslrootcert") == "system" and options.get("sslmode") != "verify-full":
        raise Problem(f"{variable} has sslrootcert=system, which needs sslmode=verify-full")
    if options.get("sslnegotiation") == "direct" and options.get("sslmode") not in _VALUES["sslmode"][3:]:
        raise Problem(f"{variable} has sslnegotiation=direct, which needs sslmode=require, verify-ca or verify-full")


def startup_settings(variable: str, options: str) -> dict[str, str]:
    """The settings in `-c name=value --name=value`, by their names. Raises Problem for another switch of the server."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|\S)+", options)]
    found: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            assignment = words.pop(0)
        elif word.startswith(("-c", "--")):
            assignment = word[2:]
        else:
            assignment = ""
        parts = _ASSIGNMENT.fullmatch(assignment)
        if not parts:
            raise Problem(f"{variable} has options other than -c name=value; give settings of the server that way")
        name = parts[1].replace("-", "_")
        if name.lower() in _OWN:
            raise Problem(f"{variable} sets {name} in its options, but the desk {_OWN[name.lower()]}; leave it out")
        found[name] = parts[2]
    return found
