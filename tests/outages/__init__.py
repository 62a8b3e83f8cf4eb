"""What a run stands on goes away for a while: short here, as long as people's in benchmarks/."""
