"""Links to stored documents: signed, expiring, opened without a key."""

import hashlib
import hmac
from datetime import timedelta
from uuid import UUID

from billing_core.clock import wall_now
from billing_core.store.tables import Invoice

LIFETIME = timedelta(days=7)


class FileLinks:
    """Makes and checks links `/files/{id}?expires=…&signature=…`."""

    def __init__(self, secret_key: str, base_url: str) -> None:
        self._key = secret_key.encode()
        self._base_url = base_url.rstrip("/")

    def url(self, invoice: Invoice) -> str | None:
        """Return the link of an invoice's PDF, or None while there is none."""
        return None if invoice.file_id is None else self.link(invoice.org_id, invoice.file_id)

    def link(self, org_id: UUID, file_id: UUID) -> str:
        """Return a link that works for a week."""
        expires = int((wall_now() + LIFETIME).timestamp())
        signature = self._sign(org_id, file_id, expires)
        query = f"organization={org_id}&expires={expires}&signature={signature}"
        return f"{self._base_url}/files/{file_id}?{query}"

    def is_valid(self, org_id: UUID, file_id: UUID, expires: int, signature: str) -> bool:
        """Tell whether a link was made here and still lives; compared in constant time."""
        wanted = self._sign(org_id, file_id, expires)
        alive = expires > wall_now().timestamp()
        return hmac.compare_digest(signature.encode(), wanted.encode()) and alive

    def _sign(self, org_id: UUID, file_id: UUID, expires: int) -> str:
        text = f"file:{org_id}:{file_id}:{expires}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
