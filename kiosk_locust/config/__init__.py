"""Settings: where they come from, what they may be, what follows from what."""
