"""What comes from outside, made up by hypothesis: whatever it is, errors are typed and clear."""
