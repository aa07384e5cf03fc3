"""An institution for what has nothing to do with who its customers are."""

from __future__ import annotations

from providers.sandbox.institution import Institution
from providers.sandbox.wire import Answer


class Uninhabited(Institution):
    """Has no customers, and refuses in the shortest of words."""

    def add_customers(self, names, **wishes):
        return []

    def customer(self, name):
        raise LookupError(name)

    def customers(self):
        return []

    def refusal(self, code):
        return Answer.of({"error": code}, 400)
