"""Programs that measure; each says how it is run."""
