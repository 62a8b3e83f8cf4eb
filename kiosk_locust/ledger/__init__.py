"""The ledger: the durable record of a run, in SQLite."""
