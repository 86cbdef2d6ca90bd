"""A fresh Debian root, as an image or a new host has it, in which deploy/ is installed by its own script.

Without a container runtime the Containerfile is played: its instructions are carried out in a root of debootstrap's.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.deploy.programs import DEPLOY, program
from tests.house.sources import ROOT

SUITE = "bookworm"
INSTRUCTION = re.compile(r"^([A-Z]+) ((?:.*\\\n)*.*)$", re.MULTILINE)
PIPED = "/packages"  # where the root finds the packages that pip installs


@dataclass(slots=True)
class Image:
    """A root that has been built, and how its processes are started."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    folder: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def line(self, *arguments: str, environment: Mapping[str, str] | None = None, user: str = "") -> list[str]:
        """The command line, of this machine, that runs one in the root: as the image's user, with its environment."""
        given = self.environment | dict(environment or {})
        own = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        pairs = [f"{name}={value}" for name, value in (own | given).items()]
        identity = f"{user or self.user}:{user or self.user}"
        return ["chroot", f"--userspec={identity}", str(self.root), "env", "-i", f"--chdir={self.folder}", *pairs,
                *arguments]  # fmt: skip

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None, user: str = "") -> str:
        """Run it to its end and return what it said; fails with that where it does not exit 0."""
        line = self.line(*arguments, environment=environment, user=user)
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, f"{shlex.join(arguments)}: {done.stdout}"
        return done.stdout


def packages(folder: Path) -> Path:
    """The packages that production installs, fetched once: the root installs from there, as a host without network."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(DEPLOY / "requirements.txt")]
    done = subprocess.run([*command, "--dest", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot fetch the packages: {done.stderr.strip().splitlines()[-1]}")
    return folder


def root(folder: Path) -> Path:
    """A minimal Debian, from where this machine's own packages come."""
    if os.geteuid() != 0:
        pytest.skip("only root makes a Debian root")
    bootstrap = program("debootstrap")
    found = folder / "root"
    command = [bootstrap, "--variant=minbase", SUITE, str(found), *_mirror()]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        pytest.skip(f"debootstrap could not make a root: {done.stdout.strip().splitlines()[-1]}")
    for name in ("/etc/resolv.conf", "/etc/hosts"):
        shutil.copy(name, found / name[1:])
    for path in Path("/etc/apt/apt.conf.d").iterdir():  # a proxy, perhaps
        shutil.copy(path, found / "etc/apt/apt.conf.d")
    return found


def _mirror() -> list[str]:
    """The address this machine's Debian packages come from; none: debootstrap's own."""
    texts = [path.read_text() for path in Path("/etc/apt").rglob("*") if path.suffix in (".list", ".sources")]
    named = re.compile(r"(?:URIs:|^deb\b.*?)\s*((?:https?|file):\S+)", re.MULTILINE)
    addresses = [word for text in texts for word in named.findall(text)]
    return addresses[:1]


@contextmanager
def mounted(image: Path, places: Mapping[str, Path]) -> Iterator[None]:
    """The root with /proc and /dev, and with folders of this machine at their places in it."""
    done: list[Path] = []
    try:
        for place, source in {"proc": Path("/proc"), "dev": Path("/dev"), **places}.items():
            target = image / place.lstrip("/")
            target.mkdir(parents=True, exist_ok=True)
            mount = ["mount", "--bind", str(source), str(target)]
            if subprocess.run(mount, capture_output=True, check=False).returncode:
                pytest.skip("this machine mounts nothing: no folder can be handed into the root")
            done.append(target)
        yield
    finally:
        for target in reversed(done):
            subprocess.run(["umount", "--lazy", str(target)], check=True)


def play(image: Image, context: Path, arguments: Mapping[str, str]) -> None:
    """Carry out the instructions of deploy/Containerfile; `context` stands for the folder that it is built in.

    PIP_* says where the root's pip finds packages; apt-get finds its own.
    """
    variables = dict(arguments)
    text = re.sub(r"^#.*\n", "", (ROOT / "deploy" / "Containerfile").read_text(), flags=re.MULTILINE)
    for name, rest in INSTRUCTION.findall(text):
        words = rest.replace("\\\n", " ").strip()
        match name:
            case "FROM":
                assert words == f"debian:{SUITE}-slim"
            case "ARG":
                key, _, value = words.partition("=")
                variables.setdefault(key, value)
            case "RUN":
                pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": PIPED, "DEBIAN_FRONTEND": "noninteractive"}
                image.run("sh", "-euc", words, environment=variables | pip)
            case "COPY":
                source, target = words.split()
                shutil.copytree(context / source, image.root / target.lstrip("/"), dirs_exist_ok=True)
            case "ENV":
                image.environment |= dict(pair.split("=", 1) for pair in shlex.split(words))
            case "USER":
                image.user = words
            case "WORKDIR":
                image.folder = words
            case "ENTRYPOINT":
                image.entrypoint = tuple(_list(words))
            case "CMD":
                image.command = tuple(_list(words))
            case "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                raise AssertionError(f"the test does not know {name}")


def _list(words: str) -> list[str]:
    return re.findall(r'"([^"]*)"', words)
