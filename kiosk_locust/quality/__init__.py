"""Whether a run's numbers can be trusted, and whether they are what was asked for.

Pure functions over numbers and records: no Locust, no HTTP, no files but those of thresholds.
"""
