"""Measurements, run by command and never by the test suite: `manage.py bench NAME`."""
