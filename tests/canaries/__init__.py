"""Secrets that can be recognised: planted by what people do, then looked for everywhere."""
