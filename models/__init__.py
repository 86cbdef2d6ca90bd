"""Rows: the tables Tortoise reads and writes one object at a time, and every SQL text as a named function."""

from models.brands import Brand
from models.currencies import Currency
from models.groups import AccountGroup
from models.instruments import Instrument
from models.programs import Program, ProgramPhase
from models.tokens import Token

__models__ = [Brand, Token, Currency, Instrument, AccountGroup, Program, ProgramPhase]
