"""What cannot be seen from outside: a wallet pays an invoice once, and never more than it holds."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from billing_core.services import wallet_payments
from billing_core.store import invoices as invoice_store
from billing_core.store.columns import KEYRING
from billing_core.store.unit import Units, engines_for
from tests.support.billing import add_customer, add_plan, invoices, only_invoice, subscribe
from tests.support.gateway import Gateway, Org
from tests.support.wallets import add_wallet, entries, top_up, wallet


async def test_10_29_a_wallet_that_was_emptied_does_not_pay_again(
    gateway: Gateway, org: Org
) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_customer(org)
    lago_id = add_wallet(org, granted_credits="6")["lago_id"]
    add_plan(org, pay_in_advance=True)
    subscribe(org)
    org.drain()
    top_up(org, lago_id, granted_credits="50")
    invoice = only_invoice(org)
    assert (invoice["prepaid_credit_amount_cents"], invoice["total_amount_cents"]) == (600, 400)
    KEYRING.use([gateway.secrets["encryption_key"]])
    engines = engines_for(f"sqlite+aiosqlite:///{gateway.data_dir / 'tallygate.db'}")
    async with Units(engines).open(UUID(org.id)) as unit:
        locked = await invoice_store.lock(unit, UUID(invoice["lago_id"]))
        assert locked is not None
        await wallet_payments.pay(unit, [locked])
    await engines.dispose()
    again = only_invoice(org)
    assert (again["prepaid_credit_amount_cents"], again["total_amount_cents"]) == (600, 400)
    assert wallet(org, lago_id)["balance_cents"] == 5000


def test_many_at_once_spend_every_cent_once(any_gateway: Gateway) -> None:
    org = any_gateway.organization()
    org.clock("2026-01-01T00:00:00Z")
    add_customer(org)
    lago_id = add_wallet(org, granted_credits="60")["lago_id"]
    add_plan(org, amount_cents=300, pay_in_advance=True)

    def act(number: int) -> None:
        if number % 2:
            subscribe(org, external_id=f"s{number}")
        else:
            top_up(org, lago_id, granted_credits="1", voided_credits="2")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(16)))
    org.drain()
    paid = [one["prepaid_credit_amount_cents"] for one in invoices(org)]
    assert paid == [300] * 8
    held = wallet(org, lago_id)
    assert held["balance_cents"] == held["ongoing_balance_cents"] == 6000 + 8 * (100 - 200 - 300)
    assert len(entries(org, lago_id)) == 1 + 2 * 8 + 8
