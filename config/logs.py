"""One line per log record: instant, level, process, logger, message, then the extra facts as key=value."""

import logging
import time

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_CHATTY = ("asyncio", "dramatiq", "dramatiq_postgres", "httpx", "httpcore", "tortoise", "uvicorn.access")
_LAMENTING = ("asyncpg.pool", "psycopg.pool")  # each attempt to reconnect, with a traceback; what fails by it says so


class LineFormatter(logging.Formatter):
    """`2026-01-31T09:30:00.123Z INFO worker services.jobs: job done job=7`; a traceback follows on its own lines."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {process} %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        facts = [f"{key}={value}" for key, value in vars(record).items() if key not in _STANDARD]
        return " ".join([super().formatMessage(record), *facts])


def configure_logging(level: str, process: str) -> None:
    """Send everything to stderr at `level`; libraries that narrate are heard from WARNING on unless at DEBUG."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for names, heard_from in ((_CHATTY, logging.WARNING), (_LAMENTING, logging.CRITICAL)):
        for name in names:
            logging.getLogger(name).setLevel(logging.NOTSET if level == "DEBUG" else heard_from)
