"""Pagination on the wire."""

from dataclasses import dataclass
from typing import Any

DEFAULT_SIZE = 100
FALLBACK_SIZE = 25
MAX_SIZE = 1000
MAX_NUMBER = 10**9
MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Page:
    """A wanted page; `number` is 1-based."""

    number: int = 1
    size: int = DEFAULT_SIZE

    @property
    def offset(self) -> int:
        """Rows to skip."""
        return (self.number - 1) * self.size

    @classmethod
    def read(cls, number: str | None, size: str | None) -> "Page":
        """Read leniently (api-conventions 3): nonsense falls back, sizes are capped at 1000."""
        page = int(number) if number is not None and _is_whole(number) else 1
        if size is None:
            return cls(min(max(page, 1), MAX_NUMBER))
        wanted = int(size) if _is_whole(size) else FALLBACK_SIZE
        return cls(min(max(page, 1), MAX_NUMBER), min(wanted or DEFAULT_SIZE, MAX_SIZE))

    def meta(self, total: int) -> dict[str, Any]:
        """Return the `meta` object of a list body."""
        pages = -(-total // self.size)
        return {
            "current_page": self.number if total else 0,
            "next_page": self.number + 1 if self.number < pages else None,
            "prev_page": self.number - 1 if total and self.number > 1 else None,
            "total_pages": pages,
            "total_count": total,
        }


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
