"""Log formatting: one line per record, as text or JSON, with its context: request, job, account."""

import json
import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_CHATTY = ("asyncio", "dramatiq", "dramatiq_postgres", "httpx", "httpcore", "tortoise", "uvicorn.access")
_LAMENTING = ("asyncpg.pool", "psycopg.pool")  # each attempt to reconnect, with a traceback; what fails by it says so
# The brokers' clients, and Dramatiq's consumers and brokers, do the same at every level, and `config/broker_link.py`
# says it once.
_OF_BROKERS = (
    "pika",
    "redis",
    "dramatiq.brokers",
    *(f"dramatiq.worker.ConsumerThread({of})" for of in ("jobs", "marks")),
)
_NEVER = logging.CRITICAL + 1

_NOTHING: Mapping[str, object] = MappingProxyType({})
_about: ContextVar[Mapping[str, object]] = ContextVar("about", default=_NOTHING)


class about:  # noqa: N801 - used like a function
    """Adds facts to every record logged inside the block by this task and its child tasks; None is omitted."""

    __slots__ = ("_before", "_facts")

    def __init__(self, **facts: object) -> None:
        self._facts = {name: fact for name, fact in facts.items() if fact is not None}

    def __enter__(self) -> None:
        self._before = _about.get()
        _about.set({**self._before, **self._facts})

    def __exit__(self, *_raised: object) -> None:
        _about.set(self._before)  # not reset by its token: a generator may be closed in another context


def _facts(record: logging.LogRecord) -> dict[str, object]:
    """Return the facts of the context, then those of the record itself."""
    return {**_about.get(), **{name: fact for name, fact in vars(record).items() if name not in _STANDARD}}


class LineFormatter(logging.Formatter):
    """`2026-01-31T09:30:00.123Z INFO worker services.jobs: job done job=7`; a traceback follows on its own lines."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {process} %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        facts = [f"{name}={fact}" for name, fact in _facts(record).items()]
        return " ".join([super().formatMessage(record), *facts])


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, process, logger, message, the facts, and `traceback` where there is one.

    A fact never takes the place of one of the first five.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = _facts(record) | {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


FORMATTERS = {"text": LineFormatter, "json": JsonFormatter}


def configure_logging(level: str, process: str, form: str = "text") -> None:
    """Log to stderr from `level` on; verbose libraries only from WARNING on, unless `level` is DEBUG."""
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATTERS[form](process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for names, heard_from in ((_CHATTY, logging.WARNING), (_LAMENTING, logging.CRITICAL), (_OF_BROKERS, _NEVER)):
        for name in names:
            logging.getLogger(name).setLevel(logging.NOTSET if level == "DEBUG" else heard_from)
