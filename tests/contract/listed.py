"""Our own list of operations, as the file says it."""

from pathlib import Path
from typing import NamedTuple


class Listed(NamedTuple):
    """One operation at one path."""

    method: str
    path: str
    operation_id: str


FILE = Path(__file__).parent / "operations.txt"
LISTED = [Listed(*line.split()) for line in FILE.read_text().splitlines() if line.strip()]
