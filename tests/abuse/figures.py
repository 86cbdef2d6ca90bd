"""What the attacked API says of itself: how long its loop was held, what is in flight, and how much memory it has."""

import re
from typing import Any

import httpx
import psutil

HELD = re.compile(r'propdesk_loop_held_seconds_bucket\{le="([^"]+)"\} (\S+)')
MEBIBYTE = 1 << 20


class Held:
    """How often the loop was held for how long, by the upper ends of the histogram's buckets."""

    def __init__(self, page: str) -> None:
        self._through = {float(end): float(many) for end, many in HELD.findall(page)}

    def longest_since(self, before: "Held") -> float:
        """Return the upper end, in milliseconds, of the highest bucket in which something was counted since."""
        longest, below = 0.0, 0.0
        for end, many in sorted(self._through.items()):
            new = many - before._through.get(end, 0.0)  # noqa: SLF001 - another of this class
            if new > below:
                longest = end
            below = new
        return longest * 1000

    def beyond(self, before: "Held", seconds: float) -> int:
        """Return how often since it was held for longer than one of the buckets' ends."""
        new = {end: many - before._through.get(end, 0.0) for end, many in self._through.items()}  # noqa: SLF001 - as above
        return int(new[float("inf")] - new[seconds])


async def page(http: httpx.AsyncClient) -> str:
    """The metrics as text."""
    return (await http.get("/metrics")).raise_for_status().text


def figure(text: str, name: str) -> float:
    """One figure of them, its labels summed; 0 where it is not there."""
    return sum(float(many) for many in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def resident(process: int) -> float:
    """Mebibytes of a process."""
    return float(psutil.Process(process).memory_info().rss) / MEBIBYTE


def api_process(port: int) -> int:
    """The process that listens at the port."""
    listening: list[Any] = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    [process] = {one.pid for one in listening if one.laddr.port == port}
    return int(process)
