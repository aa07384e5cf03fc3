"""Every provider folder must pass these; a new one is picked up by being there."""
