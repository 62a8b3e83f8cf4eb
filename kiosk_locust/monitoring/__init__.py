"""Monitoring of the load generator: its health, a Prometheus endpoint, spans."""
