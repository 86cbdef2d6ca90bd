"""Running `propdesk` as its users do: as a process."""

import os
import socket
import subprocess
import sys

COMMAND = [sys.executable, "-P", "-m", "cli.main"]


def propdesk(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, within three minutes however busy the machine is."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def a_free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
