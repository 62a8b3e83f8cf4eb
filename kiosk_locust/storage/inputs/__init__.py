"""The files that jobs are to work on: found on this machine, and told by their content."""
