"""A simulated Kiosk to run against: a pure model of the cluster, and its HTTP face.

It runs as a process of its own (``python -m kiosk_locust.simulator``) and imports neither
Locust nor gevent.
"""
