"""Seeded faults over the life of a run of real processes, and an oracle that judges it.

`plan` draws what is to happen, `play` has it happen, `oracle` judges by the server's log and SQL.
"""
