"""The limits of open connections: of the whole process, and of one address while its clients are anonymous."""

import resource
from collections import Counter
from collections.abc import Callable

from config.keepalives import Keepalives
from config.settings import Settings

ANONYMOUS = "propdesk.anonymous"  # the scope's extension that holds the connection's AnonymousConnection
FILES_SHARE = 0.8  # of the files that the process may open; the rest is for the database, logs and the like


class ConnectionLimiter:
    """The limits of open connections, with the number of anonymous ones by address."""

    def __init__(self, settings: Settings) -> None:
        self.head_seconds = settings.head_seconds_max
        self.silence = Keepalives(settings.client_silence_seconds_max)
        self.most = min(settings.connections_max, int(_files() * FILES_SHARE))
        self.anonymous_most = min(settings.strangers_address_max, max(1, self.most // 2))
        self.anonymous: Counter[str] = Counter()

    def refusal(self, connections: int, address: str) -> str | None:
        """Return the limit that one more connection exceeds; None if it may stay."""
        if connections > self.most:
            return "process"
        return "address" if self.anonymous[address] >= self.anonymous_most else None


def _files() -> int:
    """Raise the limit of open files to its maximum, and return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most if most != resource.RLIM_INFINITY else 1 << 20


class AnonymousConnection:
    """A connection that counts as anonymous until its client has sent a valid token."""

    on_disconnect: Callable[[], object] | None = None  # called if the client goes while its request is answered

    def __init__(self, limiter: ConnectionLimiter, address: str) -> None:
        self._limiter, self._address, self._counts = limiter, address, True
        limiter.anonymous[address] += 1

    def end(self) -> None:
        """Stop counting it: its client is authenticated, or has gone."""
        if self._counts:
            self._counts = False
            self._limiter.anonymous[self._address] -= 1
            if not self._limiter.anonymous[self._address]:
                del self._limiter.anonymous[self._address]
