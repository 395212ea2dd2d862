"""Alerts on wallets: told when a balance falls to a value (`docs/rules/money.md` 4.7.2)."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from billing_core.domain.alerts import crossed
from billing_core.domain.errors import Invalid, NotFound
from billing_core.ids import new_id
from billing_core.services.alerts import kept_thresholds
from billing_core.services.shapes import alerts as shapes
from billing_core.store import alerts
from billing_core.store.tables import Alert, Wallet
from billing_core.store.unit import Unit
from billing_core.wire.alerts import MOST_ALERTS, WalletAlertChange, WalletAlertIn
from billing_core.wire.pages import Page
from billing_core.wire.validation import validate

VALUES: dict[str, Callable[[Wallet], Decimal]] = {
    "wallet_balance_amount": lambda wallet: Decimal(wallet.balance_cents),
    "wallet_credits_balance": lambda wallet: wallet.credits_balance,
    "wallet_ongoing_balance_amount": lambda wallet: Decimal(wallet.ongoing_balance_cents),
    "wallet_credits_ongoing_balance": lambda wallet: wallet.credits_ongoing_balance,
}


async def page(unit: Unit, wallet: Wallet, wanted: Page) -> tuple[list[Alert], int]:
    """List a wallet's alerts, newest first."""
    return await alerts.page_of_wallet(unit, wallet.id, wanted)


async def get(unit: Unit, wallet: Wallet, code: str) -> Alert:
    """Return an alert of a wallet, or refuse."""
    for alert in await alerts.of_wallets(unit, [wallet.id]):
        if alert.code == code:
            return alert
    raise NotFound("alert")


async def create(unit: Unit, wallet: Wallet, data: WalletAlertIn) -> Alert:
    """Watch a balance from its present value on, falling; one alert of each type.

    Raises `Invalid` for a code or a type that is taken, and for thresholds that cannot be.
    """
    others = await alerts.of_wallets(unit, [wallet.id])
    thresholds = kept_thresholds(data.thresholds or [])
    if any(one.code == data.code for one in others):
        raise Invalid.field("code", "value_already_exist")
    if any(one.alert_type == data.alert_type for one in others):
        raise Invalid.field("base", "alert_already_exists")
    alert = Alert(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        wallet_id=wallet.id,
        alert_type=data.alert_type,
        code=data.code,
        name=data.name,
        direction="decreasing",
        thresholds=thresholds,
        previous_value=VALUES[data.alert_type](wallet),
    )
    alert.metric = None
    alerts.add(unit, alert)
    await unit.flush()
    return alert


async def create_several(unit: Unit, wallet: Wallet, sent: Sequence[Any]) -> list[Alert]:
    """Create all of these alerts or none; what is wrong is told by position."""
    if not 0 < len(sent) <= MOST_ALERTS:
        raise Invalid.field("alerts", "invalid_count")
    made: list[Alert] = []
    problems: dict[str, Any] = {}
    for position, one in enumerate(sent):
        try:
            made.append(await create(unit, wallet, validate(WalletAlertIn, one)))
        except Invalid as refused:
            problems[str(position)] = refused.details
    if problems:
        raise Invalid(problems)
    return made


async def update(unit: Unit, wallet: Wallet, code: str, data: WalletAlertChange) -> Alert:
    """Change an alert; its thresholds are replaced as a whole."""
    alert = await get(unit, wallet, code)
    if data.code is not None and data.code != alert.code:
        if any(one.code == data.code for one in await alerts.of_wallets(unit, [wallet.id])):
            raise Invalid.field("code", "value_already_exist")
        alert.code = data.code
    if "name" in data.given():
        alert.name = data.name
    if data.thresholds is not None:
        alert.thresholds = kept_thresholds(data.thresholds)
    alert.updated_at = unit.now
    await unit.flush()
    return alert


async def delete(unit: Unit, wallet: Wallet, code: str) -> Alert:
    """Delete an alert."""
    alert = await get(unit, wallet, code)
    alert.deleted_at = unit.now
    return alert


async def delete_all(unit: Unit, wallet: Wallet) -> None:
    """Delete all alerts of a wallet."""
    for alert in await alerts.of_wallets(unit, [wallet.id]):
        alert.deleted_at = unit.now


async def evaluate(unit: Unit, wallets: Sequence[Wallet]) -> None:
    """Compare balances with their alerts, and tell of each that has fallen to a threshold.

    The caller holds the customers' locks, so that nothing is told twice.
    """
    by_id = {wallet.id: wallet for wallet in wallets}
    for alert in await alerts.of_wallets(unit, by_id):
        assert alert.wallet_id is not None, "it was found by its wallet"
        wallet = by_id[alert.wallet_id]
        value = VALUES[alert.alert_type](wallet)
        passed = crossed(shapes.thresholds(alert), alert.previous_value, value, "decreasing")
        if passed:
            shape = shapes.triggered(unit, alert, wallet, value, passed, new_id())
            unit.emit("alert.triggered", "triggered_alert", shape.model_dump())
        alert.previous_value = value
        alert.last_processed_at = unit.now
    await unit.flush()
