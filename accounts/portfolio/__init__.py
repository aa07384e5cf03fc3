"""What everything is worth together, in one asset: exact, and honest about gaps."""
