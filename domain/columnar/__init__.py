"""The columnar fold: all accounts of a shard at once, in int64 columns. It must agree with `domain/fold.py`."""
