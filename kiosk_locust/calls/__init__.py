"""Calls that fail: which kind, since when, how often, why, and how all of that reaches people.

`failures` listens to a process's calls, `advice` names likely causes, `alerts` gathers what all
processes of a run say, logs it, and has it ready for the progress line and the page.
"""
