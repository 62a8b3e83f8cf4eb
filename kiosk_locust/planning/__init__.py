"""Forecast of a benchmark's duration and cost, from the simulated cluster in virtual time."""
