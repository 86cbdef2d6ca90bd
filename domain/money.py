"""Exact amounts: decimals with eight places, rounded half-even once, when an amount is booked."""

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)

ZERO = Decimal(0)
ONE = Decimal(1)
TWO = Decimal(2)
HUNDRED = Decimal(100)
PLACES = 8
PRICE_PLACES = 12  # the most an instrument's prices may have; a mid has one more
PERCENT = Decimal("0.01")
HALF = Decimal("0.5")
AMOUNT_UNIT = Decimal("0.00000001")
TWELFTH = Decimal("0.000000000001")
COST_UNIT = Decimal("0.000000000000000001")
DIGITS_MAX = 20  # before the point: what numeric(28, 8) holds
AMOUNT_MAX = Decimal(10) ** DIGITS_MAX  # exclusive
PLACES_READ = 30  # a number whose first digit comes later is none that anybody means

# Wide enough for a product of two amounts at full length; the default context would round it at 28 digits.
EXACT = Context(prec=96, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])


class NotAnAmount(ValueError):
    """The text is not an amount the desk can hold."""


class NotStorable(ValueError):
    """A figure of an account has more digits than its column."""


multiply = EXACT.multiply
"""The exact product."""

add = EXACT.add
"""The exact sum."""

subtract = EXACT.subtract
"""The exact difference."""

divide = EXACT.divide
"""The quotient to 96 digits; round it where it is booked."""

remainder = EXACT.remainder
"""What is left of a value beyond whole multiples of another."""

quantize = EXACT.quantize
"""The value with the places of another, half-even."""


def round8(value: Decimal) -> Decimal:
    """Return the value booked: eight places, half-even."""
    return quantize(value, AMOUNT_UNIT)


def ceil8(value: Decimal) -> Decimal:
    """Return a fee as booked: eight places, rounded up."""
    return value.quantize(AMOUNT_UNIT, ROUND_CEILING, EXACT)


def round18(value: Decimal) -> Decimal:
    """Return a cost basis or a conversion rate: eighteen places, half-even."""
    return quantize(value, COST_UNIT)


def round_price(value: Decimal) -> Decimal:
    """Return a price computed for reading: twelve places, half-even."""
    return quantize(value, TWELFTH)


def percent(value: Decimal, pct: Decimal) -> Decimal:
    """`pct` hundredths of the value, rounded to eight places."""
    return quantize(multiply(multiply(value, pct), PERCENT), AMOUNT_UNIT)


def denoise(value: Decimal, step: Decimal, tolerance: Decimal) -> Decimal:
    """The multiple of `step` within `tolerance` of the value: what a sum of floats means; where none is, the value."""
    whole = multiply(divide(value, step).to_integral_value(ROUND_HALF_EVEN), step)
    return whole if whole and abs(value - whole) <= tolerance else value


def floor_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that does not exceed the value; both are positive."""
    return EXACT.multiply(EXACT.divide_int(value, step), step)


def floor_minor(value: Decimal, minor_units: int) -> Decimal:
    """Return the value cut to a currency's minor unit, towards zero."""
    return value.quantize(Decimal(1).scaleb(-minor_units), rounding=ROUND_DOWN, context=EXACT)


def is_whole_minor(value: Decimal, minor_units: int) -> bool:
    """Return whether the amount is a multiple of the currency's minor unit."""
    return floor_minor(value, minor_units) == value


def plain(value: Decimal) -> str:
    """Return the one text of an amount: no exponent, no trailing zeros, no negative zero."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def parse(text: str) -> Decimal:
    """Return an amount from text. Raises NotAnAmount saying what is wrong: not a number, not finite, too long."""
    value = parse_number(text)
    if round8(value) != value:
        raise NotAnAmount(f"has more than {PLACES} decimal places")
    return value


def parse_number(text: str) -> Decimal:
    """Return a number from text, of any number of decimal places. Raises NotAnAmount like `parse`."""
    if len(text) > 64:
        raise NotAnAmount("is longer than 64 characters")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise NotAnAmount(f"is not a decimal number: {text!r}") from None
    if not value.is_finite():
        raise NotAnAmount(f"is not finite: {text!r}")
    if not text.isascii() or "_" in text or text != text.strip():
        raise NotAnAmount(f"is not a plain decimal number: {text!r}")
    if not value:
        return ZERO  # whatever its exponent was
    if value.adjusted() >= DIGITS_MAX:
        raise NotAnAmount(f"is beyond {DIGITS_MAX} digits before the point")
    if value.adjusted() < -PLACES_READ:
        raise NotAnAmount(f"begins after the {PLACES_READ}th decimal place")
    return value
