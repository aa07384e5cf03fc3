"""Proof by destruction, run by command: `manage.py chaos`."""
