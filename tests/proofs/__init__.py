"""What takes longer than a test: `manage.py prove <name> [options]`.

Each module has `main(argv) -> int`: it prints its figures and returns 1 on a violation.
"""
