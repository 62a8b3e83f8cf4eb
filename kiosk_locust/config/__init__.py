"""Settings: their sources, parsing, validation and dependencies."""
