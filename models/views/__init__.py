"""What the API reads: lists and cards, each one statement however long the page."""
