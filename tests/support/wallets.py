"""The words tests use for wallets."""

from typing import Any

from tests.support.gateway import Org


def add_wallet(org: Org, customer: str = "c1", **fields: Any) -> dict[str, Any]:
    """Open a wallet, by default of credits worth 1.00 EUR each, and return it."""
    body = {"external_customer_id": customer, "rate_amount": "1", "currency": "EUR", **fields}
    made: dict[str, Any] = org.post("/wallets", {"wallet": body})["wallet"]
    return made


def wallet(org: Org, lago_id: str) -> dict[str, Any]:
    """Return a wallet as it is now."""
    found: dict[str, Any] = org.get(f"/wallets/{lago_id}")["wallet"]
    return found


def top_up(org: Org, lago_id: str, **fields: Any) -> list[dict[str, Any]]:
    """Buy, grant or void credits; return the entries."""
    body = {"wallet_transaction": {"wallet_id": lago_id, **fields}}
    made: list[dict[str, Any]] = org.post("/wallet_transactions", body)["wallet_transactions"]
    return made


def refused_top_up(org: Org, lago_id: str, status: int = 422, **fields: Any) -> Any:
    """Send a top-up that must be refused; return the details, or the code when there are none."""
    body = {"wallet_transaction": {"wallet_id": lago_id, **fields}}
    refused = org.post("/wallet_transactions", body, status)
    return refused.get("error_details") or refused["code"]


def entries(org: Org, lago_id: str, query: str = "") -> list[dict[str, Any]]:
    """Return the entries of a wallet, the oldest first."""
    listed = org.get(f"/wallets/{lago_id}/wallet_transactions?per_page=1000&{query}")
    return list(reversed(listed["wallet_transactions"]))


def taken(org: Org, entry: dict[str, Any], side: str) -> list[int]:
    """Return the amounts of an entry's consumptions or fundings, the oldest first."""
    found = org.get(f"/wallet_transactions/{entry['lago_id']}/{side}s")
    return [one["amount_cents"] for one in reversed(found[f"wallet_transaction_{side}s"])]


def refresh(org: Org) -> None:
    """Do what events lead to, and look at the wallets of all customers that were noted."""
    org.drain()
    org.run("refresh_wallets_ongoing_balance")
