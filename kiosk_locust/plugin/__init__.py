"""The Locust plugin: everything that touches Locust."""
