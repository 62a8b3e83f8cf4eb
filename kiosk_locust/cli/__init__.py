"""Commands of ``python -m kiosk_locust``."""
