"""What people see on a terminal while a run goes on and when it is over."""
