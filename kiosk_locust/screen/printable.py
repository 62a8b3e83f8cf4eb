"""Text from elsewhere, made safe to print: job ids and reasons can hold anything."""

from __future__ import annotations

from kiosk_locust.excerpt import printable

__all__ = ["printable"]
