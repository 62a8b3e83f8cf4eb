"""Text output: numbers with units, excerpts of foreign text, the terminal."""
