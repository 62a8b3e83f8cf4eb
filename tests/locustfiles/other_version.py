"""Workers say that they are of another version."""

import sys

import kiosk_locust
from kiosk_locust import KioskUser, attach

if "--worker" in sys.argv:
    kiosk_locust.__version__ = "0.0.9"
attach()


class Numbered(KioskUser):
    """Of the same name as that of by_number.py."""
