"""Locust patches the standard library at import; so do the tests, before anything else."""

from gevent import monkey

monkey.patch_all()
