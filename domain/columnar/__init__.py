"""The fast path of marking: all accounts of a shard at once, in int64 columns of units of 1e-8.

The plain path is `domain/fold.py`, one account at a time in `Decimal`. Both must agree to the last digit, which
`tests/domain/test_book.py` and `tests/domain/test_book_writes.py` prove on random accounts and quotes.
"""
