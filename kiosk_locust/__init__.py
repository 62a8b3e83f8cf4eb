"""A Locust plugin that runs jobs against a DeepCell Kiosk exactly once and measures them."""

__version__ = "0.1.0"
