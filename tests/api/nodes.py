"""Running a script of tests/npm with node, where node and what `npm ci` installs are there."""

import asyncio
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

NPM = Path(__file__).parents[1] / "npm"
SCRIPT_SECONDS_MAX = 120


async def run(script: str, *arguments: str, needs: str) -> str:
    """What the script prints. Skips the test where node or the package `needs` is missing, saying so."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (NPM / "node_modules" / needs).is_dir():
        pytest.skip(f"{needs} is not installed: npm ci --prefix tests/npm")
    process = await asyncio.create_subprocess_exec(node, NPM / script, *arguments, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(SCRIPT_SECONDS_MAX):
            printed, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode() + printed.decode()
    return printed.decode()
