"""Text for people: numbers with units, excerpts of foreign text, the terminal."""
