"""The real machine and planners in a world of chance: clock, network, rows and bank.

Everything is drawn from a seed, so a story that goes wrong can be played again.
"""
