"""The job service's HTTP API: typed calls, transport, retries."""
