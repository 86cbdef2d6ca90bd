"""The bytes of quote files: plain, or packed by gzip, bzip2, xz, zstd or zip, known by their first bytes."""

import bz2
import gzip
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

from config.errors import Problem

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LAYERS_MAX = 3  # a zip of a gzip happens; deeper is no quote file
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")  # of a zip, and of one without members
UNPACKERS: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", lambda raw: gzip.GzipFile(fileobj=raw, mode="rb")),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", zstd.ZstdFile),
)
UNREADABLE = {b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"PAR1": "Parquet", b"\xd0\xcf\x11\xe0": "Excel"}
DAMAGES = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstd.ZstdError, zipfile.BadZipFile)
TABLES = (".csv", ".tsv", ".txt", ".prn")  # in the order of preference: HistData packs a report as .txt with its .csv


class Source(NamedTuple):
    """One table of quotes: a file, or a member of a zip."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path} ({self.member})" if self.member else str(self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that may tell a symbol or a date: the table's own first, then its archive's."""
        own = (PurePosixPath(self.member).name,) if self.member else ()
        return (*own, self.path.name)


def sources_of(paths: Sequence[Path]) -> list[Source]:
    """The tables in the files. Raises Problem for a file that cannot be read, or a zip without a table."""
    found: list[Source] = []
    for path in paths:
        members = _members(path)
        found += [Source(path)] if members is None else [Source(path, member) for member in members]
    return found


def _members(path: Path) -> list[str] | None:
    """The tables in a zip, by name; None for a file that is no zip."""
    with _readable(path), path.open("rb") as raw:
        if not raw.read(4).startswith(ZIP_MAGICS):
            return None
        with zipfile.ZipFile(raw) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    names = [
        name for name in names if not name.startswith("__MACOSX/") and not PurePosixPath(name).name.startswith(".")
    ]
    for suffix in TABLES:
        if tables := sorted(name for name in names if suffix in PurePosixPath(name.lower()).suffixes):
            return tables
    raise Problem(f"cannot read {path}: the zip holds no table ({', '.join(names[:5]) or 'it is empty'})")


@contextmanager
def open_source(source: Source) -> Iterator[IO[bytes]]:
    """The source's bytes, unpacked. Raises Problem where it cannot be opened."""
    with _readable(source.path), ExitStack() as stack:
        stream: Any = stack.enter_context(source.path.open("rb"))
        if source.member is not None:
            archive = stack.enter_context(zipfile.ZipFile(stream))
            try:
                stream = BufferedReader(stack.enter_context(archive.open(source.member)))
            except RuntimeError as error:  # it asks for a password
                raise Problem(f"cannot read {source}: {error}") from None
        for _ in range(LAYERS_MAX):
            head = stream.peek(8)[:8]
            for magic, kind in UNREADABLE.items():
                if head.startswith(magic):
                    raise Problem(f"cannot read {source}: {kind} is not supported; save it as CSV")
            unpack = next((unpack for magic, unpack in UNPACKERS if head.startswith(magic)), None)
            if unpack is None:
                break
            stream = BufferedReader(stack.enter_context(unpack(stream)))
        yield cast(IO[bytes], stream)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError:
        raise Problem(f"cannot read {path}: the packed data are cut off") from None
    except DAMAGES as error:
        raise Problem(f"cannot read {path}: the packed data are damaged ({error})") from None
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror or error}") from None
