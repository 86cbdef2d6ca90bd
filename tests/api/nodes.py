"""A runner of the scripts of tests/npm with node, if node and the packages of `make npm` are installed."""

import asyncio
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

NPM = Path(__file__).parents[1] / "npm"
NODE_MIN = 20
SCRIPT_SECONDS_MAX = 120


async def run(script: str, *arguments: str, needs: str) -> str:
    """Return the script's output. Skip the test, with a reason, if node or the package `needs` is missing."""
    command = [_node(needs), str(NPM / script), *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(SCRIPT_SECONDS_MAX):
            printed, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode() + printed.decode()
    return printed.decode()


def _node(needs: str) -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < NODE_MIN:
        pytest.skip(f"node is {version}; {NODE_MIN} or newer is wanted")
    if not (NPM / "node_modules" / needs).is_dir():
        pytest.skip(f"{needs} is not installed: make npm")
    return node
