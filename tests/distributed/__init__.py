"""The relay: its parts, and the whole of it over a network that does its worst."""
