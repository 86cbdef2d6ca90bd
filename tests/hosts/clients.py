"""Clients that know both API hosts: each asks the nearest, and the other once that one does not answer."""

import socket
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from cli.listener import Event, Listener

CONNECT_SECONDS_MAX = 2.0
ANSWER_SECONDS_MAX = 15.0  # longer than a host may still do what was asked: what is in doubt is looked up afterwards
SILENCE_SECONDS = 4  # after which a host that acknowledges nothing is given up
SOCKET_OPTIONS = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, option, 1) for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000),
]
ELSEWHERE = 20  # requests before the nearest host is tried again
AWAY = frozenset({502, 503, 504})


class EitherHost(httpx.AsyncBaseTransport):
    """Sends requests to the nearest address, and after a failure some to the next one. Whoever asked asks again."""

    def __init__(self, urls: Sequence[str], nearest: int) -> None:
        self._urls = [httpx.URL(url) for url in urls]
        self._nearest = self._place = nearest
        self._elsewhere = 0  # requests that went elsewhere in a row
        self._transport = httpx.AsyncHTTPTransport(socket_options=SOCKET_OPTIONS)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._elsewhere = 0 if self._place == self._nearest else self._elsewhere + 1
        if self._elsewhere > ELSEWHERE:
            self._place = self._nearest
        request.url = self._urls[self._place % len(self._urls)]
        request.headers["Host"] = request.url.netloc.decode()
        seconds = dict.fromkeys(("read", "write", "pool"), ANSWER_SECONDS_MAX) | {"connect": CONNECT_SECONDS_MAX}
        request.extensions = {**request.extensions, "timeout": seconds}
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.TransportError:
            self._place += 1
            raise
        if response.status_code in AWAY:
            self._place += 1
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


class EitherListener(Listener):
    """A subscriber that resumes by its cursor at the other host when its connection is lost."""

    def __init__(self, urls: Sequence[str], nearest: int, token: str, told: Callable[[Event], None]) -> None:
        super().__init__(urls[0], token, told, after="0")
        self._urls = [url.replace("http", "ws", 1) for url in urls]
        self._place = nearest
        self.url = self._urls[nearest % len(urls)]
        self.ends: list[str] = []  # why connections ended

    async def _listen(self) -> None:
        try:
            await super()._listen()
        except Exception as error:
            self.ends.append(f"{type(error).__name__}: {error}")
            raise
        finally:
            self._place += 1
            self.url = self._urls[self._place % len(self._urls)]


def numbers(events: Sequence[dict[str, Any]]) -> list[int]:
    """The positions of events, in the order in which they came."""
    return [int(event["position"]) for event in events]
