"""Real PostgreSQL servers for tests: a primary, standbys that stream from it, and what befalls them.

    with Cluster(folder) as cluster:
        cluster.start(standbys=1, synchronous=True)
        cluster.primary.kill()
        cluster.promote(cluster.standbys[0])        # the new primary
        cluster.rebuild(cluster.others[0])          # the old one, as a standby of the new

A server is Debian's PostgreSQL where that is installed, else the embedded one; `Programs.debian()` and
`Programs.embedded()` choose. Each runs as a system user where the tests run as root, which PostgreSQL refuses to be.
Nothing here needs an event loop: every call blocks, and returns when what it names is so.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self

from config.database import APPLICATION_ROLE
from tests.cluster.programs import Programs, Unsuccessful, free_port, room, until, version_of
from tests.cluster.servers import DATABASE, OWNER, SYNCHRONOUS, Server

NAMED = "propdesk-cluster-"
CLAIM = "claim"  # a file in a cluster's folder that its process has locked

__all__ = [
    "DATABASE",
    "OWNER",
    "SYNCHRONOUS",
    "Cluster",
    "Programs",
    "Server",
    "Unsuccessful",
    "cluster_of",
    "free_port",
    "version_of",
]


class Cluster:
    """A primary and its standbys, all stopped and removed at the end."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        programs: Programs | None = None,
        settings: Mapping[str, str] | None = None,
        archive: bool = False,
    ) -> None:
        """`archive`: the primary copies each finished segment of its log to the folder `archive`."""
        clear_abandoned()
        self.folder = folder or Path(tempfile.mkdtemp(prefix=NAMED, dir=room()))
        self.folder.chmod(0o755)
        self._claim = claimed(self.folder / "claim.new")
        (self.folder / "claim.new").rename(self.folder / CLAIM)  # nobody can have it before us
        self.programs = programs or Programs.any(self.folder)
        self.settings = dict(settings or {})
        self.archive = self.folder / "archive"
        if archive:
            self.archive.mkdir(mode=0o700)
            if self.programs.user:
                shutil.chown(self.archive, self.programs.user, self.programs.user)
            place = f"{self.archive}/%f"
            copy = f"test ! -f {place} && cp %p {place}.part && mv {place}.part {place}"
            self.settings |= {"archive_mode": "on", "archive_command": copy}
        self.servers: list[Server] = []
        self._primary: Server | None = None
        self.synchronous = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def add(self, name: str, host: str = "127.0.0.1", prefix: Sequence[str] = (), port: int = 0) -> Server:
        """Take note of a server; it is made when it is started, or follows."""
        server = Server(name, self.folder, self.programs, host, port, tuple(prefix), dict(self.settings))
        self.servers.append(server)
        return server

    def start(self, standbys: int = 1, *, synchronous: bool = False) -> None:
        """Start a primary with so many standbys and an empty database `propdesk`, to which the application may log in.

        Servers that were added before are taken, the first as the primary. `synchronous`: a commit is answered when a
        standby has written it, too.
        """
        for number in range(len(self.servers), 1 + standbys):
            self.add(f"server{number}")
        self._primary, *followers = self.servers
        self.primary.create()
        self.primary.start()
        self.primary.query(f"create role {APPLICATION_ROLE} login")
        self.primary.query(f"create database {DATABASE}")
        for one in followers[:standbys]:
            one.follow(self.primary)
            one.start()
            self.wait_for(one)
        if synchronous:
            self.be_synchronous()

    @property
    def primary(self) -> Server:
        assert self._primary is not None, "the cluster is started"
        return self._primary

    @property
    def others(self) -> list[Server]:
        """The servers that are not the primary, running or not."""
        return [server for server in self.servers if server is not self._primary]

    @property
    def standbys(self) -> list[Server]:
        """Those that follow, as they say themselves."""
        return [server for server in self.others if server.is_standby()]

    def url(self, user: str = APPLICATION_ROLE, database: str = DATABASE) -> str:
        """The address of all servers, of which the one that takes writes is meant."""
        hosts = ",".join(f"{server.host}:{server.port}" for server in self.servers)
        return f"postgresql://{user}@{hosts}/{database}?target_session_attrs=read-write"

    def be_synchronous(self) -> None:
        """Let every commit wait for a standby, from now on."""
        self.synchronous = True
        self.primary.set(SYNCHRONOUS, "*")
        states = "select count(*) from pg_stat_replication where sync_state = 'sync'"
        until(lambda: (self.primary.value(states) or 0) > 0, "no standby is synchronous")

    def be_asynchronous(self) -> None:
        """Let no commit wait for a standby."""
        self.synchronous = False
        self.primary.set(SYNCHRONOUS, None)

    def wait_for(self, standby: Server, *, caught_up: bool = True) -> None:
        """Wait until the standby streams from the primary, and has replayed what is written now."""
        streams = f"select state from pg_stat_replication where application_name = '{standby.name}'"
        until(lambda: self.primary.value(streams) == "streaming", f"{standby.name} does not stream")
        if caught_up:
            position = self.primary.position()
            replayed = f"select pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"
            until(lambda: standby.value(replayed) is True, f"{standby.name} does not catch up")

    def promote(self, standby: Server | None = None) -> float:
        """Promote a standby, the first by default; return after how many seconds it took its first write.

        The old primary is left as it is: kill it before, or let it live. Nobody follows the new one yet, so its
        commits wait for nobody.
        """
        promoted = standby or self.standbys[0]
        seconds = promoted.promote()
        self._primary = promoted
        return seconds

    def rebuild(self, old: Server, *, rewind: bool = True) -> None:
        """Make an old primary, dead or alive, a standby of the new one; synchronous again where the cluster was."""
        old.stop("immediate")
        self.primary.query("checkpoint")  # pg_rewind reads the timeline from the newest one
        try:
            if not rewind:
                raise Unsuccessful("not wanted")
            old.rewind(self.primary)
        except Unsuccessful:
            old.follow(self.primary)
        old.start()
        self.wait_for(old)
        if self.synchronous:
            self.be_synchronous()

    def close(self) -> None:
        """End what runs and remove what is left of it."""
        for server in self.servers:
            server.close()
        if self._claim is not None:
            self._claim.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def claimed(path: Path) -> IO[bytes] | None:
    """Claim a file, and with it a cluster's folder, for as long as this process lives; None where another has it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def clear_abandoned() -> None:
    """End and remove the clusters of runs that were killed: of those nobody holds the claim any more."""
    for folder in room().glob(f"{NAMED}*"):
        with suppress(OSError):
            if (folder / CLAIM).exists() and (claim := claimed(folder / CLAIM)):
                with claim:
                    for data in folder.glob("*/postmaster.pid"):
                        Server(data.parent.name, folder, Programs(folder, None)).close()
                    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def cluster_of(standbys: int = 1, *, synchronous: bool = False, **options: Any) -> Iterator[Cluster]:
    """A started cluster; `options` are those of Cluster."""
    with Cluster(**options) as cluster:
        cluster.start(standbys, synchronous=synchronous)
        yield cluster
