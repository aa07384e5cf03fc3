"""Single rows as Flutterwave words them; amounts are numbers of whole units."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from providers.money import EXACT, Asset
from providers.sandbox import clock
from providers.sandbox.ledger import Entry


def units(asset: Asset, minor: int) -> int | Decimal:
    """Return an amount as JSON has it: without a fraction where there is none."""
    value = EXACT.scaleb(Decimal(minor), -asset.decimals)
    return int(value) if value == value.to_integral_value() else value


def number(entry: Entry) -> int:
    """Return the id of an entry as the API counts them."""
    return int(entry.id.rpartition("_")[2])


def charge(
    shop: Mapping[str, Any], asset: Asset, entry: Entry, status: str
) -> dict[str, Any]:
    """Return what "Get all transactions" tells of one, but for the types of its ids."""
    amount, done = units(asset, entry.amount), status == "successful"
    payer = str(entry.facts.get("counterparty", "Yemi Desola"))
    return {
        "id": number(entry),
        "tx_ref": entry.facts.get("description", entry.id),
        "flw_ref": f"URF_{number(entry)}" if done else "N/A",
        "device_fingerprint": "N/A",
        "amount": amount,
        "currency": asset.code,
        "charged_amount": amount,
        "app_fee": 0 if done else None,
        "merchant_fee": 0,
        "processor_response": "Approved Or Completed Successfully" if done else None,
        "auth_model": "AUTH",
        "ip": "127.0.0.1",
        "narration": shop["business"],
        "status": status,
        "payment_type": "account",
        "created_at": clock.text(entry.moment),
        "amount_settled": amount if done else None,
        "account": {"nuban": "0690000031", "bank": "ACCESS BANK NIGERIA"},
        "customer_name": payer,
        "customer_email": "payer@shop.example",
        "account_id": shop["merchant"],
    }
