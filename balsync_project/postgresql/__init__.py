"""The database backend: Django's own, with one gap closed. See `base`."""
