"""Debian's programs that the tests of deploy/ run for real."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.sources import ROOT

DEPLOY = ROOT / "deploy"


def program(name: str) -> str:
    """The program's path; where it is not installed the test is skipped, saying so."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed; .ci/services installs it")
    return path


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run to the end and return what it said on both streams; fails with that where it does not exit 0."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
