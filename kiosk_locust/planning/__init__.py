"""What a benchmark would take and cost: the simulated cluster, run in virtual time and priced."""
