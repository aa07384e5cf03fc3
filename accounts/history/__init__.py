"""Past balances, as arithmetic and as files: no Django, no database."""
