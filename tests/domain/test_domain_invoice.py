"""Invoice totals, dates, numbers and states."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.errors import NotAllowed
from billing_core.domain.invoice import FeeLine, TaxRate, assemble
from billing_core.domain.issuing import (
    InvoiceDates,
    IssuingRules,
    dates_at_creation,
    dates_at_finalization,
    dates_without_grace,
)
from billing_core.domain.numbering import default_prefix, document_number, draft_number
from billing_core.domain.states import (
    INVOICE_STATUS_CODES,
    INVOICE_TRANSITIONS,
    check_invoice_dispute,
    check_invoice_email,
    check_invoice_retry,
    check_invoice_transition,
    check_invoice_update,
    check_subscription_transition,
    check_subscription_update,
)


def tax(percent: str) -> TaxRate:
    number = int(Decimal(percent) * 1000)
    return TaxRate(UUID(int=number), f"tax_{percent}", f"Tax {percent}", Decimal(percent))


TAX = {percent: tax(percent) for percent in ("0", "10", "12", "20", "30", "50")}


def fees(text: str) -> list[FeeLine]:
    """Read fees such as `1000@10+12-333.33`: amount, taxes, coupons."""
    lines = []
    for position, word in enumerate(text.split()):
        amount, _, rest = word.partition("@")
        rates, _, coupons = rest.partition("-")
        taxes = tuple(TAX[rate] for rate in rates.split("+") if rate)
        cents = int(amount)
        lines.append(FeeLine(position, cents, Decimal(cents), taxes, Decimal(coupons or 0)))
    return lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # fees, coupons, taxes, rate, total
        ("151@10+20 379@10+20-100", (530, 100, 129, "30", 559)),  # E9
        ("1000@10 2000@10+12", (3000, 0, 540, "18", 3540)),  # E10
        ("1000@10-333.33333 2000@10+12-666.66667", (3000, 1000, 360, "18", 2360)),
        ("17900@10 39900@20-25000", (57800, 25000, 4770, "14.54268", 37570)),
        ("0@10 0@10+12", (0, 0, 0, "16", 0)),  # E11
        ("6833@20 6833@20", (13666, 0, 2733, "20", 16399)),  # E12
        ("6833@20 6833@20 6833@20 6833@20", (27332, 0, 5466, "20", 32798)),
        ("151@50+30", (151, 0, 121, "80", 272)),  # E13
        ("10000@10-500 5000@0-250 3000@20-150 2000@20-100", (20000, 1000, 1900, "10", 20900)),
        ("10000@10-10000", (10000, 10000, 0, "10", 0)),  # E3
        ("100@", (100, 0, 0, "0", 100)),
        ("", (0, 0, 0, "0", 0)),
    ],
)
def test_e2_e3_e9_to_e13(text: str, expected: tuple[int, int, int, str, int]) -> None:
    totals = assemble(fees(text))
    assert (
        totals.fees_amount_cents,
        totals.coupons_amount_cents,
        totals.taxes_amount_cents,
        totals.taxes_rate,
        totals.total_amount_cents,
    ) == (*expected[:3], Decimal(expected[3]), expected[4])


def test_e9_e12_taxes_of_each_fee() -> None:
    totals = assemble(fees("151@10+20 379@10+20-100"))
    assert [part.taxes_amount_cents for part in totals.fee_taxes] == [45, 84]
    assert [amount for _, amount in totals.fee_taxes[0].applied] == [15, 30]
    assert totals.sub_total_excluding_taxes_amount_cents == 430
    assert totals.sub_total_including_taxes_amount_cents == 559
    totals = assemble(fees("6833@20 6833@20"))
    assert [part.taxes_amount_cents for part in totals.fee_taxes] == [1367, 1367]
    assert [part.key for part in totals.fee_taxes] == [0, 1]


def test_e10_applied_taxes() -> None:
    totals = assemble(fees("1000@10-333.33333 2000@10+12-666.66667"))
    applied = [
        (each.tax.code, each.amount_cents, each.fees_amount_cents) for each in totals.applied_taxes
    ]
    assert applied == [("tax_10", 200, 2000), ("tax_12", 160, 1333)]


def test_e1_many_fees_with_coupons() -> None:
    coupons = [
        *("676.47059", "1352.94117", "88.23529", "117.64706"),
        *("126.47059", "252.94118", "379.41176", "505.88235"),
    ]
    plain_fees = ["1000@10", "2000@20", "3000@10", "4000@10"] * 2
    text = " ".join(f"{line}-{coupon}" for line, coupon in zip(plain_fees, coupons, strict=True))
    totals = assemble(fees(text), coupons_amount_cents=3500)
    by_fee = [part.taxes_amount_cents for part in totals.fee_taxes]
    assert by_fee == [32, 129, 291, 388, 87, 349, 262, 349]
    assert (totals.taxes_amount_cents, totals.total_amount_cents) == (1889, 18389)


def test_the_precise_tax_comes_from_the_unrounded_fee() -> None:
    line = FeeLine("fee", 0, Decimal("0.4"), (tax("40"),))
    taxes = assemble([line]).fee_taxes[0]
    assert (taxes.taxes_amount_cents, taxes.taxes_precise_amount_cents) == (0, Decimal("0.16"))


def test_credits_come_off_after_taxes() -> None:
    totals = assemble(
        fees("1000@20-300"),
        progressive_billing_credit_amount_cents=200,
        credit_notes_amount_cents=100,
        prepaid_credit_amount_cents=40,
    )
    assert totals.coupons_amount_cents == 100
    assert totals.sub_total_excluding_taxes_amount_cents == 700
    assert totals.sub_total_including_taxes_amount_cents == 840
    assert totals.total_amount_cents == 700
    with pytest.raises(AssertionError):
        assemble(fees("10@"), prepaid_credit_amount_cents=11)


@st.composite
def priced(draw: st.DrawFn) -> list[FeeLine]:
    rates = st.lists(st.sampled_from(list(TAX.values())), unique=True, max_size=3).map(tuple)
    lines = []
    for key in range(draw(st.integers(0, 6))):
        cents = draw(st.integers(0, 10**6))
        coupons = draw(st.decimals(0, cents, places=5))
        lines.append(FeeLine(key, cents, Decimal(cents), draw(rates), coupons))
    return lines


@given(priced(), st.randoms())
def test_fees_and_taxes_make_the_total(lines: list[FeeLine], random: Any) -> None:
    totals = assemble(lines)
    without_taxes = totals.fees_amount_cents - totals.coupons_amount_cents
    assert totals.fees_amount_cents == sum(line.amount_cents for line in lines)
    assert totals.sub_total_excluding_taxes_amount_cents == without_taxes
    assert totals.total_amount_cents == without_taxes + totals.taxes_amount_cents
    # Rounding each fee or each tax alone moves at most half a minor unit each.
    by_fee = sum(part.taxes_amount_cents for part in totals.fee_taxes)
    by_tax = sum(applied.amount_cents for applied in totals.applied_taxes)
    assert abs(by_fee - totals.taxes_amount_cents) * 2 <= len(lines) + 1
    assert abs(by_tax - totals.taxes_amount_cents) * 2 <= len(totals.applied_taxes) + 1
    mixed = assemble(random.sample(lines, len(lines)))
    assert mixed.total_amount_cents == totals.total_amount_cents
    assert mixed.taxes_rate == totals.taxes_rate


BASE = date(2022, 11, 24)


@pytest.mark.parametrize(
    ("anchor", "adjustment", "grace", "recurring", "issued"),
    [
        ("current_period_end", "keep_anchor", 3, True, 23),
        ("current_period_end", "align_with_finalization_date", 3, True, 27),
        ("current_period_end", "align_with_finalization_date", 0, True, 23),
        ("next_period_start", "keep_anchor", 3, True, 24),
        ("next_period_start", "align_with_finalization_date", 3, True, 27),  # C21
        ("next_period_start", "align_with_finalization_date", 0, True, 24),
        ("current_period_end", "keep_anchor", 3, False, 27),
        ("next_period_start", "keep_anchor", 0, False, 24),
    ],
)
def test_dates_at_creation(
    *, anchor: str, adjustment: str, grace: int, recurring: bool, issued: int
) -> None:
    rules = IssuingRules(grace, anchor, adjustment, net_payment_term=2)
    assert dates_at_creation(rules, BASE, recurring) == InvoiceDates(
        issuing_date=date(2022, 11, issued),
        expected_finalization_date=date(2022, 11, 24 + grace),
        payment_due_date=date(2022, 11, issued + 2),
    )
    assert dates_without_grace(rules, BASE) == InvoiceDates(BASE, BASE, date(2022, 11, 26))


@pytest.mark.parametrize(
    ("adjustment", "recurring", "issued"),
    [
        ("keep_anchor", True, 23),
        ("keep_anchor", False, 28),
        ("align_with_finalization_date", True, 28),
    ],
)
def test_dates_at_finalization(*, adjustment: str, recurring: bool, issued: int) -> None:
    rules = IssuingRules(3, "current_period_end", adjustment, net_payment_term=2)
    today, before = date(2022, 11, 28), date(2022, 11, 23)
    dates = dates_at_finalization(rules, before, today, recurring)
    assert dates == InvoiceDates(date(2022, 11, issued), today, date(2022, 11, issued + 2))


def test_numbers() -> None:
    month = date(2023, 10, 1)
    assert document_number("BENT-1", "per_customer", 2, 5, 0, month) == "BENT-1-002-005"
    by_entity = document_number("BENT-11", "per_billing_entity", 2, 5, 10, month)
    assert by_entity == "BENT-11-202310-010"
    assert document_number("X", "per_customer", 1234, 1000, 0, month) == "X-1234-1000"
    assert draft_number("BENT-1") == "BENT-1-DRAFT"
    id_ = UUID("00000000-0000-7000-8000-00000000abcd")
    assert default_prefix("Hooli Inc", id_) == "HOO-ABCD"
    assert default_prefix("a-b", id_) == "AB-ABCD"


def code_of(refusing: Any, *arguments: Any, **named: Any) -> str | None:
    with pytest.raises(NotAllowed) as caught:
        refusing(*arguments, **named)
    return caught.value.code


def test_invoice_states() -> None:
    assert set(INVOICE_TRANSITIONS) == set(INVOICE_STATUS_CODES)
    assert sorted(INVOICE_STATUS_CODES.values()) == list(range(9))
    for current, allowed in INVOICE_TRANSITIONS.items():
        for wanted in INVOICE_STATUS_CODES:
            if wanted in allowed:
                check_invoice_transition(current, wanted)
            else:
                assert code_of(check_invoice_transition, current, wanted)
    assert code_of(check_invoice_transition, "draft", "voided") == "not_voidable"
    assert code_of(check_invoice_transition, "finalized", "deleted") == "not_deletable"
    assert code_of(check_invoice_transition, "finalized", "draft") == "invalid_status"


def test_what_a_state_allows() -> None:
    assert code_of(check_invoice_retry, "finalized") == "invalid_status"
    check_invoice_retry("failed")
    assert code_of(check_invoice_dispute, "draft") == "not_disputable"
    check_invoice_dispute("voided")
    assert code_of(check_invoice_email, "draft") == "invoice_not_finalized"
    check_invoice_email("finalized")
    both = {"metadata": True, "payment_status": True}
    assert code_of(check_invoice_update, "voided", **both) == "update_on_voided_invoice"
    assert code_of(check_invoice_update, "draft", **both) == "metadata_on_draft_invoice"
    status_only = {"metadata": False, "payment_status": True}
    assert (
        code_of(check_invoice_update, "draft", **status_only)
        == "payment_status_update_on_draft_invoice"
    )
    check_invoice_update("finalized", **both)
    assert code_of(check_subscription_transition, "terminated", "active") == "invalid_status"
    assert code_of(check_subscription_transition, "incomplete", "terminated") == (
        "subscription_incomplete"
    )
    check_subscription_transition("active", "terminated")
    assert code_of(check_subscription_update, "incomplete") == "subscription_incomplete"
    check_subscription_update("active")
