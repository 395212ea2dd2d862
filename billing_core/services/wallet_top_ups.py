"""Top-ups of wallets: credits that are bought by an invoice, and what becomes of its payment."""

from decimal import Decimal
from typing import Any

from billing_core.domain.calendar import local_date
from billing_core.domain.issuing import dates_without_grace
from billing_core.domain.money import subunit
from billing_core.domain.numbering import draft_number
from billing_core.domain.wallets import Amount
from billing_core.services import finalization, wallet_ledger
from billing_core.services.billing_dates import rules_of
from billing_core.services.shapes.fees import item
from billing_core.store import invoices, wallets
from billing_core.store.tables import Fee, Invoice, Wallet, WalletTransaction
from billing_core.store.unit import Unit

KIND = "credit"


async def add(
    unit: Unit, wallet: Wallet, paid: Amount | None, granted: Amount | None, **given: Any
) -> list[WalletTransaction]:
    """Buy and grant credits; what is bought is invoiced. `given` are columns of both entries.

    The caller holds the customer's lock.
    """
    made = []
    if paid is not None:
        entry = await wallet_ledger.buy(unit, wallet, paid, **given)
        await _bill(unit, entry)
        made.append(entry)
    if granted is not None:
        made.append(await wallet_ledger.grant(unit, wallet, granted, **given))
    return made


async def settle(unit: Unit, invoice: Invoice, *, succeeded: bool) -> None:
    """Let the credits of a top-up's invoice arrive, or note that its payment failed.

    Whoever hears of the payment calls it: it happens once, whatever the way (4.2.5). An invoice
    that had to be paid first becomes final. Others than top-ups are left alone. The caller holds
    the customer's lock.
    """
    entry = await wallets.top_up_of(unit, invoice.id)
    if entry is None:
        return
    if not succeeded:
        await wallet_ledger.fail(unit, entry)
        return
    if invoice.status == "open":
        today = local_date(unit.now, invoice.customer.applicable_timezone)
        invoice.issuing_date = invoice.payment_due_date = today
        await finalization.finalize(unit, invoice)
    await wallet_ledger.settle(unit, entry)


async def _bill(unit: Unit, entry: WalletTransaction) -> None:
    """Ask for the money of a purchase (`docs/rules/money.md` 4.2.4); there are no taxes on it."""
    invoice = _invoice(unit, entry)
    invoices.add(unit, invoice)
    await unit.flush()
    invoices.add(unit, _fee(unit, invoice, entry))
    entry.invoice_id = invoice.id
    await unit.flush()
    if entry.invoice_requires_successful_payment:
        await finalization.hold(unit, invoice)
    else:
        await finalization.finalize(unit, invoice)


def _invoice(unit: Unit, entry: WalletTransaction) -> Invoice:
    wallet, customer = entry.wallet, entry.wallet.customer
    rules = rules_of(customer)
    dates = dates_without_grace(rules, local_date(unit.now, customer.applicable_timezone))
    invoice = Invoice(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        customer_id=customer.id,
        billing_entity_id=wallet.entity.id,
        number=draft_number(wallet.entity.document_number_prefix),
        invoice_type=KIND,
        status="generating",
        currency=wallet.currency,
        timezone=customer.applicable_timezone,
        issuing_date=dates.issuing_date,
        expected_finalization_date=dates.expected_finalization_date,
        payment_due_date=dates.payment_due_date,
        net_payment_term=rules.net_payment_term,
        self_billed=customer.account_type == "partner",
        purchase_order_number=entry.purchase_order_number,
        fees_amount_cents=entry.amount_cents,
        sub_total_excluding_taxes_amount_cents=entry.amount_cents,
        sub_total_including_taxes_amount_cents=entry.amount_cents,
        total_amount_cents=entry.amount_cents,
    )
    invoice.customer, invoice.entity = customer, wallet.entity
    invoice.notes, invoice.applied_taxes, invoice.applied_thresholds = [], [], []
    return invoice


def _fee(unit: Unit, invoice: Invoice, entry: WalletTransaction) -> Fee:
    wallet = entry.wallet
    fee = Fee(
        org_id=unit.org_id,
        created_at=unit.now,
        updated_at=unit.now,
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        fee_type=KIND,
        amount_cents=entry.amount_cents,
        precise_amount_cents=Decimal(entry.amount_cents),
        amount_currency=wallet.currency,
        units=entry.credit_amount,
        total_aggregated_units=entry.credit_amount,
        precise_unit_amount=wallet.rate_amount,
        unit_amount_cents=int(wallet.rate_amount * subunit(wallet.currency)),
        item=item(KIND, KIND, wallet.name or KIND, entry.name, entry.id),
    )
    fee.customer, fee.applied_taxes = invoice.customer, []
    return fee
