"""Recurring rules: wallets that top themselves up, below a threshold or at an interval."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_core.domain.calendar import local_date
from billing_core.domain.errors import Invalid
from billing_core.domain.wallet_rules import MONTHS, ONE_DAY, TopUpRule, next_day, top_up
from billing_core.domain.wallets import bought
from billing_core.services import invoicing_terms, wallet_credits, wallet_top_ups
from billing_core.services.shapes.wallets import is_in_force
from billing_core.store import customers, wallets
from billing_core.store.tables import Wallet, WalletRule
from billing_core.store.unit import Unit
from billing_core.wire.dates import parse_instant
from billing_core.wire.wallets import WalletRuleIn

FIELD = "recurring_transaction_rules"
ZERO = Decimal(0)
TRIGGERS = frozenset({"interval", "threshold"})
METHODS = frozenset({"fixed", "target"})
INTERVALS = frozenset({"weekly", *MONTHS})
PAUSE = timedelta(hours=1)  # after an automatic purchase that nobody paid (4.6.2)
AS_SENT = (
    "trigger",
    "method",
    "interval",
    "grants_target_top_up",
    "invoice_requires_successful_payment",
    "ignore_paid_top_up_limits",
    "transaction_name",
    "purchase_order_number",
)


async def replace(
    unit: Unit,
    wallet: Wallet,
    sent: Sequence[WalletRuleIn],
    paid: Decimal = ZERO,
    granted: Decimal = ZERO,
) -> None:
    """Give a wallet these rules: those known by id are changed, others end (4.6.1, 4.6.5).

    `paid` and `granted` are what a fixed rule adds that does not say so itself. Raises `Invalid`
    for more than one rule, and for one that cannot be.
    """
    if len(sent) > 1:
        raise Invalid.field(FIELD, "invalid_number_of_recurring_rules")
    known = {rule.id: rule for rule in wallet.rules if rule.status == "active"}
    kept: set[UUID] = set()
    for one in sent:
        rule = known.get(one.lago_id) if one.lago_id is not None else None
        if rule is None:
            rule = WalletRule(
                org_id=unit.org_id,
                created_at=unit.now,
                updated_at=unit.now,
                wallet_id=wallet.id,
                trigger="",
                method="fixed",
                paid_credits=paid,
                granted_credits=granted,
                invoice_requires_successful_payment=wallet.invoice_requires_successful_payment,
            )
            wallet.rules.append(rule)
        _write(unit, rule, one)
        _check(unit, wallet, rule)
        plan(unit, wallet, rule)
        kept.add(rule.id)
    for rule in known.values():
        if rule.id not in kept:
            end(unit, rule)
    await unit.flush()


def check(unit: Unit, wallet: Wallet) -> None:
    """Refuse limits of a wallet that the purchases of its rules lie outside of (4.1.8)."""
    for rule in wallet.rules:
        if is_in_force(unit, rule):
            _check_limits(wallet, rule)


def end(unit: Unit, rule: WalletRule) -> None:
    """Let a rule be no more."""
    if rule.status == "active":
        rule.status = "terminated"
        rule.terminated_at = rule.updated_at = unit.now


def threshold_of(unit: Unit, wallet: Wallet) -> WalletRule | None:
    """Return the threshold rule of a wallet that is in force."""
    found = (one for one in wallet.rules if one.trigger == "threshold" and is_in_force(unit, one))
    return next(found, None)


async def check_threshold(unit: Unit, wallet: Wallet) -> None:
    """Top a wallet up whose ongoing balance has fallen to its threshold (4.6.2).

    The caller holds the customer's lock and has seen that balance change.
    """
    rule, ongoing = threshold_of(unit, wallet), wallet.credits_ongoing_balance
    if rule is None or rule.threshold_credits is None or ongoing > rule.threshold_credits:
        return
    pending = (await wallets.pending_credits(unit, [wallet.id])).get(wallet.id, ZERO)
    if ongoing + pending <= rule.threshold_credits:
        is_paused = await wallets.has_failed(unit, wallet.id, unit.now - PAUSE)
        await _fire(unit, wallet, rule, pending, grants_only=is_paused)


async def top_up_due(unit: Unit) -> None:
    """Let the interval rules fire whose day has come, each once for every day (4.6.4)."""
    until = local_date(unit.now, "UTC") + ONE_DAY  # it may be a day later where the customer is
    for wallet_id, rule_id in await wallets.interval_rules(unit, until):
        known = await wallets.by_id(unit, wallet_id)
        assert known is not None, "wallets are never deleted"
        await customers.lock(unit, known.customer_id)
        wallet = await wallets.reload(unit, wallet_id)
        rule = next((one for one in wallet.rules if one.id == rule_id), None)
        if rule is not None and wallet.status == "active" and is_in_force(unit, rule):
            await _catch_up(unit, wallet, rule)


async def end_expired(unit: Unit) -> None:
    """End the rules that have expired."""
    for rule in await wallets.expired_rules(unit, unit.now):
        end(unit, rule)


async def jump(unit: Unit) -> None:
    """Follow a test clock that was set: days that were jumped over did not happen."""
    for wallet_id, rule_id in await wallets.interval_rules(unit, None):
        wallet = await wallets.by_id(unit, wallet_id)
        if wallet is not None:
            plan(unit, wallet, next(one for one in wallet.rules if one.id == rule_id))


def plan(unit: Unit, wallet: Wallet, rule: WalletRule) -> None:
    """Note when an interval rule fires next: today at the earliest, once a day.

    It does not fire on the day on which the wallet was made.
    """
    rule.next_top_up_on = None
    if rule.trigger != "interval" or rule.interval is None:
        return
    tz = wallet.customer.applicable_timezone
    started = local_date(rule.started_at or wallet.created_at, tz)
    day = next_day(started, local_date(unit.now, tz) - ONE_DAY, rule.interval)
    while day in {local_date(wallet.created_at, tz), rule.last_top_up_on}:
        day = next_day(started, day, rule.interval)
    rule.next_top_up_on = day


async def _catch_up(unit: Unit, wallet: Wallet, rule: WalletRule) -> None:
    tz = wallet.customer.applicable_timezone
    today = local_date(unit.now, tz)
    started = local_date(rule.started_at or wallet.created_at, tz)
    while rule.next_top_up_on is not None and rule.next_top_up_on <= today:
        rule.last_top_up_on = rule.next_top_up_on
        rule.next_top_up_on = next_day(started, rule.next_top_up_on, rule.interval or "monthly")
        if rule.method == "fixed" or rule.next_top_up_on > today:  # a target is reached once
            await _fire(unit, wallet, rule, ZERO)


async def _fire(
    unit: Unit, wallet: Wallet, rule: WalletRule, pending: Decimal, *, grants_only: bool = False
) -> None:
    limits = (wallet.paid_top_up_min_amount_cents, wallet.paid_top_up_max_amount_cents)
    if rule.ignore_paid_top_up_limits:
        limits = (None, None)
    least, most = (wallet_credits.limit_in_credits(wallet, cents) for cents in limits)
    is_target = rule.method == "target"
    added = top_up(
        TopUpRule(
            paid=rule.paid_credits,
            granted=rule.granted_credits,
            threshold=rule.threshold_credits if rule.trigger == "threshold" else None,
            target=rule.target_ongoing_balance if is_target else None,
            grants_target=bool(rule.grants_target_top_up),
            least=least,
            most=most,
        ),
        wallet.credits_ongoing_balance,
        pending,
    )
    paid, granted = (
        bought(one, wallet.rate_amount, wallet.currency) for one in (added.paid, added.granted)
    )
    await wallet_top_ups.add(
        unit,
        wallet,
        paid if paid.cents and not grants_only else None,
        granted if granted.cents else None,
        source=rule.trigger,
        rule_id=rule.id,
        name=rule.transaction_name,
        notes=rule.transaction_metadata,
        invoice_requires_successful_payment=rule.invoice_requires_successful_payment,
        purchase_order_number=rule.purchase_order_number or wallet.purchase_order_number,
        payment_method_type=rule.payment_method_type or wallet.payment_method_type,
    )


def _write(unit: Unit, rule: WalletRule, sent: WalletRuleIn) -> None:
    given = sent.given()
    for name in AS_SENT:
        if given.get(name) is not None:
            setattr(rule, name, given[name])
    for name in ("threshold_credits", "paid_credits", "granted_credits", "target_ongoing_balance"):
        if given.get(name) is not None:
            setattr(rule, name, _credits(given[name]))
    if sent.paid_credits is not None or sent.granted_credits is not None:
        rule.paid_credits = _credits(sent.paid_credits or "0")
        rule.granted_credits = _credits(sent.granted_credits or "0")
    for name in ("started_at", "expiration_at"):
        if name in given:
            setattr(rule, name, _instant(given[name]))
    if sent.transaction_metadata is not None:
        rule.transaction_metadata = [pair.model_dump() for pair in sent.transaction_metadata]
    rule.payment_method_type = (
        invoicing_terms.method_type(sent.payment_method) or rule.payment_method_type
    )
    rule.updated_at = unit.now


def _check(unit: Unit, wallet: Wallet, rule: WalletRule) -> None:
    is_threshold, is_target = rule.trigger == "threshold", rule.method == "target"
    target, threshold = rule.target_ongoing_balance, rule.threshold_credits
    wrong = (
        rule.trigger not in TRIGGERS,
        rule.method not in METHODS,
        not is_threshold and rule.interval not in INTERVALS,
        is_threshold and threshold is None,
        is_target and target is None,
        is_threshold and is_target and (target or ZERO) < (threshold or ZERO),
        rule.expiration_at is not None and rule.expiration_at <= unit.now,
    )
    if any(wrong):
        raise _refusal()
    _check_limits(wallet, rule)


def _check_limits(wallet: Wallet, rule: WalletRule) -> None:
    if rule.method == "target" or rule.ignore_paid_top_up_limits or not rule.paid_credits:
        return
    cents = bought(rule.paid_credits, wallet.rate_amount, wallet.currency).cents
    if wallet_credits.beyond_limits(wallet, cents) is not None:
        raise _refusal()


def _credits(sent: Any) -> Decimal:
    found = wallet_credits.quantity(sent)
    if found is None:
        raise _refusal()
    return found


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    value = parse_instant(text)
    if value is None or not 1970 <= value.year <= 9000:  # noqa: PLR2004 - a sane century
        raise _refusal()
    return value


def _refusal() -> Invalid:
    return Invalid.field(FIELD, "invalid_recurring_rule")
