"""Invoices as PDF files, set by typst inside the process: no browser, no network, no temp file."""

import json
import logging
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Any

import typst
from babel import Locale

from billing_core.ports import DocumentLine, DocumentSection, InvoiceDocument, Party
from connectors.documents import formats
from connectors.documents.labels import FALLBACK_LANGUAGE, KEYS, in_english, label, language_of

logger = logging.getLogger(__name__)

# Long-term archiving with a tagged structure, and readable by a screen reader.
ARCHIVAL: "list[typst.PDFStandard]" = ["a-2a", "ua-1"]
# Fails where a character has no glyph; asks nothing else of the probed text.
PROBE: "list[typst.PDFStandard]" = ["a-2u"]
NO_STANDARD: "list[typst.PDFStandard]" = []

FOOTER_CHARACTERS = 48
_COMPILING = Lock()

# Embeddings, overrides and isolates could turn the figures beside a name around.
_DIRECTION_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_REPLACEMENT = "\ufffd"
_MISSING = "-"


class TypstRenderer:
    """The `DocumentRenderer` of the project.

    The fonts inside typst cover Latin, Greek, Cyrillic, Hebrew, Arabic and the currency signs, and
    are all that an ordinary invoice uses. `font_folders` adds fonts of the operator; fonts of the
    machine are looked at only when a character is in none of the others, and not at all with
    `system_fonts=False`. Japanese needs one of the two. Where no font has a character the invoice
    still comes out: an empty box for it, labels in English if they are concerned, a warning in the
    log and no archival standard.
    """

    def __init__(self, font_folders: Sequence[Path] = (), *, system_fonts: bool = True) -> None:
        self._folders = list(font_folders)
        self._system_fonts = system_fonts
        self._legible_languages: dict[str, bool] = {}
        self._template = (
            resources.files("connectors.documents").joinpath("invoice.typ").read_bytes()
        )

    def invoice_pdf(self, document: InvoiceDocument) -> bytes:
        """Return the PDF (PDF/A-2a and PDF/UA-1); the same document gives the same bytes."""
        reason = ""
        for fonts, language_tag in self._attempts(document.locale):
            try:
                return self._compiled(document, language_tag, fonts, ARCHIVAL)
            except typst.TypstError as unprintable:
                reason = unprintable.message
        logger.warning("invoice %s is not archival: %s", document.number, reason)
        legible = self._legible(document.locale)
        return self._compiled(document, legible, self._all_fonts, NO_STANDARD)

    def _attempts(self, locale: str) -> Iterator[tuple[typst.Fonts, str]]:
        yield self._own_fonts, locale
        if self._system_fonts:
            yield self._all_fonts, locale
        if self._legible(locale) != locale:
            yield self._all_fonts, FALLBACK_LANGUAGE

    def _legible(self, locale: str) -> str:
        """Return `locale`, or English where no font can print our own labels for it."""
        language = language_of(locale)
        if language not in self._legible_languages:
            sample = json.dumps([label(language, key) for key in KEYS], ensure_ascii=False)
            try:
                self._typeset(b"#sys.inputs.document", sample, self._all_fonts, PROBE)
            except typst.TypstError:
                self._legible_languages[language] = False
            else:
                self._legible_languages[language] = True
        return locale if self._legible_languages[language] else FALLBACK_LANGUAGE

    def _compiled(
        self,
        document: InvoiceDocument,
        locale: str,
        fonts: typst.Fonts,
        standards: "list[typst.PDFStandard]",
    ) -> bytes:
        data = json.dumps(_printable(_contents(document, locale)), ensure_ascii=False)
        return self._typeset(self._template, data, fonts, standards)

    def _typeset(
        self, template: bytes, data: str, fonts: typst.Fonts, standards: "list[typst.PDFStandard]"
    ) -> bytes:
        # The library keeps what it has worked out for all threads alike, and panics where two of
        # them compile at once.
        try:
            with _COMPILING:
                return typst.compile(
                    template,
                    font_paths=fonts,
                    sys_inputs={"document": data},
                    format="pdf",
                    pdf_standards=standards,
                )
        except BaseException as failure:
            if type(failure).__name__ != "PanicException":
                raise
            # It is no Exception: nobody would note the job as failed, and try it again.
            raise RuntimeError(str(failure)) from failure

    @cached_property
    def _own_fonts(self) -> typst.Fonts:
        return typst.Fonts(include_system_fonts=False, font_paths=self._folders)

    @cached_property
    def _all_fonts(self) -> typst.Fonts:
        if not self._system_fonts:
            return self._own_fonts
        return typst.Fonts(include_system_fonts=True, font_paths=self._folders)


def _contents(document: InvoiceDocument, locale: str) -> dict[str, Any]:
    """Return what the template prints, every figure already a string."""
    writing = formats.parsed(locale)
    words = {key: label(locale, key) for key in KEYS}
    number = document.number or _MISSING
    issued = document.issuing_date
    facts = [
        [words["number"], number],
        [words["issued"], formats.long_date(issued, writing)],
    ]
    if document.payment_due_date is not None:
        facts.append([words["due"], formats.long_date(document.payment_due_date, writing)])
    totals = [
        {
            "label": _total_label(document, total.label, locale),
            "amount": formats.money(total.amount_minor, document.currency, writing),
        }
        for total in document.totals
    ]
    return {
        "title": f"{words['invoice']} {number}",
        "footer": f"{_short(document.seller.name)} · {_short(number)}",
        "labels": words,
        "language": writing.language,
        "region": _country(writing),
        "paper": formats.paper(writing),
        "status": document.status,
        "issued": {"year": issued.year, "month": issued.month, "day": issued.day},
        "facts": facts,
        "due": totals[-1] if totals else None,
        "seller": _party(document.seller),
        "buyer": _party(document.buyer),
        "taxed": any(line.tax_rate for section in document.sections for line in section.lines),
        "sections": [
            _section(section, document.currency, writing) for section in document.sections
        ],
        "totals": totals,
        "notes": list(document.notes),
    }


def _country(writing: Locale) -> str | None:
    """Return the two letters of a country; typst refuses a region such as the 419 of `es-419`."""
    territory = writing.territory
    return territory if territory is not None and territory.isalpha() else None


def _short(text: str) -> str:
    """Return at most what leaves the footer on one line."""
    line = " ".join(text.split())
    return line if len(line) <= FOOTER_CHARACTERS else f"{line[: FOOTER_CHARACTERS - 1]}…"


def _total_label(document: InvoiceDocument, text: str, locale: str) -> str:
    """Return the caller's label, turned back to English if its script cannot be printed."""
    return text if locale == document.locale else in_english(document.locale, text)


def _party(party: Party) -> dict[str, Any]:
    return {"name": party.name or _MISSING, "lines": [line for line in party.lines if line]}


def _section(section: DocumentSection, currency: str, writing: Locale) -> dict[str, Any]:
    return {
        "title": section.title,
        "period": section.period or "",
        "lines": [_line(line, currency, writing) for line in section.lines],
    }


def _line(line: DocumentLine, currency: str, writing: Locale) -> dict[str, Any]:
    return {
        "description": line.description,
        "details": list(line.details),
        "units": formats.quantity(line.units, writing),
        "unit_price": formats.unit_price(line.unit_amount, currency, writing),
        "tax": formats.percent(line.tax_rate, writing),
        "amount": formats.money(line.amount_minor, currency, writing),
    }


def _printable(value: Any) -> Any:
    """Return JSON data with every string free of characters that no page can show."""
    if isinstance(value, dict):
        return {key: _printable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_printable(entry) for entry in value]
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    lines = (_DIRECTION_CONTROLS.sub("", line) for line in _LINE_BREAKS.split(text))
    return "\n".join("".join(_shown(character) for character in line) for line in lines)


def _shown(character: str) -> str:
    """Drop controls; turn surrogates, private and unassigned characters into the mark of a loss."""
    category = unicodedata.category(character)
    if category == "Cc":
        return " " if character == "\t" else ""
    return _REPLACEMENT if category in {"Cs", "Co", "Cn"} else character
