"""The instant answer, PURE: what is kept of a balance, and what is said of it."""
