"""Prices as files write them: with a point or a comma, and with thousands apart."""

import re

NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)

_GROUPED = re.compile(r"[+-]?\d{1,3}([, ']\d{3})+\.\d+", re.ASCII)  # 60,000.50
_GROUPED_BY_POINTS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+", re.ASCII)  # 60.000,50
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)  # 1,08340
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)  # 1,083 may be a thousand and more


def number(text: str, delimiter: str) -> str | None:
    """The number with a decimal point; None for text that is no number, or may be two: 1,083 in a file of commas."""
    if NUMBER.fullmatch(text):
        return text
    if _GROUPED.fullmatch(text):
        return re.sub(r"[, ']", "", text)
    if _GROUPED_BY_POINTS.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    if _DECIMAL_COMMA.fullmatch(text) and (delimiter != "," or not _AMBIGUOUS.fullmatch(text)):
        return text.replace(",", ".")
    return None


def places(text: str) -> int:
    """The decimal places a price is written with."""
    return len(text.rpartition(".")[2]) if "." in text else 0
