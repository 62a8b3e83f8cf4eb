"""What a run cost: the nodes that ran, what they cost, and where to ask."""
