"""Documents requested by hash: trusted documents, which the operator lists, and automatic persisted queries.

For a persisted query a client sends the hash alone, gets PersistedQueryNotFound, and sends text and hash together; this
process then remembers the document, up to a limit. A desk that executes only trusted documents remembers none. A hash
is the sha256 of the document's text in hexadecimal. A request has it in `documentId`, with or without the prefix
`sha256:`, or in `extensions.persistedQuery.sha256Hash`.
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
    """The documents that may be requested by hash. With `only`, no others are executed.

    `remembered_max` is the limit of remembered documents of clients.
    """

    def __init__(self, texts: Mapping[str, str], *, only: bool = False, remembered_max: int = 0) -> None:
        self._texts = texts
        self._only = only
        self._remembered: OrderedDict[str, str] = OrderedDict()  # by hash, the last used one at the end
        self._remembered_max = remembered_max

    @classmethod
    def load(cls, settings: Settings) -> "TrustedDocuments":
        """Load the operator's documents. Raises Problem for a list that cannot be used."""
        place = settings.trusted_documents
        return cls(
            _listed(place) if place else {},
            only=settings.only_trusted_documents,
            remembered_max=settings.persisted_documents_max,
        )

    def text(self, parameters: OperationParameters) -> str | None:
        """Return the document to execute; None if the request has neither text nor hash.

        Raises UnknownDocument, NotTrusted, NotRemembered, and BadUserInput for a hash of another text.
        """
        digest = _digest(parameters)
        if digest is None:
            if self._only and parameters.query and hash_of(parameters.query) not in self._texts:
                raise NotTrusted("This desk executes only trusted documents; send the sha256 of one as documentId.")
            return parameters.query
        if parameters.query and hash_of(parameters.query) != digest:
            raise BadUserInput("The sha256 is not the hash of the `query` that was sent with it.")
        if digest in self._texts:
            return self._texts[digest]
        if not parameters.query:
            return self._recalled(digest)
        if self._only:
            raise NotRemembered("PersistedQueryNotSupported")  # clients recognize this text
        self._remember(digest, parameters.query)
        return parameters.query

    def _recalled(self, digest: str) -> str:
        """Return a document that a client has sent before. Raises UnknownDocument."""
        if digest not in self._remembered:
            raise UnknownDocument("PersistedQueryNotFound")  # clients recognize this text
        self._remembered.move_to_end(digest)
        return self._remembered[digest]

    def _remember(self, digest: str, text: str) -> None:
        """Remember the document, and forget the ones unused for longest above the limit."""
        if len(text) <= KEPT_CHARACTERS_MAX:
            self._remembered[digest] = text
            self._remembered.move_to_end(digest)
        while len(self._remembered) > self._remembered_max:
            self._remembered.popitem(last=False)


def hash_of(text: str) -> str:
    """Return the sha256 of a document's text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _digest(parameters: OperationParameters) -> str | None:
    """Return the hash that a request names; None if it names none."""
    if parameters.document_id is not None:
        return parameters.document_id.removeprefix(PREFIX).lower()
    persisted = (parameters.extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str):
        raise BadUserInput("`extensions.persistedQuery` must be an object whose `sha256Hash` is text.")
    return digest.lower()


def _listed(place: Path) -> dict[str, str]:
    """Return the documents of a folder's files, or of a JSON file that maps hashes to documents."""
    try:
        texts = [path.read_text() for path in sorted(place.rglob("*")) if path.suffix in ENDINGS]
        if place.is_dir():
            return {hash_of(text): text for text in texts}
        return _checked(json.loads(place.read_text()))
    except (OSError, ValueError) as error:
        raise Problem(f"PROPDESK_TRUSTED_DOCUMENTS={str(place)!r} cannot be read: {error}") from None


def _checked(listed: Any) -> dict[str, str]:
    """Return the mapping. Raises ValueError unless every key is the hash of its document."""
    if not isinstance(listed, dict):
        raise ValueError("it must be a JSON object that maps sha256 to document")
    texts = {key.removeprefix(PREFIX).lower(): text for key, text in listed.items()}
    for digest, text in texts.items():
        if not isinstance(text, str) or hash_of(text) != digest:
            raise ValueError(f"{digest!r} is not the sha256 of its document")
    return texts
