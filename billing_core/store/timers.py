"""What is due when: for the clock, which serves all organizations, and for test clocks."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from billing_core.store import activities
from billing_core.store.tables import (
    ActivationRule,
    Charge,
    Coupon,
    Invoice,
    JobRun,
    Organization,
    Subscription,
    Wallet,
    WalletRefresh,
    WalletRule,
    Webhook,
    WebhookEndpoint,
)
from billing_core.store.unit import Unit

SAMPLE = 200
ONE_DAY = timedelta(days=1)


async def organizations_due(
    session: AsyncSession, job: str, now: datetime, today: date, before: datetime
) -> list[UUID]:
    """Return the organizations in real time that have work for a job.

    `today` is the UTC day of `now`; `before` is when rows become old enough to be cleaned.
    """
    rows = {
        **_subscription_jobs(now, today),
        **_invoice_jobs(today),
        # one list of due events serves everybody: one organization asks for all
        "charge_in_advance": select(Charge.org_id)
        .join(Organization, Organization.id == Charge.org_id)
        .where(Charge.pay_in_advance, Charge.deleted_at.is_(None), Organization.frozen_at.is_(None))
        .limit(1),
        # one look at the events serves everybody: one organization asks for all
        "process_subscription_activity": activities.in_real_time().limit(1),
        "refresh_wallets_ongoing_balance": select(WalletRefresh.org_id).where(
            WalletRefresh.promised.is_(False)
        ),
        "terminate_coupons": select(Coupon.org_id).where(
            Coupon.status == "active", Coupon.deleted_at.is_(None), Coupon.expiration_at <= now
        ),
        "terminate_wallets": select(Wallet.org_id).where(
            Wallet.status == "active", Wallet.expiration_at <= now
        ),
        "terminate_expired_wallet_transaction_rules": select(WalletRule.org_id).where(
            WalletRule.status == "active", WalletRule.expiration_at <= now
        ),
        "top_up_wallet_interval_credits": select(WalletRule.org_id).where(
            WalletRule.status == "active", WalletRule.next_top_up_on <= _tomorrow(now).date()
        ),
        "post_validate_events": select(WebhookEndpoint.org_id),
        "clean_webhooks": select(Webhook.org_id).where(Webhook.updated_at < before),
    }.get(job)
    if rows is None:
        return []
    found = await session.scalars(
        select(Organization.id).where(
            Organization.frozen_at.is_(None), Organization.id.in_(rows.distinct())
        )
    )
    return list(found)


def _subscription_jobs(now: datetime, today: date) -> dict[str, Select[UUID]]:
    return {
        "bill_customers": _subscriptions("active", Subscription.next_billing_at <= now),
        "bill_ended_trial_subscriptions": _subscriptions(
            "active", Subscription.trial_ends_at <= now
        ).where(Subscription.trial_ended_at.is_(None)),
        "activate_subscriptions": _subscriptions(
            "pending", Subscription.subscription_at <= _tomorrow(now)
        ).where(Subscription.previous_subscription_id.is_(None)),
        "terminate_ended_subscriptions": _subscriptions(
            "active", Subscription.ending_at <= _tomorrow(now)
        ),
        "termination_alerts": _subscriptions(
            "active", Subscription.next_termination_alert_on <= today
        ),
        "expire_incomplete_subscriptions": select(ActivationRule.org_id).where(
            ActivationRule.status == "pending", ActivationRule.expires_at <= now
        ),
    }


def _invoice_jobs(today: date) -> dict[str, Select[UUID]]:
    return {
        "finalize_invoices": select(Invoice.org_id).where(
            Invoice.status == "draft", Invoice.expected_finalization_date <= today
        ),
        "refresh_draft_invoices": select(Invoice.org_id).where(
            Invoice.status == "draft", Invoice.ready_to_be_refreshed
        ),
        "mark_invoices_as_payment_overdue": select(Invoice.org_id).where(
            Invoice.status == "finalized",
            Invoice.payment_status != "succeeded",
            Invoice.payment_overdue.is_(False),
            Invoice.payment_dispute_lost_at.is_(None),
            Invoice.payment_due_date < today,
        ),
    }


def _subscriptions(status: str, condition: object) -> Select[UUID]:
    return select(Subscription.org_id).where(
        Subscription.status == status,
        condition,  # type: ignore[arg-type]  # a column expression
    )


def _tomorrow(now: datetime) -> datetime:
    # a local day begins at most a day before any instant of it
    return now + ONE_DAY


async def earliest_pending(unit: Unit) -> Sequence[Subscription]:
    """Return the pending subscriptions that may start first."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(Subscription.status == "pending", Subscription.previous_subscription_id.is_(None))
        .order_by(Subscription.subscription_at)
        .limit(SAMPLE)
    )
    return rows.all()


async def earliest_ending(unit: Unit) -> Sequence[Subscription]:
    """Return the active subscriptions that may end first."""
    rows = await unit.session.scalars(
        select(Subscription)
        .where(Subscription.status == "active", Subscription.ending_at.is_not(None))
        .order_by(Subscription.ending_at)
        .limit(SAMPLE)
    )
    return rows.all()


async def earliest_billing(unit: Unit) -> datetime | None:
    """Return when the next subscription is to be billed."""
    return await unit.session.scalar(
        select(func.min(Subscription.next_billing_at)).where(Subscription.status == "active")
    )


async def earliest_alert(unit: Unit) -> date | None:
    """Return the first UTC day on which an arranged end is to be announced."""
    return await unit.session.scalar(
        select(func.min(Subscription.next_termination_alert_on)).where(
            Subscription.status == "active"
        )
    )


async def earliest_trial_end(unit: Unit) -> datetime | None:
    """Return when the next trial ends."""
    return await unit.session.scalar(
        select(func.min(Subscription.trial_ends_at)).where(
            Subscription.status == "active", Subscription.trial_ended_at.is_(None)
        )
    )


async def has_flagged_drafts(unit: Unit) -> bool:
    """Tell whether a draft waits to be recomputed."""
    found = await unit.session.scalar(
        select(
            exists().where(
                Invoice.status == "draft",
                Invoice.ready_to_be_refreshed,
                Invoice.org_id == unit.org_id,
            )
        )
    )
    return bool(found)


async def last_runs(session: AsyncSession) -> dict[str, datetime]:
    """Return when each scheduled job last ran."""
    rows = await session.scalars(select(JobRun))
    return {row.job: row.last_run_at for row in rows}


async def note_run(session: AsyncSession, job: str, at: datetime) -> None:
    """Remember that a job ran."""
    await session.merge(JobRun(job=job, last_run_at=at))
