"""TCP keep-alives: the time until a peer that vanished (a cut cable, a host without power) counts as lost.

TCP itself waits for a quarter of an hour for an answer to what it has sent, and for ever where it has sent nothing. So
each connection to PostgreSQL probes an idle peer, at both ends, and gives up what is not acknowledged in time.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from config.settings import settings

_OPTIONS = {  # the kernel's word for each of libpq's
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
}


@dataclass(frozen=True, slots=True)
class Keepalives:
    """TCP's settings for one connection. Whatever it is doing, a dead peer is noticed within `seconds`, at least 2."""

    seconds: float

    @property
    def interval(self) -> int:
        """Seconds between probes."""
        return max(1, int(self.seconds / 5))

    @property
    def probes(self) -> int:
        """Probes without an answer after which the peer is gone."""
        return max(1, min(3, int(self.seconds - 1) // self.interval))

    @property
    def idle(self) -> int:
        """Seconds of silence before the first probe."""
        return max(1, int(self.seconds) - self.probes * self.interval)

    def of_libpq(self) -> dict[str, int]:
        """Return the keep-alives as libpq options."""
        return {
            "keepalives_idle": self.idle,
            "keepalives_interval": self.interval,
            "keepalives_count": self.probes,
            "tcp_user_timeout": round(self.seconds * 1000),
        }

    def of_server(self) -> dict[str, str]:
        """The same for the server's end, in PostgreSQL's words: locks of a client that is gone are free as soon."""
        values = self.of_libpq().items()
        return {name if name.startswith("tcp_") else f"tcp_{name}": str(value) for name, value in values}

    def set_on(self, peer: Any, others: Mapping[str, object] = MappingProxyType({})) -> None:
        """Set them on a connected socket, as far as this system has them. `others`, in libpq's words, go first."""
        if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6) or others.get("keepalives") == "0":
            return
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in self.of_libpq().items():
            wanted, option = int(str(others.get(name, value))), getattr(socket, _OPTIONS[name], None)
            if option is not None and wanted > 0:
                with suppress(OSError):  # beyond what the kernel takes
                    peer.setsockopt(socket.IPPROTO_TCP, option, wanted)


def keepalives() -> Keepalives:
    """Return those that this process's settings ask for."""
    return Keepalives(settings().silence_seconds_max)
