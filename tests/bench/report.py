"""What was measured, and how it is shown."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Collects lines and prints them as they come."""

    rows: list[tuple[str, ...]] = field(default_factory=list)

    def say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def section(self, title: str) -> None:
        self.say(f"\n== {title}")

    def figure(self, name: str, values: Sequence[float], unit: str) -> float:
        """Print the median of a few rounds with its range; returns the median."""
        middle = statistics.median(values)
        self.say(f"  {name:<58} {middle:>12,.1f} {unit}  ({min(values):,.1f} - {max(values):,.1f})")
        return middle

    def goal(self, number: str, what: str, measured: float, target: str, limit: float) -> None:
        """Note a goal; `target` begins with >= or <=."""
        is_met = measured >= limit if target.startswith(">=") else measured <= limit
        verdict = "met" if is_met else "MISSED"
        self.rows.append((number, what, f"{measured:.3f}", target, verdict))
        self.say(f"  {number:<4} {what:<53} {measured:>12.3f}  goal {target}: {verdict}")

    def close(self) -> None:
        self.section("goals")
        for row in sorted(self.rows, key=lambda row: (int(row[0][1:].split()[0]), row[0])):
            self.say("  {:<12}{:<66}{:>8}  {:<10}{}".format(*row))
