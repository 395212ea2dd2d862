"""One more server process behind the same port, started by `tallygate serve --workers N`."""

import sys
from pathlib import Path

import uvloop

from gateway.embedded import read_secrets
from gateway.serve import Address, serve_sibling
from gateway.settings import Settings


def main() -> None:
    """Serve until a signal."""
    data_dir, host, port = sys.argv[1:4]
    settings = Settings.from_environment(data_dir=Path(data_dir))
    found = read_secrets(settings.data_dir)
    complete = (settings.with_secrets(found) if found else settings).require_secrets()
    uvloop.run(serve_sibling(complete, Address(host, int(port), workers=2)))


if __name__ == "__main__":
    main()
