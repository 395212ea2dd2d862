"""Column types that store instants, exact numbers and secrets the same on both databases."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import DateTime, Dialect, LargeBinary, Numeric, String
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """UTC in, UTC out, also on SQLite (which drops the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive instants and other zones."""
        _ = dialect
        assert value is None or value.tzinfo is UTC, value
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Put the zone back."""
        _ = dialect
        return value and value.replace(tzinfo=UTC)


class Exact(TypeDecorator[Decimal]):
    """NUMERIC on PostgreSQL, TEXT on SQLite (whose NUMERIC is a float)."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Pick the exact storage of each database."""
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Never let a float through."""
        assert value is None or isinstance(value, Decimal), value
        return format(value, "f") if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Rebuild the exact number."""
        _ = dialect
        return None if value is None else Decimal(value)


class Keyring:
    """The encryption keys of this process: the first encrypts, all decrypt."""

    def __init__(self) -> None:
        self._box: MultiFernet | None = None

    def use(self, keys: Sequence[str]) -> None:
        """Install the keys (url-safe base64 of 32 bytes each); called once by the face."""
        self._box = MultiFernet([Fernet(key) for key in keys]) if keys else None

    @property
    def box(self) -> MultiFernet:
        """The cipher; asking before any key was installed is a configuration bug."""
        assert self._box is not None, "no encryption keys installed"
        return self._box


KEYRING = Keyring()


class Encrypted(TypeDecorator[str]):
    """A secret, readable only with the installed keys (authenticated encryption)."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Encrypt on the way in."""
        _ = dialect
        return None if value is None else KEYRING.box.encrypt(value.encode())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Decrypt on the way out."""
        _ = dialect
        return None if value is None else KEYRING.box.decrypt(value).decode()
