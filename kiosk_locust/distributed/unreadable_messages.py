"""Messages between master and workers that could not be read: left out, counted, and logged."""

from __future__ import annotations

import logging

from kiosk_locust.formatting.excerpt import excerpt

logger = logging.getLogger(__name__)


class UnreadMessages:
    """Counts what a process had to leave out; `repeats` limits how often it is logged."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, sender: str, why: object) -> None:
        """One message of ``sender`` (empty: nobody knows whose) could not be used."""
        self.count += 1
        logger.error(
            "a message of %s could not be read, and is left out: %s",
            excerpt(sender) or "an unknown sender",
            excerpt(str(why)) or type(why).__name__,
        )


#: Those of this process.
UNREAD = UnreadMessages()
