"""The values of a run: tickets, requests, records, options, arrivals. Pure."""
