"""The questions the API asks: every list and card, within what the principal may see."""
