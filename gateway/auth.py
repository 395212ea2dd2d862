"""Who is asking: API keys, their organization and what they may do."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from billing_core.clock import monotonic, now_for, wall_now
from billing_core.domain.errors import Forbidden, Unauthorized
from billing_core.services.organizations import hash_key
from billing_core.store import organizations
from billing_core.store.tables import ApiKey, Organization
from billing_core.store.unit import Units

TTL_SECONDS = 1.0
MOST_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """An API key at work. `frozen_at` is its organization's test clock."""

    org_id: UUID
    key_id: UUID
    sandbox: bool
    frozen_at: datetime | None
    resolve_customer_ids: bool
    permissions: Mapping[str, Any] | None = field(default=None)
    expires_at: datetime | None = None

    def now(self) -> datetime:
        """Return the organization's now."""
        return now_for(self.frozen_at)

    def may(self, resource: str, mode: str) -> bool:
        """Tell whether the key may `read` or `write` a resource; no map means everything."""
        if self.permissions is None:
            return True
        granted = self.permissions.get(resource)
        return isinstance(granted, list) and mode in granted

    def require(self, resource: str, mode: str) -> None:
        """Raise `Forbidden` with the code of api-conventions 5 unless the key may."""
        if not self.may(resource, mode):
            raise Forbidden(f"{mode}_action_not_allowed_for_{resource}")


class Principals:
    """Knows the keys of this process; a revoked key is forgotten within a second."""

    def __init__(self, units: Units, on_use: Callable[[UUID], None] | None = None) -> None:
        """`on_use` is told which key was looked up, at most once a second."""
        self._units = units
        self._on_use = on_use
        self._known: dict[str, tuple[float, Principal]] = {}

    def cached(self, key: str) -> Principal | None:
        """Return who a key is if that was looked up within the last second.

        Sandbox organizations are never cached: their clock may just have been set.
        """
        found = self._known.get(key)
        if found is None or monotonic() - found[0] > TTL_SECONDS:
            return None
        principal = found[1]
        if principal.expires_at is not None and principal.expires_at <= wall_now():
            return None
        return principal

    async def resolve(self, key: str) -> Principal:
        """Return who a key is; raises `Unauthorized` for unknown, revoked and expired keys."""
        principal = self.cached(key)
        if principal is not None:
            return principal
        async with self._units.system() as session:
            found = await organizations.key_by_hash(session, hash_key(key)) if key else None
        if found is None or not _is_alive(found[0]):
            self._known.pop(key, None)
            raise Unauthorized
        principal = _principal(*found)
        if self._on_use is not None:
            self._on_use(principal.key_id)
        if not principal.sandbox:
            self._remember(key, principal)
        return principal

    def _remember(self, key: str, principal: Principal) -> None:
        if len(self._known) >= MOST_CACHED:
            self._known.clear()
        self._known[key] = (monotonic(), principal)


def bearer(header: str | None) -> str:
    """Return the second word of an Authorization header; the scheme word is not checked."""
    words = (header or "").split()
    return words[1] if len(words) > 1 else ""


def same_secret(given: str | None, wanted: str) -> bool:
    """Compare secrets in constant time."""
    return bool(wanted) and hmac.compare_digest((given or "").encode(), wanted.encode())


def _is_alive(key: ApiKey) -> bool:
    return key.expires_at is None or key.expires_at > wall_now()


def _principal(key: ApiKey, organization: Organization) -> Principal:
    return Principal(
        org_id=organization.id,
        key_id=key.id,
        sandbox=organization.sandbox,
        frozen_at=organization.frozen_at,
        resolve_customer_ids=organization.resolve_customer_ids,
        permissions=key.permissions,
        expires_at=key.expires_at,
    )
