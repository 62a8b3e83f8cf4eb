"""Input files of jobs: discovery on this machine, and identification by content."""
