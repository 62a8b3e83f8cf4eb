"""Measurements of a run: counters, histograms, job timings, clock offsets, summaries."""
