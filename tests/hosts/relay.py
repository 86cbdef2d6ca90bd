"""A slow and lossy cable in user space, for kernels without netem: passes Ethernet frames on late, and not all of them.

It runs in the switch's namespace between two interfaces. With each frame it passes on what the kernel says of its
checksum and segments (PACKET_VNET_HDR), because between virtual interfaces the kernel fills in neither.
"""

import random
import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field

EVERY_PROTOCOL = 0x0003  # ETH_P_ALL
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23  # else it would see, and send back, what it has sent itself
SOL_PACKET = 263
FRAME_BYTES_MAX = 10 + 14 + (64 << 10)
BUFFER_BYTES = 8 << 20
FRAMES_MAX = 200  # read from one interface in a row


@dataclass(slots=True)
class Way:
    """One direction: frames that wait until they are due."""

    source: socket.socket
    target: socket.socket
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)

    def take(self, delay: float, loss: float, chance: random.Random) -> None:
        """Read what has come; lose some of it."""
        for _ in range(FRAMES_MAX):
            try:
                frame = self.source.recv(FRAME_BYTES_MAX)
            except OSError:  # nothing more is there, or the interface is down
                return
            if chance.random() >= loss:
                self.waiting.append((time.monotonic() + delay, frame))

    def pass_on(self, now: float) -> None:
        """Send what is due."""
        while self.waiting and self.waiting[0][0] <= now:
            _, frame = self.waiting.popleft()
            try:
                self.target.send(frame)
            except OSError:  # the interface is down, or its queue is full: a cable loses what it cannot take
                continue


def relay(one: str, other: str, delay: float, loss: float, seed: int) -> None:
    """Pass frames between two interfaces, each way `delay` seconds late and without the share `loss`, until killed."""
    here, there = _opened(one), _opened(other)
    ways = [Way(here, there), Way(there, here)]
    chance = random.Random(seed)
    with selectors.DefaultSelector() as selector:
        for way in ways:
            selector.register(way.source, selectors.EVENT_READ, way)
        print("ready", flush=True)
        while True:
            due = [way.waiting[0][0] for way in ways if way.waiting]
            for key, _ in selector.select(max(0.0, min(due) - time.monotonic()) if due else None):
                key.data.take(delay, loss, chance)
            for way in ways:
                way.pass_on(time.monotonic())


def _opened(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # of no protocol yet: it takes nothing before it is bound
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    end.bind((interface, EVERY_PROTOCOL))
    end.setblocking(False)
    return end


if __name__ == "__main__":
    relay(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
