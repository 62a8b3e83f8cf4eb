"""One user alone, as in a debugger."""

from typing import Any

from locust import run_single_user

from kiosk_locust import KioskUser, attach

attach()


class Kiosk(KioskUser):
    def context(self) -> dict[str, Any]:
        return {"user": "the only one"}


if __name__ == "__main__":
    run_single_user(Kiosk, include_context=True)
    print("it has returned")
