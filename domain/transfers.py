"""Transfers: what moves money, which money, and the firm's own accounts it moves between."""

from enum import StrEnum


class MoneyKind(StrEnum):
    """Money of wallets and of the firm, or money of trading accounts."""

    REAL = "REAL"
    SYNTHETIC = "SYNTHETIC"


class TransferKind(StrEnum):
    FEE = "FEE"
    REFUND = "REFUND"
    FEE_RETURN = "FEE_RETURN"
    DEPOSIT = "DEPOSIT"
    ADJUSTMENT = "ADJUSTMENT"
    PAYOUT_PROFIT = "PAYOUT_PROFIT"
    PAYOUT_SHARE = "PAYOUT_SHARE"
    TOP_UP = "TOP_UP"
    WITHDRAWAL = "WITHDRAWAL"


class HousePurpose(StrEnum):
    """The purpose of one of the firm's accounts."""

    TREASURY = "TREASURY"
    EXTERNAL = "EXTERNAL"
    CAPITAL = "CAPITAL"
    PAYOUT_HOLD = "PAYOUT_HOLD"
