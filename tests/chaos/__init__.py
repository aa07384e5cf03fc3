"""Proof by destruction: `manage.py chaos`, and short forms of it."""
