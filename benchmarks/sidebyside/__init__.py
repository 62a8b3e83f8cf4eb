"""What programs that measure us beside others share: clients, servers, samples and figures."""
