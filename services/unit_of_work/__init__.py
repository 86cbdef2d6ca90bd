"""The one place that begins and ends transactions.

`openings` has the transactions, `reads` the connections without one. A `UnitOfWork` is what a use case works with
inside a transaction: it collects changes, events, jobs and audit entries, which are written together before the commit.
The stamper and the workers are woken after the commit, never inside it.

Locks are taken in one order: names, lock roots by id, accounts by id, wallets by id, house accounts, audit chains.
"""
