"""Execution of a run: ticket queue, job lifecycle, poll timer."""
