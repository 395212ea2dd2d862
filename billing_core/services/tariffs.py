"""How a charge is priced: its buckets, and the terms of each, read once for many subscriptions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from billing_core.domain.charges import MODELS, Terms
from billing_core.domain.filters import Bucket, Buckets, Filter, expanded, group_keys
from billing_core.store.tables import Charge, ChargeFilter


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which part of the usage is asked for, and how far apart it is told.

    `groups` keeps the events whose property of each key is one of the given texts, and takes those
    keys out of the grouping; `presentation` keeps only these breakdown keys, None all of them
    (`docs/rules/metering.md` 5.1).
    """

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    skip_grouping: bool = False
    presentation: frozenset[str] | None = None

    def accepts(self, texts: Mapping[str, str | None]) -> bool:
        """Tell whether an event belongs to the groups asked for."""
        return all(texts.get(key) in wanted for key, wanted in self.groups.items())


EVERYTHING = Narrowing()


@dataclass(frozen=True, slots=True)
class Tariff:
    """A charge with the terms of its filters, in their order, and last those of the default."""

    charge: Charge
    buckets: Buckets
    terms: tuple[Terms, ...]

    def terms_of(self, bucket: Bucket) -> Terms:
        """Return what prices a bucket."""
        return self.terms[-1 if bucket.filter is None else bucket.filter]

    def filter_of(self, bucket: Bucket) -> ChargeFilter | None:
        """Return the row of a bucket, None for the default."""
        return None if bucket.filter is None else self.charge.filters[bucket.filter]

    def grouped_by(self, bucket: Bucket) -> dict[str, str | None]:
        """Return the pricing group of a bucket as a fee shows it."""
        return dict(zip(self.buckets.keys_of(bucket.filter), bucket.group, strict=True))

    @property
    def conversion_rate(self) -> Decimal | None:
        """How many major units of money one pricing unit costs; None where money is the unit."""
        return self.charge.conversion_rate if self.charge.pricing_unit else None


def tariff_of(charge: Charge, narrowing: Narrowing = EVERYTHING) -> Tariff:
    """Read a charge; what was stored has been checked, so nothing is refused here."""
    declared = {one["key"]: one["values"] for one in charge.metric.filters}
    owners = [one.properties for one in charge.filters] + [charge.properties]
    model = MODELS[charge.charge_model]
    return Tariff(
        charge=charge,
        buckets=Buckets(
            filters=tuple(
                Filter(expanded(one.values, declared), (one.created_at, one.id))
                for one in charge.filters
            ),
            group_keys=tuple(
                _kept(
                    group_keys(one, accepts_target_wallet=charge.accepts_target_wallet), narrowing
                )
                for one in owners
            ),
            breakdown_keys=tuple(
                key
                for key in presentation_keys(charge)
                if narrowing.presentation is None or key in narrowing.presentation
            ),
        ),
        terms=tuple(model.parse(one) for one in owners),
    )


def presentation_keys(charge: Charge) -> tuple[str, ...]:
    """Return the keys by which a charge's usage is broken down for show."""
    return tuple(one["value"] for one in charge.properties.get("presentation_group_keys") or ())


def invoiced_presentation_keys(charge: Charge) -> frozenset[str]:
    """Return those of its presentation keys that invoices show."""
    return frozenset(
        one["value"]
        for one in charge.properties.get("presentation_group_keys") or ()
        if (one.get("options") or {}).get("display_in_invoice")
    )


def _kept(keys: tuple[str, ...], narrowing: Narrowing) -> tuple[str, ...]:
    if narrowing.skip_grouping:
        return ()
    return tuple(key for key in keys if key not in narrowing.groups)
