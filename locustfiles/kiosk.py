"""Jobs for a DeepCell Kiosk.

Copy this file, or use it as it is:

    locust -f locustfiles/kiosk.py --headless -u 100

What to submit and when comes from the command line, the environment, `.env` or locust.conf.
To send other jobs as well, add classes (see KioskUser), with weights as in any locustfile.
"""

from kiosk_locust import KioskUser, attach

attach()


class Kiosk(KioskUser):
    """Submits what the settings say, polls it until it is final, and records all of it."""
