"""What is held, and where: connections, accounts, balances, syncs."""
