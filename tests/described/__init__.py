"""The API held to its own description, operation by operation."""
