"""What to do about it: rules, runs, transfers."""
