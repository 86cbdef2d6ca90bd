"""The restore drill: the commands of docs/backups.md, executed as they stand, and what they bring back compared."""

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.chaos.faults import Ground
from tests.cluster.comparison import compare, newest_event
from tests.cluster.desk import Desk, propdesk, running, until
from tests.cluster.journal import Journal
from tests.cluster.load import Load
from tests.cluster.servers import OWNER, SETTINGS, Server
from tests.cluster.speaker import ATTEMPT_SECONDS_MAX, Speaker
from tests.cluster.subscribers import Subscriber

ANSWER_SECONDS = 3.0  # in which an expired cursor is refused, once its operation has been sent
PAGE = Path(__file__).resolve().parents[2] / "docs" / "backups.md"
BLOCK = re.compile(r"^<!-- drill: (\w+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Backup:
    """A base backup, and where the write-ahead log since is archived."""

    base: Path
    archive: Path


class Failed(AssertionError):
    """A command of the page failed."""


def commands() -> dict[str, str]:
    """The page's blocks of commands by name."""
    return dict(BLOCK.findall(PAGE.read_text("utf-8")))


async def base_backup(ground: Ground) -> Backup:
    """Make a base backup by the page's commands. The archive was set up when the server was started."""
    archive = ground.server.folder / "archive"
    backups = _folder(ground.server, "base")
    said = await _execute(ground.server, "backup", ARCHIVE=archive, BACKUPS=backups)
    return Backup(Path(said.splitlines()[-1]), archive)


async def restore(ground: Ground, backup: Backup, load: Load, moment: float) -> list[str]:
    """Restore the desk to the moment beside the old one by the page's commands; return what is not as it must be."""
    old = ground.server
    restored = Server("restored", _folder(old, "restores"), old.programs)
    flags = SETTINGS | old.settings | {"archive_mode": "off", "listen_addresses": restored.host}
    options = " ".join([f"-p {restored.port}", *(f"-c {name}='{value}'" for name, value in flags.items())])
    await _execute(old, "switch")
    try:
        await _execute(
            old,
            "restore",
            ARCHIVE=backup.archive,
            BASE=backup.base,
            DATA=restored.data,
            OPTIONS=options,
            MOMENT=datetime.fromtimestamp(moment, UTC).isoformat(),
            RESTORED=_address(restored),
        )
        different = await asyncio.to_thread(compare, restored.url(OWNER), load.journal, until=moment)
        found = [str(finding) for finding in different]
        environment = {"DATABASE_URL": restored.url(), "OWNER_DATABASE_URL": "", "BROKER_URL": ""}
        status, said = await propdesk("verify", env=environment)
        found += [] if status == 0 else [f"verify: {said}"]
        return found + await _serve(ground, restored, load, moment)
    finally:
        await asyncio.to_thread(restored.close)


async def _serve(ground: Ground, restored: Server, load: Load, moment: float) -> list[str]:
    """Serve the restored desk: lost cursors have expired, kept ones go on, and lost requests are done when repeated."""
    kept = await asyncio.to_thread(newest_event, restored.url(OWNER))
    had = load.journal.events[load.subscribers[0].name]
    folder = ground.desk.folder / "restored"
    folder.mkdir()
    desk = Desk(folder, restored.url(), apis=1, workers=1, environment={"PROPDESK_MARKER_SHARDS": "4"})
    with Journal(folder / "journal") as journal:
        async with running(desk), httpx.AsyncClient(trust_env=False, timeout=ATTEMPT_SECONDS_MAX) as http:
            manager = load.firm["manager"]
            speaker = Speaker("manager", manager.token, desk.urls, journal, http)
            found = await _repeat(load, speaker, moment)
            found += await _resume(desk, manager.token, journal, had[-1]["cursor"], is_lost=len(had) > kept)
            if kept:
                found += await _resume(desk, manager.token, journal, had[kept - 1]["cursor"], is_lost=False)
    epochs = restored.value("select count(*) from epochs", "propdesk")
    return (
        found if epochs == 2 else [*found, f"the restored desk has {epochs} epochs, and should have begun its second"]
    )


async def _repeat(load: Load, speaker: Speaker, moment: float) -> list[str]:
    """Clients repeat what they have an answer for, with the same key: what was lost is done, what was kept is not."""
    deposits = list(load.journal.of("depositToWallet"))
    lost = [request for request in deposits if request.sent_at > moment][:3]
    kept = [request for request in deposits if (request.answered_at or moment) < moment][-3:]
    found = []
    for request in lost + kept:
        again = await speaker.ask("depositToWallet", "wallet { id }", key=request.id, **request.content)
        if (again.outcome, again.payload) != (request.outcome, request.payload):
            found.append(f"{request.id} repeated was {again.outcome} {again.codes} {again.payload}")
    return found


async def _resume(desk: Desk, token: str, journal: Journal, cursor: str, *, is_lost: bool) -> list[str]:
    """A subscriber resumes by a cursor from before the restore."""
    subscriber = Subscriber(f"after {cursor}", token, desk.urls, journal, cursor)
    following = asyncio.create_task(subscriber.run())
    try:
        await until(lambda: subscriber.connections > 0, 30, lambda: f"a connection: {subscriber.closes}")
        await asyncio.wait([following], timeout=ANSWER_SECONDS)
    finally:
        following.cancel()
    has_expired = any("CURSOR_EXPIRED" in fault for fault in subscriber.faults)
    if has_expired == is_lost:
        return []
    return [
        f"the cursor {cursor} of an event that was {'lost' if is_lost else 'kept'}: {subscriber.faults or 'goes on'}"
    ]


async def _execute(server: Server, name: str, **variables: object) -> str:
    """Execute a block of the page as the user that owns the server's files; return what it says."""
    names = {"B": server.programs.folder, "PRIMARY": _address(server)} | variables
    environment = dict(os.environ) | {variable: str(value) for variable, value in names.items()}
    user = server.programs.user
    prefix = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
    command = [*prefix, "bash", "-euo", "pipefail", "-c", commands()[name]]
    done = await asyncio.to_thread(
        subprocess.run, command, check=False, cwd="/", env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"the commands {name!r} of {PAGE.name} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout.strip()


def _address(server: Server) -> str:
    return f"host={server.host} port={server.port} user={OWNER}"


def _folder(server: Server, name: str) -> Path:
    """A new folder beside the server's files, for the user who owns them."""
    folder = server.folder / name
    folder.mkdir()
    if server.programs.user:
        shutil.chown(folder, server.programs.user, server.programs.user)
    return folder
