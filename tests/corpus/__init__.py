"""What comes in from outside: each text with its one reading, or the error it gets.

Written down, not worked out: what is expected here was never asked of the parsers.
"""
