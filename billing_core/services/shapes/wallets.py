"""What wallets and their entries look like."""

from typing import Any

from billing_core.domain.money import major_from_minor
from billing_core.domain.wallets import credits_of
from billing_core.store.tables import Wallet, WalletConsumption, WalletRule, WalletTransaction
from billing_core.store.unit import Unit
from billing_core.wire.wallet_transactions import (
    WalletConsumptionOut,
    WalletTransactionFullOut,
    WalletTransactionOut,
)
from billing_core.wire.wallets import AppliesToOut, WalletOut, WalletRuleOut


def out(unit: Unit, wallet: Wallet) -> WalletOut:
    """Return the wire model of a wallet; of an expired one what it held at its end."""
    return WalletOut.of(
        wallet,
        external_customer_id=wallet.customer.external_id,
        billing_entity_code=wallet.entity.code,
        balance_cents=wallet.balance_cents + wallet.expired_amount_cents,
        credits_balance=wallet.credits_balance + wallet.expired_credits,
        applies_to=AppliesToOut(
            fee_types=wallet.fee_types,
            billable_metric_codes=[one.metric.code for one in wallet.metrics],
        ),
        recurring_transaction_rules=[_rule(one) for one in wallet.rules if is_in_force(unit, one)],
        applied_invoice_custom_sections=[],
        payment_method=_payment_method(wallet.payment_method_type),
        metadata=wallet.custom_metadata,
    )


def is_in_force(unit: Unit, rule: WalletRule) -> bool:
    """Tell whether a rule is neither ended nor expired."""
    return rule.status == "active" and (rule.expiration_at is None or rule.expiration_at > unit.now)


def transaction(entry: WalletTransaction) -> WalletTransactionOut:
    """Return the wire model of an entry."""
    return WalletTransactionOut.of(entry, **_parts(entry))


def full(unit: Unit, entry: WalletTransaction) -> WalletTransactionFullOut:
    """Return the wire model of an entry and of its wallet."""
    return WalletTransactionFullOut.of(entry, **_parts(entry), wallet=out(unit, entry.wallet))


def consumption(row: WalletConsumption, other: WalletTransaction) -> WalletConsumptionOut:
    """Return the wire model of what was taken; `other` is the entry that is shown with it."""
    wallet = other.wallet
    return WalletConsumptionOut(
        lago_id=row.id,
        amount_cents=row.amount_cents,
        credit_amount=credits_of(row.amount_cents, wallet.rate_amount, wallet.currency),
        created_at=row.created_at,
        wallet_transaction=transaction(other),
    )


def _parts(entry: WalletTransaction) -> dict[str, Any]:
    wallet, left = entry.wallet, entry.remaining_amount_cents
    return {
        "amount": major_from_minor(entry.amount_cents, wallet.currency),
        "remaining_credit_amount": (
            None if left is None else credits_of(left, wallet.rate_amount, wallet.currency)
        ),
        "metadata": entry.notes,
        "applied_invoice_custom_sections": [],
        "payment_method": _payment_method(entry.payment_method_type),
    }


def _rule(rule: WalletRule) -> WalletRuleOut:
    return WalletRuleOut.of(
        rule,
        applied_invoice_custom_sections=[],
        payment_method=_payment_method(rule.payment_method_type),
    )


def _payment_method(kind: str | None) -> dict[str, Any]:
    return {"payment_method_id": None, "payment_method_type": kind or "provider"}
