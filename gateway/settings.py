"""Everything the environment may say, read once and checked: no other module looks at it."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

DEFAULT_DATA_DIR = Path(".tallygate")
DATABASE_SCHEMES = ("postgresql+asyncpg", "sqlite+aiosqlite")
REDIS_SCHEMES = ("redis", "rediss", "unix")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
DEDICATED_QUEUES = ("analytics", "billing", "clock", "events", "payments", "pdf", "webhook")
FERNET_KEY_BYTES = 32
YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})

SECRET_VARIABLES = {
    "admin_key": "TALLYGATE_ADMIN_KEY",
    "secret_key": "TALLYGATE_SECRET_KEY",
    "encryption_keys": "TALLYGATE_ENCRYPTION_KEYS",
    "rsa_private_key": "TALLYGATE_RSA_PRIVATE_KEY",
}
VARIABLES = frozenset(
    {
        "TALLYGATE_DATABASE_URL",
        "TALLYGATE_DATA_DIR",
        "TALLYGATE_LOG_LEVEL",
        "TALLYGATE_PUBLIC_URL",
        "TALLYGATE_SMTP_URL",
        "TALLYGATE_STRIPE_API_BASE",
        "TALLYGATE_WEBHOOK_ALLOW_PRIVATE",
        "TALLYGATE_WEBHOOK_ATTEMPTS",
        "TALLYGATE_WEBHOOK_TIMEOUT",
        "TALLYGATE_EVENTS_BATCH_MAX_LENGTH",
        "TALLYGATE_INGEST_QUEUE_MAX",
        *SECRET_VARIABLES.values(),
        *(
            f"TALLYGATE_REDIS{role}_{part}"
            for role in ("", "_CACHE", "_STORE")
            for part in ("URL", "PASSWORD")
        ),
        *(f"TALLYGATE_WORKER_{queue.upper()}" for queue in DEDICATED_QUEUES),
    }
)


class SettingsError(Exception):
    """A variable cannot be used; the message names it and never repeats its value."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable} {reason}")
        self.variable = variable


@dataclass(frozen=True, slots=True)
class Secrets:
    """What embedded mode makes for itself; `encryption_key` is a Fernet key, the RSA key a PEM."""

    admin_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    encryption_key: str = field(repr=False)
    rsa_private_key: str = field(repr=False)
    redis_password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RedisRole:
    """One use of Redis: `redis://`, `rediss://` or `unix://`, the secret kept out of the URL."""

    url: str
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The checked environment. Secrets, and URLs that may hold one, do not show in `repr`."""

    data_dir: Path = DEFAULT_DATA_DIR
    database_url: str | None = field(default=None, repr=False)
    admin_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    encryption_keys: tuple[str, ...] = field(default=(), repr=False)
    rsa_private_key: str = field(default="", repr=False)
    redis: RedisRole | None = None
    redis_cache: RedisRole | None = None
    redis_store: RedisRole | None = None
    public_url: str | None = None
    smtp_url: str | None = field(default=None, repr=False)
    stripe_api_base: str | None = None
    webhook_allow_private: bool = False
    webhook_attempts: int = 3
    webhook_timeout_seconds: int = 30
    events_batch_max_length: int = 100
    ingest_queue_max: int = 20_000
    dedicated_queues: frozenset[str] = frozenset()
    log_level: str = "INFO"

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, data_dir: Path | None = None
    ) -> Self:
        """Read every variable; a blank one counts as unset, `data_dir` wins over the variable.

        `environ` defaults to the process environment. Missing secrets stay empty: embedded mode
        fills them by `with_secrets`, and `require_secrets` refuses what is then still missing.
        Raises `SettingsError` for the first malformed value.
        """
        read = _Reader(os.environ if environ is None else environ)
        redis = read.redis("TALLYGATE_REDIS", None)
        return cls(
            data_dir=data_dir or Path(read.text("TALLYGATE_DATA_DIR") or DEFAULT_DATA_DIR),
            database_url=read.url("TALLYGATE_DATABASE_URL", DATABASE_SCHEMES),
            admin_key=read.text("TALLYGATE_ADMIN_KEY") or "",
            secret_key=read.text("TALLYGATE_SECRET_KEY") or "",
            encryption_keys=read.fernet_keys("TALLYGATE_ENCRYPTION_KEYS"),
            rsa_private_key=read.rsa_key("TALLYGATE_RSA_PRIVATE_KEY"),
            redis=redis,
            redis_cache=read.redis("TALLYGATE_REDIS_CACHE", redis),
            redis_store=read.redis("TALLYGATE_REDIS_STORE", redis),
            public_url=read.base("TALLYGATE_PUBLIC_URL"),
            smtp_url=read.url("TALLYGATE_SMTP_URL", ("smtp", "smtps")),
            stripe_api_base=read.base("TALLYGATE_STRIPE_API_BASE"),
            webhook_allow_private=read.flag("TALLYGATE_WEBHOOK_ALLOW_PRIVATE"),
            webhook_attempts=read.whole("TALLYGATE_WEBHOOK_ATTEMPTS", 3, 20),
            webhook_timeout_seconds=read.whole("TALLYGATE_WEBHOOK_TIMEOUT", 30, 600),
            events_batch_max_length=read.whole("TALLYGATE_EVENTS_BATCH_MAX_LENGTH", 100, 10_000),
            ingest_queue_max=read.whole("TALLYGATE_INGEST_QUEUE_MAX", 20_000, 10_000_000),
            dedicated_queues=frozenset(
                queue
                for queue in DEDICATED_QUEUES
                if read.flag(f"TALLYGATE_WORKER_{queue.upper()}")
            ),
            log_level=read.word("TALLYGATE_LOG_LEVEL", LOG_LEVELS, "INFO"),
        )

    @property
    def is_embedded(self) -> bool:
        """Whether this machine holds everything: no database named, or SQLite without a Redis."""
        if self.database_url is None:
            return True
        return self.database_url.startswith("sqlite") and self.redis is None

    @property
    def needs_own_redis(self) -> bool:
        """Whether `serve` has to start the bundled Redis, whatever the database."""
        return self.redis is None

    def with_secrets(self, generated: Secrets) -> Self:
        """Fill what the environment left out; the environment always wins."""
        return replace(
            self,
            admin_key=self.admin_key or generated.admin_key,
            secret_key=self.secret_key or generated.secret_key,
            encryption_keys=self.encryption_keys or (generated.encryption_key,),
            rsa_private_key=self.rsa_private_key or generated.rsa_private_key,
        )

    def with_redis(self, own: RedisRole) -> Self:
        """Point the roles that have no server yet at the bundled one."""
        return replace(
            self,
            redis=self.redis or own,
            redis_cache=self.redis_cache or own,
            redis_store=self.redis_store or own,
        )

    def require_secrets(self) -> Self:
        """Return self, or raise `SettingsError` for the first secret that nobody supplied."""
        for name, variable in SECRET_VARIABLES.items():
            if not getattr(self, name):
                raise SettingsError(variable, "must be set: only embedded mode makes its own")
        return self


class _Reader:
    """Reads single variables, each with the complaint that fits it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def word(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = (self.text(name) or default).upper()
        if value not in allowed:
            raise SettingsError(name, f"must be one of {', '.join(allowed)}")
        return value

    def flag(self, name: str) -> bool:
        value = (self.text(name) or "0").lower()
        if value not in YES | NO:
            raise SettingsError(name, "must be true or false (1, yes, on or 0, no, off)")
        return value in YES

    def whole(self, name: str, default: int, most: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        # isdecimal alone would take digits of every script
        if not (value.isascii() and value.isdecimal() and 1 <= int(value[:12]) <= most):
            raise SettingsError(name, f"must be a whole number from 1 to {most}")
        return int(value)

    def url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            has_place = bool(parts.hostname or parts.path.strip("/"))
            _ = parts.port  # raises when it is no number
        except ValueError:
            raise SettingsError(name, "is not a URL") from None
        if parts.scheme not in schemes or not has_place:
            raise SettingsError(name, f"must be a URL with {' or '.join(schemes)} before ://")
        return value

    def base(self, name: str) -> str | None:
        value = self.url(name, ("http", "https"))
        if value is None:
            return None
        parts = urlsplit(value)
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise SettingsError(name, "must be scheme, host and path only, as https://example.com")
        return value.rstrip("/")

    def redis(self, prefix: str, first: RedisRole | None) -> RedisRole | None:
        """Read a role; without a URL it is the first role, with a password of its own if given."""
        url = self.url(f"{prefix}_URL", REDIS_SCHEMES)
        password = self.text(f"{prefix}_PASSWORD")
        if url is None:
            if password and first is None:
                raise SettingsError(f"{prefix}_PASSWORD", f"is set, but {prefix}_URL is not")
            return replace(first, password=password) if first and password else first
        parts = urlsplit(url)
        if "password" in parse_qs(parts.query):
            raise SettingsError(f"{prefix}_URL", f"holds a password: move it to {prefix}_PASSWORD")
        if parts.password is None:
            return RedisRole(url, password)
        if password:
            raise SettingsError(f"{prefix}_URL", f"holds a password, and so does {prefix}_PASSWORD")
        # Taken out of the URL, because URLs are shown in logs and health reports.
        user, _, place = parts.netloc.rpartition("@")
        user = user.partition(":")[0]
        netloc = f"{user}@{place}" if user else place
        return RedisRole(urlunsplit(parts._replace(netloc=netloc)), unquote(parts.password))

    def fernet_keys(self, name: str) -> tuple[str, ...]:
        value = self.text(name)
        if value is None:
            return ()
        keys = tuple(key.strip() for key in value.split(",") if key.strip())
        for position, key in enumerate(keys, start=1):
            try:
                size = len(base64.b64decode(key, altchars=b"-_", validate=True))
            except (binascii.Error, ValueError):
                size = 0
            if size != FERNET_KEY_BYTES:
                raise SettingsError(
                    name, f"key {position} is not a Fernet key (32 bytes in URL-safe base64)"
                )
        if not keys:
            raise SettingsError(name, "names no key")
        return keys

    def rsa_key(self, name: str) -> str:
        r"""Read a PEM as it is, with `\n` for line ends, or wrapped in base64."""
        value = self.text(name)
        if value is None:
            return ""
        pem = value.replace("\\n", "\n")
        try:
            if not pem.startswith("-----BEGIN"):
                pem = base64.b64decode("".join(pem.split()), validate=True).decode()
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SettingsError(
                name, "must be an unencrypted RSA private key, as PEM or base64 of it"
            ) from None
        if not isinstance(key, RSAPrivateKey):
            raise SettingsError(name, "is a private key, but not an RSA one")
        return pem
