"""The real nginx and Caddy in front of API processes, with the files of deploy/ and ports of the test's own."""

import asyncio
import os
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.commands import a_free_port
from tests.deploy.programs import DEPLOY, program

HOST = "127.0.0.1"
START_SECONDS_MAX = 30


class Proxy(ABC):
    """A proxy that speaks TLS at `port` and plain HTTP at `plain_port`, in front of API processes at `upstreams`."""

    name: ClassVar[str]
    keeps_sockets_at_reload: ClassVar[bool]

    def __init__(self, folder: Path, upstreams: Sequence[int]) -> None:
        self.folder, self.upstreams = folder, upstreams
        self.port, self.plain_port = a_free_port(), a_free_port()
        self.program = program(self.name)
        self.certificate, self.key = _certificate(folder)
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    @abstractmethod
    def command(self) -> list[str]:
        """Write the configuration and return the command that runs the proxy with it."""

    @abstractmethod
    async def reload(self) -> None:
        """Read the configuration anew, as an operator does after a change."""

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    async def run(self, *command: str) -> None:
        process = await asyncio.create_subprocess_exec(*command, env=self.environment())
        assert await process.wait() == 0

    def client(self, address: str = HOST) -> httpx.AsyncClient:
        """A client at an address of this machine."""
        transport = httpx.AsyncHTTPTransport(local_address=address, verify=self.trust)
        return httpx.AsyncClient(transport=transport, base_url=self.url, timeout=30)


class Nginx(Proxy):
    name = "nginx"
    keeps_sockets_at_reload = True  # by the old process, until their clients close them

    def command(self) -> list[str]:
        text = (DEPLOY / "nginx" / "propdesk.conf").read_text()
        first, second = (self.upstreams[0], self.upstreams[-1])
        for was, becomes in {
            "listen 80;": f"listen {HOST}:{self.plain_port};",
            "listen [::]:80;": "",
            "listen 443 ssl http2;": f"listen {HOST}:{self.port} ssl http2;",
            "listen [::]:443 ssl http2;": "",
            "127.0.0.1:8000": f"{HOST}:{first}",
            "127.0.0.1:8001": f"{HOST}:{second}",
            "/etc/ssl/propdesk/fullchain.pem": str(self.certificate),
            "/etc/ssl/propdesk/privkey.pem": str(self.key),
        }.items():
            assert was in text, was
            text = text.replace(was, becomes)
        (self.folder / "propdesk.conf").write_text(text)
        kept = "".join(
            f"  {kind}_temp_path {self.folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(
            f"daemon off;\nworker_processes 1;\npid {self.folder}/pid;\nerror_log {self.folder}/error.log;\n"
            f"{'user root;' if os.geteuid() == 0 else ''}\nevents {{ worker_connections 512; }}\n"
            f"http {{\n  access_log off;\n{kept}  include {self.folder}/propdesk.conf;\n}}\n"
        )
        return [self.program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    async def reload(self) -> None:
        await self.run(*self.command(), "-s", "reload")


class Caddy(Proxy):
    name = "caddy"
    keeps_sockets_at_reload = False  # before its version 2.7; clients connect again

    def command(self) -> list[str]:
        text = (DEPLOY / "caddy" / "Caddyfile").read_text()
        opened = "{\n\tservers {"
        site = "{$PROPDESK_SITE:desk.example} {\n"
        assert opened in text
        assert site in text
        own = f"\thttp_port {self.plain_port}\n\thttps_port {self.port}\n\tstorage file_system {self.folder}/storage\n"
        own += f"\tadmin unix/{self.folder}/admin\n\tskip_install_trust\n\tdefault_sni {HOST}\n"
        text = text.replace(opened, opened.replace("{\n\t", "{\n" + own + "\t", 1))
        text = text.replace(site, f"{site}\ttls {self.certificate} {self.key}\n")
        (self.folder / "Caddyfile").write_text(text)
        return [self.program, "run", "--config", str(self.folder / "Caddyfile"), "--adapter", "caddyfile"]

    def environment(self) -> dict[str, str]:
        upstreams = " ".join(f"{HOST}:{port}" for port in self.upstreams)
        home = {name: str(self.folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        return dict(os.environ) | home | {"PROPDESK_SITE": f"https://{HOST}", "PROPDESK_UPSTREAMS": upstreams}

    async def reload(self) -> None:
        where = ["--address", f"unix/{self.folder}/admin", "--force"]
        await self.run(self.program, "reload", *self.command()[2:], *where)


@asynccontextmanager
async def running(proxy: Proxy) -> AsyncIterator[Proxy]:
    """The proxy, once it answers, as long as the context lasts."""
    log = (proxy.folder / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *proxy.command(), env=proxy.environment(), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
    )
    try:
        async with asyncio.timeout(START_SECONDS_MAX), proxy.client() as client:
            while True:
                assert process.returncode is None, (proxy.folder / "log").read_text()
                with suppress(httpx.TransportError):
                    if (await client.get("/healthz")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        yield proxy
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        log.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return paths
