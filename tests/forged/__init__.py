"""Calls that somebody changed on their way, sent to the real application."""
