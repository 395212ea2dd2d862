"""What jobs work with: built once per process by the composition root."""

from dataclasses import dataclass

from billing_core.ports import DocumentRenderer, EventStore
from billing_core.services.document_details import Wording
from billing_core.store.unit import Units
from connectors.webhooks.sender import WebhookSender
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The tools of every job."""

    settings: Settings
    units: Units
    events: EventStore
    renderer: DocumentRenderer
    wording: Wording
    sender: WebhookSender
