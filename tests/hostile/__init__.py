"""What a Kiosk, and what stands before it, can do to each call: the matrix of docs/reliability."""
