"""What can be done with coupons (`docs/rules/money.md` 2.1 and 2.10)."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from billing_core.domain.errors import Invalid, NotAllowed, NotFound, Problems
from billing_core.services import applied_coupons
from billing_core.store import catalog
from billing_core.store import coupons as store
from billing_core.store.tables import Coupon, CouponTarget
from billing_core.store.unit import Unit
from billing_core.wire.coupons import FIXED, CouponChange, CouponIn, CouponLimitsIn
from billing_core.wire.pages import Page

NESTED = frozenset({"applies_to"})
NEVER_NULL = ("name", "code", "coupon_type", "frequency", "reusable", "expiration")
WHEN_APPLIED = frozenset({"name", "description", "expiration", "expiration_at"})


async def create(unit: Unit, data: CouponIn) -> Coupon:
    """Create a coupon; its code is unique among those that are not deleted.

    Raises `Invalid` for what does not go together, `NotFound` for unknown plans and metrics, and
    `NotAllowed` for a coupon that would be limited to both.
    """
    if await store.by_code(unit, data.code):
        raise Invalid.field("code", "value_already_exist")
    given = data.given(leave_out=NESTED)
    if given.get("reusable") is None:
        given["reusable"] = True
    row = Coupon(org_id=unit.org_id, created_at=unit.now, updated_at=unit.now, **given)
    row.targets = []
    _check(unit, row)
    await _limit(unit, row, data.applies_to)
    store.add(unit, row)
    await unit.flush()
    return row


async def get(unit: Unit, code: str) -> Coupon:
    """Return a coupon that was not deleted, or refuse."""
    row = await store.by_code(unit, code)
    if row is None:
        raise NotFound("coupon")
    return row


async def page(unit: Unit, wanted: Page) -> tuple[list[Coupon], int]:
    """List coupons: active ones first, then those that expire first."""
    return await store.page(unit, wanted)


async def update(unit: Unit, code: str, data: CouponChange) -> Coupon:
    """Change a coupon. Of one that anybody has had, only name, description and expiration change.

    Refuses as `create` does.
    """
    row = await _locked(unit, code)
    is_applied = await store.is_applied(unit, row.id)
    changes = data.given(leave_out=NESTED)
    if is_applied:
        changes = {name: value for name, value in changes.items() if name in WHEN_APPLIED}
    problems = Problems()
    for name in NEVER_NULL:
        if name in changes and changes[name] is None:
            problems.add(name, "value_is_mandatory")
    problems.check()
    new_code = changes.get("code", row.code)
    if new_code != row.code and await store.by_code(unit, new_code):
        raise Invalid.field("code", "value_already_exist")
    for name, value in changes.items():
        setattr(row, name, value)
    _check(unit, row, is_expiry_new="expiration_at" in changes)
    if "applies_to" in data.model_fields_set and not is_applied:
        await _limit(unit, row, data.applies_to)
    row.updated_at = unit.now
    await unit.flush()
    return row


async def delete(unit: Unit, code: str) -> Coupon:
    """Delete a coupon: nobody has it any more, and what it took off invoices stays."""
    row = await _locked(unit, code)
    row.deleted_at = row.updated_at = unit.now
    await applied_coupons.terminate_all(unit, row)
    return row


async def terminate_expired(unit: Unit) -> None:
    """End coupons that have expired; whoever has one keeps it (2.10)."""
    for row in await store.expired(unit, unit.now):
        row.status = "terminated"
        row.terminated_at = row.updated_at = unit.now


async def _locked(unit: Unit, code: str) -> Coupon:
    row = await store.lock(unit, code)
    if row is None:
        raise NotFound("coupon")
    return row


def _check(unit: Unit, row: Coupon, *, is_expiry_new: bool = True) -> None:
    """Refuse terms that do not go together, and forget those that do not count."""
    problems = Problems()
    if row.coupon_type == FIXED:
        wanted: tuple[str, ...] = ("amount_cents", "amount_currency")
        row.percentage_rate = None
    else:
        wanted = ("percentage_rate",)
        row.amount_cents = row.amount_currency = None
    if row.frequency == "recurring":
        wanted = (*wanted, "frequency_duration")
    else:
        row.frequency_duration = None
    if row.expiration == "time_limit":
        wanted = (*wanted, "expiration_at")
    else:
        row.expiration_at = None
    for name in wanted:
        if getattr(row, name) is None:
            problems.add(name, "value_is_mandatory")
    if is_expiry_new and row.expiration_at is not None and row.expiration_at <= unit.now:
        problems.add("expiration_at", "invalid_date")
    problems.check()


async def _limit(unit: Unit, row: Coupon, wanted: CouponLimitsIn | None) -> None:
    """Limit a coupon to plans or to metrics, or to nothing."""
    plan_codes = wanted.plan_codes if wanted else None
    metric_codes = wanted.billable_metric_codes if wanted else None
    if plan_codes and metric_codes:
        raise NotAllowed("only_one_limitation_type_per_coupon_allowed")
    targets = []
    for code in _each(plan_codes):
        plan = await catalog.plan_by_code(unit, code)
        if plan is None:
            raise NotFound("plans")
        targets.append(_target(unit, row, plan_id=plan.id))
    for code in _each(metric_codes):
        metric = await catalog.metric_by_code(unit, code)
        if metric is None:
            raise NotFound("billable_metrics")
        targets.append(_target(unit, row, billable_metric_id=metric.id))
    row.targets = targets


def _each(codes: Sequence[str] | None) -> Iterable[str]:
    return dict.fromkeys(codes or ())


def _target(unit: Unit, row: Coupon, **what: UUID) -> CouponTarget:
    target = CouponTarget(org_id=unit.org_id, created_at=unit.now, coupon_id=row.id)
    for name, value in what.items():
        setattr(target, name, value)
    return target
