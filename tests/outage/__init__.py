"""Providers that are killed and come back, and what balances say meanwhile."""
