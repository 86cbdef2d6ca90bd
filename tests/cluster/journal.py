"""A journal outside the desk: what its clients sent, what it answered, and which answers leave the outcome in doubt.

A file of JSON lines. A request is on the disk before it is sent, and its outcome before anybody acts on it, so the
journal is right whoever is killed. The comparison afterwards (comparison.py) takes it for the truth.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Any, Self


class Outcome(StrEnum):
    """What is known of a request."""

    UNKNOWN = "UNKNOWN"  # sent, and never answered for certain
    DONE = "DONE"  # acknowledged
    REFUSED = "REFUSED"  # answered with a code: nothing was done


@dataclass(slots=True)
class Request:
    """A mutation of one root field, however often it was sent."""

    id: str  # its idempotency key, and its reason where it has one
    who: str
    operation: str  # the mutation's root field
    content: dict[str, Any]
    sent_at: float  # seconds since the epoch, by the clock of the clients' machine
    outcome: Outcome = Outcome.UNKNOWN
    answered_at: float | None = None
    payload: dict[str, Any] = field(default_factory=dict)  # of one that is DONE
    codes: tuple[str, ...] = ()  # of one that is REFUSED
    doubts: list[str] = field(default_factory=list)  # attempts after which the outcome was not known

    @property
    def may_be_done_before(self) -> bool:
        """Whether an attempt before the last one may have been done without an answer."""
        return bool(self.doubts)


class Journal:
    """The journal of one run, a context that closes its file. Used by one process; any other may `read` the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.requests: dict[str, Request] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}  # by subscriber, in the order of arrival
        self.notes: list[dict[str, Any]] = []
        self._file: FileIO | None = None

    @classmethod
    def read(cls, path: Path) -> "Journal":
        """The journal as its file says; a line that was cut off by a kill is the last, and left out."""
        journal = cls(path)
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                journal._take(json.loads(line))
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        if self._file is not None:
            self._file.close()

    def send(self, who: str, operation: str, content: Mapping[str, Any], key: str | None = None) -> Request:
        """Note a request that is about to be sent; its id is the key, or made here."""
        name = key or self.name(who)
        assert name not in self.requests, f"{name} is sent once, and then again by whoever sent it"
        self._write(kind="sent", id=name, who=who, operation=operation, content=dict(content))
        return self.requests[name]

    def name(self, who: str) -> str:
        """An id that no request of this journal has."""
        return f"{who}-{len(self.requests) + 1}"

    def doubt(self, request: Request, why: str) -> None:
        """The attempt had no answer, or one that does not say whether it was done."""
        self._write(kind="doubt", id=request.id, why=why)

    def done(self, request: Request, payload: Mapping[str, Any]) -> None:
        """The desk acknowledged the request."""
        self._write(kind="done", id=request.id, payload=dict(payload))

    def refuse(self, request: Request, codes: tuple[str, ...]) -> None:
        """The desk refused the request."""
        self._write(kind="refused", id=request.id, codes=codes)

    def event(self, subscriber: str, event: Mapping[str, Any]) -> None:
        """An event reached a subscriber. Not synced: a subscriber that lost it would resume before it."""
        self._write(sync=False, kind="event", subscriber=subscriber, event=dict(event))

    def note(self, what: str, **facts: Any) -> dict[str, Any]:
        """Record an event of the run that is no request: an injected fault, the end of a process, a restore point."""
        self._write(kind="note", what=what, facts=facts)
        return self.notes[-1]

    def of(self, *operations: str, outcome: Outcome = Outcome.DONE) -> Iterator[Request]:
        """The requests of these operations with that outcome, in the order in which they were sent."""
        for request in self.requests.values():
            if request.outcome is outcome and (not operations or request.operation in operations):
                yield request

    def summary(self) -> dict[str, int]:
        """How many requests had which outcome, and how many of them were ever in doubt."""
        counts = {outcome.value: 0 for outcome in Outcome} | {"DOUBTED": 0}
        for request in self.requests.values():
            counts[request.outcome.value] += 1
            counts["DOUBTED"] += request.may_be_done_before
        return counts

    def _write(self, *, sync: bool = True, **line: Any) -> None:
        line["at"] = time.time()
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
        self._file.write(json.dumps(line, separators=(",", ":"), default=str).encode() + b"\n")
        if sync:
            os.fdatasync(self._file.fileno())
        self._take(line)

    def _take(self, line: Mapping[str, Any]) -> None:
        match line["kind"]:
            case "sent":
                request = Request(line["id"], line["who"], line["operation"], line["content"], line["at"])
                self.requests[request.id] = request
            case "doubt":
                self.requests[line["id"]].doubts.append(line["why"])
            case "done":
                self._answer(line, Outcome.DONE).payload = line["payload"]
            case "refused":
                self._answer(line, Outcome.REFUSED).codes = tuple(line["codes"])
            case "event":
                self.events.setdefault(line["subscriber"], []).append(line["event"])
            case "note":
                self.notes.append({"at": line["at"], "what": line["what"], **line["facts"]})

    def _answer(self, line: Mapping[str, Any], outcome: Outcome) -> Request:
        request = self.requests[line["id"]]
        request.outcome, request.answered_at = outcome, line["at"]
        return request
