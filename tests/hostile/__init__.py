"""What a Kiosk, and what stands before it, can do to each call: docs/reference/faults.md."""
