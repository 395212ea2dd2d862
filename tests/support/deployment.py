"""What a deployment of several processes needs: secrets, a Redis, and the other commands."""

import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from gateway.embedded import find_redis
from tests.support.gateway import MAIN, ROOT, STOP_SECONDS, free_port


def environment_secrets() -> dict[str, str]:
    """Return every secret a deployment has to bring."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "TALLYGATE_ADMIN_KEY": secrets.token_urlsafe(24),
        "TALLYGATE_SECRET_KEY": secrets.token_urlsafe(24),
        "TALLYGATE_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "TALLYGATE_RSA_PRIVATE_KEY": pem.replace("\n", "\\n"),
    }


@contextmanager
def redis_server(directory: Path) -> Iterator[dict[str, str]]:
    """Run a Redis with a password; yields the settings that name it."""
    port, password = free_port(), secrets.token_urlsafe(16)
    command = [str(find_redis()), "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--requirepass", password, "--save", "", "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - our own
        try:
            patience = Retry(ConstantBackoff(0.05), 200)
            with redis.Redis(
                port=port,
                password=password,
                retry=patience,
                retry_on_error=[redis.exceptions.ConnectionError],
            ) as client:
                client.ping()
            url = f"redis://127.0.0.1:{port}/0"
            yield {"TALLYGATE_REDIS_URL": url, "TALLYGATE_REDIS_PASSWORD": password}
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


@contextmanager
def running(
    log_path: Path, environment: Mapping[str, str], *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run another command of the gateway; at the end SIGTERM must make it exit in order."""
    with (
        log_path.open("ab") as log,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*MAIN, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        assert process.poll() is None, log_path.read_text()
        process.send_signal(signal.SIGTERM)
        status = process.wait(STOP_SECONDS)
        assert status == 0, log_path.read_text()
