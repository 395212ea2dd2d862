"""Our own list of operations, as the file says it."""

from pathlib import Path
from typing import NamedTuple


class Listed(NamedTuple):
    """One operation at one path."""

    method: str
    path: str
    operation_id: str

    @property
    def is_alias(self) -> bool:
        """Whether it only repeats another operation for clients that send the other verb."""
        return self.operation_id.endswith(("ByPatch", "ByPut"))


FILE = Path(__file__).parent / "operations.txt"
LISTED = [Listed(*line.split()) for line in FILE.read_text().splitlines() if line.strip()]
