"""Hosts on one machine: a network namespace for each, and a switch between them in a namespace of its own.

Nothing is added to the machine's own network. Each host has one interface, `eth0`, with an address of its own; the
other end of its cable is a port of the switch, named like the host. Commands run on a host by `ip netns exec`.
A run has a folder, which it locks; what a killed run has left behind is removed by the next one.
"""

import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

PREFIX = "propdesk-hosts-"  # of a run's folder, and of its namespaces, which are named like it: propdesk-hosts-RUN-HOST
ADDRESSES = "10.77.0.{}"
SWITCH = "switch"
GONE_SECONDS_MAX = 10
WANTED = ("ip", "tc", "nft", "setpriv")
RELAY = Path(__file__).with_name("relay.py")


def unavailable() -> str | None:
    """Return why this machine cannot have such hosts; None where it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "network namespaces are made by root alone"
    if missing := [program for program in WANTED if shutil.which(program) is None]:
        return f"these programs are missing: {', '.join(missing)} (Debian's packages iproute2, nftables, util-linux)"
    name = f"{PREFIX}probe-{os.getpid()}"
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "-n", name, "link", "add", "one", "type", "veth", "peer", "name", "other")
        _run("ip", "-n", name, "link", "add", SWITCH, "type", "bridge")
        _run("ip", "netns", "exec", name, "nft", "add", "table", "bridge", "cables")
    except subprocess.CalledProcessError as error:
        return f"this kernel does not let us build the network: {' '.join(error.cmd)}: {error.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    return None


@dataclass(frozen=True, slots=True)
class Host:
    """One host: where it is, and how something is run there."""

    name: str
    namespace: str
    number: int  # the last part of its address

    @property
    def address(self) -> str:
        return ADDRESSES.format(self.number)

    def command(self, *command: object, user: str | None = None) -> list[str]:
        """Return the command line that runs a command on this host, as a system user where one is named."""
        become = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups"] if user else []
        return ["ip", "netns", "exec", self.namespace, *become, *map(str, command)]

    def start(self, *command: object, user: str | None = None, **options: Any) -> "subprocess.Popen[bytes]":
        """Start a process on this host, in a session of its own, so that Ctrl-C reaches the campaign alone."""
        line = self.command(*command, user=user)
        return subprocess.Popen(line, stdin=subprocess.DEVNULL, start_new_session=True, **options)

    def processes(self) -> list[int]:
        """Return the numbers of its processes, without the one that asks."""
        listed = _run("ip", "netns", "pids", self.namespace)
        return [number for text in listed.split() if (number := int(text)) != os.getpid()]

    def kill(self) -> None:
        """Kill every process of this host at once, and return when all are gone."""
        deadline = time.monotonic() + GONE_SECONDS_MAX
        while numbers := [number for number in self.processes() if _lives(number)]:
            assert time.monotonic() < deadline, f"processes {numbers} of {self.name} survive being killed"
            for number in numbers:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.01)


@dataclass(slots=True)
class Network:
    """The hosts of one run, and what is wrong with their cables."""

    folder: Path
    hosts: dict[str, Host] = field(default_factory=dict)
    relays: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)  # by the host whose cable is slow
    cuts: set[tuple[str, str]] = field(default_factory=set)  # (from, to): what goes that way is dropped, silently

    @property
    def switch(self) -> Host:
        return Host(SWITCH, f"{self.folder.name}-{SWITCH}", 0)

    def build(self, *names: str) -> None:
        """Make the switch and these hosts, each plugged in."""
        namespace = self.switch.namespace
        _run("ip", "netns", "add", namespace)
        _run("ip", "-n", namespace, "link", "set", "lo", "up")
        _run("ip", "-n", namespace, "link", "add", SWITCH, "type", "bridge")
        _run("ip", "-n", namespace, "link", "set", SWITCH, "up")
        self._write_rules()
        for number, name in enumerate(names, 11):
            self.hosts[name] = Host(name, f"{self.folder.name}-{name}", number)
            self.boot(self.hosts[name])

    def boot(self, host: Host) -> None:
        """Make the host's namespace and plug its cable in. Its address in hardware is the one that it always has."""
        _run("ip", "netns", "add", host.namespace)
        _run("ip", "-n", host.namespace, "link", "set", "lo", "up")
        hardware = f"02:00:0a:4d:00:{host.number:02x}"
        pair = ("type", "veth", "peer", "name", host.name, "netns", self.switch.namespace)
        _run("ip", "-n", host.namespace, "link", "add", "eth0", "address", hardware, *pair)
        _run("ip", "-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
        _run("ip", "-n", host.namespace, "link", "set", "eth0", "up")
        _run("ip", "-n", self.switch.namespace, "link", "set", host.name, "master", SWITCH, "up")

    def vanish(self, host: Host) -> None:
        """Take the host away as a power cut does: nothing of it says good-bye, and nothing of it is left."""
        _run("ip", "-n", self.switch.namespace, "link", "set", host.name, "down")
        host.kill()
        _run("ip", "netns", "del", host.namespace)
        self._gone(host)

    def _gone(self, host: Host) -> None:
        """Wait until the kernel has removed the host's cable, which it does a moment after its namespace."""
        deadline = time.monotonic() + GONE_SECONDS_MAX
        while _succeeds("ip", "-n", self.switch.namespace, "link", "show", host.name):
            assert time.monotonic() < deadline, f"the cable of {host.name} stays"
            _succeeds("ip", "-n", self.switch.namespace, "link", "del", host.name)

    def unplug(self, host: Host) -> None:
        """Pull the cable: the host itself sees that there is no link, the others do not."""
        _run("ip", "-n", self.switch.namespace, "link", "set", host.name, "down")

    def plug(self, host: Host) -> None:
        """Put the cable in again."""
        _run("ip", "-n", self.switch.namespace, "link", "set", host.name, "up")

    def cut(self, one: Host, other: Host, *, both_ways: bool = True) -> None:
        """Drop silently what `one` sends to `other`, and back."""
        self.cuts |= {(one.name, other.name)} | ({(other.name, one.name)} if both_ways else set())
        self._write_rules()

    def mend(self) -> None:
        """Let everything through again."""
        self.cuts.clear()
        self._write_rules()

    def refuse(self, host: Host, sender: Host) -> None:
        """Let the host answer every packet of the sender with a reset, as a firewall does that rejects."""
        rule = f"ip saddr {sender.address} meta l4proto tcp reject with tcp reset"
        chain = f"table inet wall {{ chain input {{ type filter hook input priority 0; {rule}; }}; }}"
        _run(*host.command("nft", "-f", "-"), text=chain)

    def accept(self, host: Host) -> None:
        """Let the host take everything again."""
        _run(*host.command("nft", "delete", "table", "inet", "wall"))

    def _write_rules(self) -> None:
        """Replace the switch's rules in one step. A relayed port has a second name, which begins with its own."""
        drops = " ".join(f'iifname "{one}*" oifname "{other}*" drop;' for one, other in sorted(self.cuts))
        chain = f"chain forward {{ type filter hook forward priority 0; {drops} }}"
        table = f"table bridge cables\ndelete table bridge cables\ntable bridge cables {{ {chain}; }}\n"
        _run(*self.switch.command("nft", "-f", "-"), text=table)

    def degrade(self, host: Host, *, delay_ms: int, loss_percent: float, seed: int) -> str:
        """Make the host's cable slow and lossy: by so much each round trip, of each way that share. Return how."""
        port, half = host.name, f"{delay_ms / 2:g}ms"
        netem = ("root", "netem", "delay", half, "loss", f"{loss_percent}%")
        if _succeeds("tc", "-n", self.switch.namespace, "qdisc", "add", "dev", port, *netem):
            _run("tc", "-n", host.namespace, "qdisc", "add", "dev", "eth0", *netem)
            return "netem"
        near, far = f"{port}-near", f"{port}-far"  # the relay stands between the port and `near`
        _run("ip", "-n", self.switch.namespace, "link", "add", near, "type", "veth", "peer", "name", far)
        _run("ip", "-n", self.switch.namespace, "link", "set", port, "nomaster")
        arguments = (port, near, delay_ms / 2000, loss_percent / 100, seed)
        relay = self.switch.start(sys.executable, RELAY, *arguments, stdout=subprocess.PIPE)
        assert relay.stdout and relay.stdout.readline() == b"ready\n", "the relay has not begun"
        self.relays[port] = relay
        _run("ip", "-n", self.switch.namespace, "link", "set", near, "up")
        _run("ip", "-n", self.switch.namespace, "link", "set", far, "master", SWITCH, "up")
        return "a relay in user space, as this kernel has no netem"

    def restore(self, host: Host) -> None:
        """Make the host's cable good again."""
        relay = self.relays.pop(host.name, None)
        if relay is None:
            _run("tc", "-n", self.switch.namespace, "qdisc", "del", "dev", host.name, "root")
            _run("tc", "-n", host.namespace, "qdisc", "del", "dev", "eth0", "root")
            return
        relay.kill()
        relay.communicate()
        _run("ip", "-n", self.switch.namespace, "link", "del", f"{host.name}-near")
        _run("ip", "-n", self.switch.namespace, "link", "set", host.name, "master", SWITCH)

    def close(self) -> None:
        """Kill every process of every host and remove the hosts, whatever state they are in."""
        remove(self.folder.name)


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Hosts with these names, and a folder for what they write; all of it is gone afterwards."""
    clear_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o755)  # PostgreSQL's user passes through
    with _locked(folder):
        built = Network(folder)
        try:
            built.build(*names)
            yield built
        finally:
            built.close()
            shutil.rmtree(folder)


def clear_abandoned() -> None:
    """Remove what runs have left that were killed; those that go on hold the locks of their folders."""
    runs = {match[1] for name in _namespaces() if (match := re.match(rf"({PREFIX}[^-]+)-", name))}
    runs |= {path.name for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*")}
    for run in sorted(runs):
        folder = Path(tempfile.gettempdir()) / run
        try:
            if folder.exists():
                with _locked(folder):
                    remove(run)
                    shutil.rmtree(folder, ignore_errors=True)
            else:
                remove(run)
        except BlockingIOError:
            continue  # it goes on


def remove(run: str) -> None:
    """Kill the processes of a run's hosts and remove its namespaces; their cables go with them."""
    for name in _namespaces():
        if name.startswith(f"{run}-"):
            Host(name, name, 0).kill()
            _run("ip", "netns", "del", name)


def _namespaces() -> list[str]:
    return [line.split()[0] for line in _run("ip", "netns", "list").splitlines()]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises BlockingIOError while somebody else does."""
    lock: IO[bytes]
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _lives(number: int) -> bool:
    """Whether the process is more than an entry that its parent has not read yet."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _run(*command: str, text: str | None = None) -> str:
    """Run to the end and return what it printed. A CalledProcessError carries what it complained of in `stderr`."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, check=False, capture_output=True, text=True, input=text
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout


def run(command: Sequence[object]) -> str:
    """Run a command to the end and return what it printed."""
    return _run(*map(str, command))
