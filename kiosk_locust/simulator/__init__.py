"""Simulated Kiosk: a pure model of the cluster, and its HTTP interface.

It runs as a separate process (``python -m kiosk_locust.simulator``) and imports neither Locust nor
gevent.
"""
