"""Every variable of the environment, read and refused."""

import base64
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.settings import (
    DEDICATED_QUEUES,
    VARIABLES,
    RedisRole,
    Secrets,
    Settings,
    SettingsError,
)

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
LOCKED_PEM = RSA_KEY.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"locked")
).decode()
EC_PEM = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
# fixed, not generated: it is part of the name of a test, which must be the same everywhere
FERNET = base64.urlsafe_b64encode(b"a key of thirty-two bytes, no..!").decode()
GENERATED = Secrets("made-admin", "made-secret", FERNET, PEM, "made-redis")


class Recorder(dict[str, str]):
    """An empty environment that remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: str = "") -> str:  # type: ignore[override] # narrower on purpose
        self.asked.add(key)
        return default


def test_the_list_of_variables_is_what_is_read() -> None:
    environ = Recorder()
    Settings.from_environment(environ)
    assert environ.asked == VARIABLES


def test_an_empty_environment_is_embedded() -> None:
    settings = Settings.from_environment({})
    assert settings.is_embedded
    assert settings.needs_own_redis
    assert settings.data_dir == Path(".tallygate")
    assert settings.webhook_attempts == 3
    assert settings.webhook_timeout_seconds == 30
    assert settings.webhook_allow_private is False
    assert settings.events_batch_max_length == 100
    assert settings.ingest_queue_max == 20_000
    assert settings.dedicated_queues == frozenset()
    assert settings.log_level == "INFO"
    assert Settings.from_environment(dict.fromkeys(VARIABLES, " ")) == settings


def test_every_variable_is_read() -> None:
    other = Fernet.generate_key().decode()
    settings = Settings.from_environment(
        {
            "TALLYGATE_DATABASE_URL": "postgresql+asyncpg://u:pw@db:5432/tally",
            "TALLYGATE_ADMIN_KEY": "adm",
            "TALLYGATE_SECRET_KEY": "sec",
            "TALLYGATE_ENCRYPTION_KEYS": f"{FERNET}, {other}",
            "TALLYGATE_RSA_PRIVATE_KEY": PEM,
            "TALLYGATE_PUBLIC_URL": "https://bill.example/base/",
            "TALLYGATE_SMTP_URL": "smtps://user:pw@mail:465",
            "TALLYGATE_STRIPE_API_BASE": "http://127.0.0.1:12111",
            "TALLYGATE_WEBHOOK_ALLOW_PRIVATE": "1",
            "TALLYGATE_WEBHOOK_ATTEMPTS": "5",
            "TALLYGATE_WEBHOOK_TIMEOUT": "7",
            "TALLYGATE_EVENTS_BATCH_MAX_LENGTH": "1000",
            "TALLYGATE_INGEST_QUEUE_MAX": "5",
            "TALLYGATE_LOG_LEVEL": "debug",
            "TALLYGATE_DATA_DIR": "/var/lib/tallygate",
            "TALLYGATE_REDIS_URL": "redis://queue:6379/0",
            "TALLYGATE_REDIS_PASSWORD": "one",
            "TALLYGATE_WORKER_PDF": "true",
            "TALLYGATE_WORKER_EVENTS": "false",
            "TALLYGATE_WORKER_BILLING": "Yes",
        }
    ).require_secrets()
    assert not settings.is_embedded
    assert not settings.needs_own_redis
    assert settings.encryption_keys == (FERNET, other)
    assert settings.rsa_private_key == PEM.strip()
    assert settings.public_url == "https://bill.example/base"
    assert settings.stripe_api_base == "http://127.0.0.1:12111"
    assert settings.webhook_allow_private is True
    assert (settings.webhook_attempts, settings.webhook_timeout_seconds) == (5, 7)
    assert (settings.events_batch_max_length, settings.ingest_queue_max) == (1000, 5)
    assert settings.log_level == "DEBUG"
    assert settings.data_dir == Path("/var/lib/tallygate")
    assert settings.dedicated_queues == {"pdf", "billing"}
    assert settings.dedicated_queues < set(DEDICATED_QUEUES)
    shown = repr(settings)
    for secret in ("pw", "adm", "'sec'", "one'", FERNET, other, "BEGIN"):
        assert secret not in shown


def test_the_argument_wins_over_the_variable() -> None:
    environ = {"TALLYGATE_DATA_DIR": "named"}
    assert Settings.from_environment(environ, Path("given")).data_dir == Path("given")


@pytest.mark.parametrize(
    ("database_url", "redis_url", "is_embedded", "needs_own_redis"),
    [
        ("", "", True, True),
        ("", "redis://r", True, False),
        ("sqlite+aiosqlite:///a.db", "", True, True),
        ("sqlite+aiosqlite:///a.db", "redis://r", False, False),
        ("postgresql+asyncpg://h/d", "", False, True),
        ("postgresql+asyncpg://h/d", "redis://r", False, False),
    ],
)
def test_what_is_embedded(
    database_url: str, redis_url: str, *, is_embedded: bool, needs_own_redis: bool
) -> None:
    settings = Settings.from_environment(
        {"TALLYGATE_DATABASE_URL": database_url, "TALLYGATE_REDIS_URL": redis_url}
    )
    assert settings.is_embedded is is_embedded
    assert settings.needs_own_redis is needs_own_redis


def test_redis_roles_default_to_the_first() -> None:
    first = {"TALLYGATE_REDIS_URL": "redis://a", "TALLYGATE_REDIS_PASSWORD": "one"}
    same = Settings.from_environment(first)
    assert same.redis == same.redis_cache == same.redis_store == RedisRole("redis://a", "one")
    cache = first | {"TALLYGATE_REDIS_CACHE_URL": "redis://b"}
    split = Settings.from_environment(cache | {"TALLYGATE_REDIS_STORE_PASSWORD": "three"})
    assert split.redis_cache == RedisRole("redis://b", None), "one's password is not told to b"
    assert split.redis_store == RedisRole("redis://a", "three")


def test_the_own_redis_fills_only_roles_without_one() -> None:
    own = RedisRole("unix:///data/redis.sock", "made")
    settings = Settings.from_environment({"TALLYGATE_REDIS_CACHE_URL": "redis://b"}).with_redis(own)
    assert (settings.redis, settings.redis_store) == (own, own)
    assert settings.redis_cache == RedisRole("redis://b")


@pytest.mark.parametrize(
    ("given", "url", "password"),
    [
        ("redis://:p%40ss@host:6379/2", "redis://host:6379/2", "p@ss"),
        ("rediss://user:hidden@host", "rediss://user@host", "hidden"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1", None),
    ],
)
def test_a_password_leaves_the_redis_url(given: str, url: str, password: str | None) -> None:
    settings = Settings.from_environment({"TALLYGATE_REDIS_URL": given})
    assert settings.redis == RedisRole(url, password)
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("form", [PEM, PEM.replace("\n", "\\n"), base64.b64encode(PEM.encode())])
def test_an_rsa_key_comes_in_three_forms(form: str | bytes) -> None:
    value = form if isinstance(form, str) else form.decode()
    settings = Settings.from_environment({"TALLYGATE_RSA_PRIVATE_KEY": value})
    assert settings.rsa_private_key.strip() == PEM.strip()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TALLYGATE_DATABASE_URL", "postgresql://u:hidden@db/x"),
        ("TALLYGATE_DATABASE_URL", "hidden"),
        ("TALLYGATE_DATABASE_URL", "postgresql+asyncpg://u:hidden@[bad/x"),
        ("TALLYGATE_ENCRYPTION_KEYS", "hidden"),
        ("TALLYGATE_ENCRYPTION_KEYS", f"{FERNET},hidden"),
        ("TALLYGATE_ENCRYPTION_KEYS", " , "),
        ("TALLYGATE_RSA_PRIVATE_KEY", "hidden"),
        ("TALLYGATE_RSA_PRIVATE_KEY", LOCKED_PEM),
        ("TALLYGATE_RSA_PRIVATE_KEY", EC_PEM),
        ("TALLYGATE_PUBLIC_URL", "bill.example"),
        ("TALLYGATE_PUBLIC_URL", "https://u:hidden@bill.example"),
        ("TALLYGATE_PUBLIC_URL", "https://bill.example/?hidden"),
        ("TALLYGATE_SMTP_URL", "mail:hidden"),
        ("TALLYGATE_STRIPE_API_BASE", "ftp://hidden"),
        ("TALLYGATE_WEBHOOK_ALLOW_PRIVATE", "hidden"),
        ("TALLYGATE_WEBHOOK_ATTEMPTS", "0"),
        ("TALLYGATE_WEBHOOK_ATTEMPTS", "99"),
        ("TALLYGATE_WEBHOOK_TIMEOUT", "-1"),
        ("TALLYGATE_EVENTS_BATCH_MAX_LENGTH", "1.5"),
        ("TALLYGATE_INGEST_QUEUE_MAX", "٣"),
        ("TALLYGATE_INGEST_QUEUE_MAX", "9" * 5000),
        ("TALLYGATE_LOG_LEVEL", "hidden"),
        ("TALLYGATE_WORKER_PDF", "hidden"),
        ("TALLYGATE_REDIS_URL", "http://hidden"),
        ("TALLYGATE_REDIS_URL", "redis://host:hidden"),
        ("TALLYGATE_REDIS_URL", "unix:///run/redis.sock?password=hidden"),
        ("TALLYGATE_REDIS_PASSWORD", "hidden"),
        ("TALLYGATE_REDIS_CACHE_PASSWORD", "hidden"),
    ],
)
def test_a_malformed_value_is_named_and_not_repeated(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({variable: value})
    assert refused.value.variable == variable
    assert str(refused.value).startswith(variable)
    assert "hidden" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_two_passwords_for_one_redis_are_refused() -> None:
    environ = {"TALLYGATE_REDIS_URL": "redis://:a@h", "TALLYGATE_REDIS_PASSWORD": "b"}
    with pytest.raises(SettingsError, match="TALLYGATE_REDIS_PASSWORD"):
        Settings.from_environment(environ)


def test_generated_secrets_fill_the_gaps_only() -> None:
    settings = Settings.from_environment({"TALLYGATE_ADMIN_KEY": "mine"})
    with pytest.raises(SettingsError, match="TALLYGATE_SECRET_KEY must be set"):
        settings.require_secrets()
    filled = settings.with_secrets(GENERATED).require_secrets()
    assert filled.admin_key == "mine"
    assert filled.secret_key == "made-secret"  # noqa: S105 - made up above
    assert filled.encryption_keys == (FERNET,)
    assert filled.rsa_private_key == PEM
    assert "made" not in repr(filled)
