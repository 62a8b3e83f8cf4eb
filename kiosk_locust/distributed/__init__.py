"""The protocol of a master and its workers: leases, messages, delivery."""
