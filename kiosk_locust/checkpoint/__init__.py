"""Checkpoints: copies of the ledger in the bucket while a run goes on."""
