"""Documents requested by their hash: those the operator lists, and those clients have sent together with their hash.

The second kind are automatic persisted queries: a client sends the hash alone, is told PersistedQueryNotFound, and
sends text and hash; from then on this process knows the hash. What it remembers is bounded and may be forgotten. A desk
that executes listed documents only remembers none. A hash is the sha256 of the document's text, in hexadecimal,
wherever it stands: in `documentId`, with or without `sha256:` before it, or in `extensions.persistedQuery.sha256Hash`.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.request.parameters import OperationParameters
from config.errors import Problem
from config.settings import Settings
from schema.engine.document_limits import KEPT_CHARACTERS_MAX
from schema.engine.errors import BadUserInput, NotRemembered, NotTrusted, UnknownDocument

PREFIX = "sha256:"
ENDINGS = (".graphql", ".gql")


class TrustedDocuments:
    """The documents that may be requested by hash. Where `only` is set, no others are executed.

    `remembered_max` bounds how many documents are remembered that clients sent with their hash.
    """

    def __init__(self, texts: Mapping[str, str], *, only: bool = False, remembered_max: int = 0) -> None:
        self._texts = texts
        self._only = only
        self._remembered: OrderedDict[str, str] = OrderedDict()  # by hash, the one used last at the end
        self._remembered_max = remembered_max

    @classmethod
    def trusted(cls, settings: Settings) -> "TrustedDocuments":
        """Those of the settings. Raises Problem for a list that cannot be used."""
        place = settings.trusted_documents
        return cls(
            _listed(place) if place else {},
            only=settings.only_trusted_documents,
            remembered_max=settings.persisted_documents_max,
        )

    def text(self, asked: OperationParameters) -> str | None:
        """The document to execute; None where the request names none.

        Raises UnknownDocument, NotTrusted, NotRemembered, and BadUserInput where text and hash do not belong together.
        """
        digest = _digest(asked)
        if digest is None:
            if self._only and asked.query and hash_of(asked.query) not in self._texts:
                raise NotTrusted("This desk executes only documents of its list; ask for one by its sha256.")
            return asked.query
        if asked.query and hash_of(asked.query) != digest:
            raise BadUserInput("The sha256 is not that of the `query` beside it.")
        if digest in self._texts:
            return self._texts[digest]
        if not asked.query:
            return self._recalled(digest)
        if self._only:
            raise NotRemembered("PersistedQueryNotSupported")  # the words that clients know
        self._remember(digest, asked.query)
        return asked.query

    def _recalled(self, digest: str) -> str:
        """A document that a client has sent before. Raises UnknownDocument."""
        if digest not in self._remembered:
            raise UnknownDocument("PersistedQueryNotFound")  # the words that clients know
        self._remembered.move_to_end(digest)
        return self._remembered[digest]

    def _remember(self, digest: str, text: str) -> None:
        """Keep the document for the next request by its hash, and forget those used longest ago."""
        if len(text) <= KEPT_CHARACTERS_MAX:
            self._remembered[digest] = text
            self._remembered.move_to_end(digest)
        while len(self._remembered) > self._remembered_max:
            self._remembered.popitem(last=False)


def hash_of(text: str) -> str:
    """The sha256 of a document's text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _digest(asked: OperationParameters) -> str | None:
    """The hash a request names, if it names one."""
    if asked.document_id is not None:
        return asked.document_id.removeprefix(PREFIX).lower()
    persisted = (asked.extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str):
        raise BadUserInput("`extensions.persistedQuery` must be an object whose `sha256Hash` is text.")
    return digest.lower()


def _listed(place: Path) -> dict[str, str]:
    """The documents of a folder's files, or of a JSON object that has each under its hash."""
    try:
        texts = [path.read_text() for path in sorted(place.rglob("*")) if path.suffix in ENDINGS]
        if place.is_dir():
            return {hash_of(text): text for text in texts}
        return _checked(json.loads(place.read_text()))
    except (OSError, ValueError) as error:
        raise Problem(f"PROPDESK_TRUSTED_DOCUMENTS={str(place)!r} cannot be read: {error}") from None


def _checked(listed: Any) -> dict[str, str]:
    """The JSON object, once every key is the hash of its text."""
    if not isinstance(listed, dict):
        raise ValueError("it has no JSON object in it")
    texts = {key.removeprefix(PREFIX).lower(): text for key, text in listed.items()}
    for digest, text in texts.items():
        if not isinstance(text, str) or hash_of(text) != digest:
            raise ValueError(f"{digest!r} is not the sha256 of its document")
    return texts
