"""Nothing is sent whose intent is not committed."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from accounts.services import NotCommitted, be_committed


@pytest.mark.django_db
def test_the_transaction_around_a_test_does_not_count():
    be_committed()
    with pytest.raises(NotCommitted), transaction.atomic():
        be_committed()


@pytest.mark.django_db(transaction=True)
def test_a_block_is_a_transaction():
    be_committed()
    with pytest.raises(NotCommitted), transaction.atomic():
        be_committed()
    be_committed()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_without_a_block_is_one_too():
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        with pytest.raises(NotCommitted):
            be_committed()
        cursor.execute("ROLLBACK")
    be_committed()


@pytest.mark.django_db(transaction=True)
def test_where_nothing_is_connected_nothing_is_open():
    connection.close()

    be_committed()
    assert connection.connection is None
