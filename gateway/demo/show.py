"""What the demo puts on the terminal: steps with their progress, tables and links."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from billing_core.clock import monotonic
from gateway.demo.world import CURRENCY, SESSION_FEE_NAME, Buyer

TITLE_WIDTH = 30


@dataclass(slots=True)
class Step:
    """One running step; `note` is shown beside it when it is done."""

    bar: Progress
    note: str = ""

    def advance(self) -> None:
        """Move the bar by one."""
        self.bar.advance(self.bar.task_ids[0])


class Screen:
    """A terminal, or a file that is read later: then without colour, spinner and bar."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._plain = self.console.options.ascii_only
        self._moves = self.console.is_terminal and not self.console.is_dumb_terminal

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Step]:
        """Show a step while it runs, a bar when `total` is known, and one line after it."""
        started = monotonic()
        columns = [
            SpinnerColumn("line" if self._plain else "dots"),
            TextColumn("{task.description}"),
            *([BarColumn(bar_width=TITLE_WIDTH)] if total else []),
        ]
        with Progress(
            *columns, console=self.console, transient=True, disable=not self._moves
        ) as bar:
            bar.add_task(title, total=total)
            step = Step(bar)
            yield step
        mark = "ok" if self._plain else "✓"
        seconds = f"{monotonic() - started:.1f} s"
        self.console.print(
            f"[green]{mark}[/] {title:<{TITLE_WIDTH}} {escape(step.note)} [dim]({seconds})[/]",
            soft_wrap=True,
        )

    def say(self, text: str = "") -> None:
        """Print a line that is never broken, so that paths and addresses can be copied."""
        self.console.print(text, soft_wrap=True)

    def usage(self, rows: Sequence[tuple[Buyer, dict[str, Any]]]) -> None:
        """Print the current usage of each customer."""
        table = self._table(f"Current usage, {CURRENCY}")
        table.add_column("Customer")
        table.add_column("Charge")
        table.add_column("Units", justify="right")
        table.add_column("Amount", justify="right")
        for buyer, usage in rows:
            for charge in usage["charges_usage"]:
                name = charge["charge"]["invoice_display_name"] or charge["billable_metric"]["name"]
                table.add_row(
                    buyer.name,
                    escape(name),
                    _units(buyer, name, charge),
                    money(charge["amount_cents"]),
                )
        self._print(table)

    def invoices(self, rows: Sequence[tuple[Buyer, dict[str, Any]]]) -> None:
        """Print invoices with their lines."""
        table = self._table(f"Invoices, {CURRENCY}")
        table.add_column("Invoice", no_wrap=True)
        table.add_column("Line")
        table.add_column("Units", justify="right")
        table.add_column("Amount", justify="right")
        for buyer, invoice in rows:
            first = f"[bold]{escape(invoice['number'])}[/]"
            for label, units, cents in _lines(buyer, invoice):
                table.add_row(first, label, units, money(cents))
                first = ""
            total = money(invoice["total_amount_cents"])
            table.add_row("", f"[bold]Total, {buyer.name}[/]", "", f"[bold]{total}[/]")
            table.add_section()
        self._print(table)

    def files(self, paths: Sequence[Path]) -> None:
        """Print where the PDFs are."""
        self.say("PDFs:")
        for path in paths:
            self.say(f"  {escape(str(path))}")
        self.say()

    def links(self, url: str, api_key: str) -> None:
        """Print where to look, and how to call the API."""
        self.say("Links:")
        self.say(f"  API reference  {url}/docs")
        self.say(f"  Health         {url}/health")
        self.say(f"  Metrics        {url}/health/metrics")
        self.say()
        self.say("Call it:")
        self.say(f'  curl -H "Authorization: Bearer {api_key}" {url}/api/v1/invoices')
        self.say()

    def _table(self, title: str) -> Table:
        shape = box.ASCII2 if self._plain else box.ROUNDED
        return Table(title=title, title_justify="left", title_style="bold", box=shape)

    def _print(self, table: Table) -> None:
        self.console.print()
        self.console.print(table)
        self.console.print()


def money(cents: int) -> str:
    """Write cents as units with two decimals."""
    return f"{Decimal(cents).scaleb(-2):,.2f}"


def amount(units: str) -> str:
    """Write a quantity without trailing zeros."""
    text = f"{Decimal(units):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _units(buyer: Buyer, name: str, priced: dict[str, Any]) -> str:
    """Write what a charge counted; the session fee is per event, whatever the event carries."""
    if name == SESSION_FEE_NAME:
        return f"{priced['events_count']} sessions"
    return f"{amount(priced['units'])} {buyer.unit}"


def _lines(buyer: Buyer, invoice: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    for fee in invoice["fees"]:
        item = fee["item"]
        is_base = item["type"] == "subscription"
        name = "Base fee" if is_base else item["invoice_display_name"] or item["name"]
        units = "" if is_base else _units(buyer, name, fee)
        yield escape(name), units, fee["amount_cents"]
    for tax in invoice["applied_taxes"]:
        yield escape(f"{tax['tax_name']} {tax['tax_rate']} %"), "", tax["amount_cents"]
