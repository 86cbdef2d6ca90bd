"""Content negotiation: the media type of an answer, chosen by the client's Accept header."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
HTML = "text/html"
MEDIA_TYPES = (JSON, GRAPHQL)  # the first one wins a tie: clients that accept anything may not know the second
UTF_8 = ("utf-8", "utf8")


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One range of an Accept header, such as `text/*;q=0.5`."""

    media_type: str
    quality: float
    charset: str

    def fits(self, offered: str) -> int:
        """Return how closely the range matches the offered type: 0 not at all, 3 exactly."""
        if self.charset not in ("", "*", *UTF_8):
            return 0
        if self.media_type == offered:
            return 3
        if self.media_type == f"{offered.partition('/')[0]}/*":
            return 2
        return 1 if self.media_type == "*/*" else 0


def preferred_media_type(request: Request, offered: Sequence[str] = MEDIA_TYPES) -> str | None:
    """Return the offered media type that the client prefers; None if it accepts none of them."""
    if (first := request.headers.get("accept")) is None or (first == JSON and offered[0] == JSON):
        return offered[0]
    ranges = [_range(part) for text in request.headers.getlist("accept") for part in text.split(",") if part.strip()]
    if not ranges:
        return offered[0]
    ranked = [(rank, media_type) for media_type in offered if (rank := _rank(ranges, media_type))[0] > 0]
    return max(ranked, key=lambda one: one[0])[1] if ranked else None


def _rank(ranges: Sequence[MediaRange], offered: str) -> tuple[float, int, int]:
    """Return the preference for the type: quality of its closest range, then closeness, then place in the header."""
    fitting = [(closeness, -place, one.quality) for place, one in enumerate(ranges) if (closeness := one.fits(offered))]
    if not fitting:
        return 0.0, 0, 0
    closeness, place, quality = max(fitting)
    return quality, closeness, place if closeness == 3 else 0


def _range(text: str) -> MediaRange:
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    named = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
    try:
        quality = float(named.get("q", "1"))
    except ValueError:
        quality = 0.0
    return MediaRange(media_type, quality if 0 <= quality <= 1 else 0.0, named.get("charset", "").strip('"'))
