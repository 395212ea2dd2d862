"""What organizations, keys and billing entities look like."""

from billing_core.services.shapes import catalog as catalog_shapes
from billing_core.store import catalog, webhooks
from billing_core.store.tables import ApiKey, BillingEntity, Organization
from billing_core.store.unit import Unit
from billing_core.wire.organizations import KeyOut, OrganizationOut


async def organization(unit: Unit, row: Organization, entity: BillingEntity) -> OrganizationOut:
    """Return the wire model of an organization: most of it is its default billing entity."""
    urls = [endpoint.webhook_url for endpoint in await webhooks.endpoints(unit)]
    taxes = (await catalog.taxes_of(unit, [entity.id])).get(entity.id, [])
    values = {
        name: getattr(entity, name)
        for name in OrganizationOut.model_fields
        if hasattr(entity, name) and not hasattr(row, name)
    }
    per_customer = entity.document_numbering == "per_customer"
    values["document_numbering"] = "per_customer" if per_customer else "per_organization"
    return OrganizationOut.of(
        row,
        **values,
        webhook_url=urls[0] if urls else None,
        webhook_urls=urls,
        events_store="postgres",  # the word of the API for a relational event store
        billing_configuration={
            "invoice_footer": entity.invoice_footer,
            "invoice_grace_period": entity.invoice_grace_period,
            "document_locale": entity.document_locale,
        },
        taxes=[catalog_shapes.tax(tax) for tax in taxes],
    )


def key(row: ApiKey, value: str | None = None) -> KeyOut:
    """Return the wire model of a key: masked, unless its value was just made."""
    return KeyOut.of(row, value=value or f"••••••••…{row.last_four}")
