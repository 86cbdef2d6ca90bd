"""The files that a database address names: are they there, and closed to others where they have to be?

Both drivers look for themselves, each with an error of its own; of a password file they only warn, and libpq goes on
without a certificate that it does not find. Here it is one line that names the option and the file.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from config.errors import Problem

_FOLDER = "~/.postgresql"  # libpq's default place
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def system_certificates(variable: str) -> str:
    """The file of the authorities that this system trusts. Raises Problem where there is none."""
    found = next((bundle for bundle in _BUNDLES if os.access(bundle, os.R_OK)), None)
    if found is None:
        raise Problem(
            f"{variable} has sslrootcert=system, and this system has no file of certificates; install ca-certificates, "
            "or name the file of your authority"
        )
    return found


def require_password_file(variable: str, options: Mapping[str, str]) -> None:
    """Raise Problem where the file of passwords that an address names is missing, or open to others."""
    if "passfile" not in options or "password" in options:
        return
    file = Path(options["passfile"])
    if not file.is_file() or not os.access(file, os.R_OK):
        raise Problem(f"{variable} has passfile={file}, a file that is not there or cannot be read")
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Problem(f"{variable} has passfile={file}, which is open to others and so is not read; chmod 600 it")


def require_tls_files(variable: str, options: Mapping[str, str]) -> None:
    """Raise Problem for a file that TLS needs and that cannot be read, and for a private key that others may read."""
    for name in ("sslrootcert", "sslcrl", "sslcert", "sslkey"):
        if name in options and not os.access(options[name], os.R_OK):
            raise Problem(f"{variable} has {name}={options[name]}, a file that is not there or cannot be read")
    mode = options.get("sslmode", "prefer")
    if mode.startswith("verify") and "sslrootcert" not in options and not _default("root.crt").exists():
        raise Problem(
            f"{variable} has sslmode={mode} and no authority to verify by; give sslrootcert=FILE, or sslrootcert=system"
        )
    if "sslcert" in options and "sslkey" not in options and not _default("postgresql.key").exists():
        raise Problem(f"{variable} has sslcert and no private key for it; give sslkey=FILE")
    key = Path(options["sslkey"]) if "sslkey" in options else _default("postgresql.key")
    if key.exists():
        _require_private(variable, key)


def _require_private(variable: str, key: Path) -> None:
    status = key.stat()
    others = stat.S_IRWXO | (stat.S_IWGRP | stat.S_IXGRP if status.st_uid == 0 else stat.S_IRWXG)
    if status.st_mode & others or status.st_uid not in (0, os.geteuid()):
        raise Problem(
            f"{variable}: the private key {key} is open to others, or another user's; chmod 600 it, or chown it"
        )


def _default(name: str) -> Path:
    return Path(_FOLDER, name).expanduser()
