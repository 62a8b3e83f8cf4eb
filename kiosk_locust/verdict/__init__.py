"""The verdict on a run: validity rules, thresholds, exit code."""
