"""What every renderer of documents must do, and what the typst one promises beyond it."""

import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from billing_core.domain.money import CURRENCIES
from billing_core.ports import (
    DocumentLine,
    DocumentRenderer,
    DocumentSection,
    DocumentTotal,
    InvoiceDocument,
    Party,
)
from connectors.documents import formats
from connectors.documents.labels import KEYS, LANGUAGES, in_english, label, language_of
from connectors.documents.typst_pdf import TypstRenderer

# Fonts of the machine would make the answers depend on where the tests run.
RENDERER = TypstRenderer(system_fonts=False)
EMBEDDED = tuple(language for language in LANGUAGES if language != "ja")
JANUARY = "1 to 31 January 2025"


def line(description: str, amount_minor: int, **changes: object) -> DocumentLine:
    plain = DocumentLine(description, (), Decimal(1), Decimal("12.5"), amount_minor, Decimal(20))
    return replace(plain, **changes)  # type: ignore[arg-type] # the tests pass what the field takes


def invoice(**changes: object) -> InvoiceDocument:
    locale = str(changes.get("locale", "en"))
    plain = InvoiceDocument(
        number="TAL-0042",
        locale=locale,
        currency="EUR",
        issuing_date=date(2025, 2, 1),
        payment_due_date=date(2025, 3, 3),
        seller=Party("Northwind Charging GmbH", ("Lindenstraße 14", "10969 Berlin")),
        buyer=Party("Électromobilité SA", ("27 rue de la Paix", "75002 Paris")),
        sections=(
            DocumentSection(
                "Fleet Pro",
                JANUARY,
                (
                    line("Energy", 565035, details=("First 5,000 kWh", "Then the rest")),
                    line("Requests", 3000, units=Decimal(2400000), unit_amount=Decimal("125E-7")),
                ),
            ),
            DocumentSection("Extras", None, (line("Workshop", 90000),)),
        ),
        totals=(
            DocumentTotal(label(locale, "subtotal"), 658035),
            DocumentTotal(label(locale, "prepaid_credits"), -8035),
            DocumentTotal(label(locale, "amount_due"), 650000),
        ),
        notes=("Quote the number when paying.",),
        status="finalized",
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # as above


def opened(document: InvoiceDocument, renderer: DocumentRenderer = RENDERER) -> PdfReader:
    return PdfReader(io.BytesIO(renderer.invoice_pdf(document)))


def text_of(reader: PdfReader) -> str:
    """Return the text of all pages with every kind of space, also a line's end, as one blank."""
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages))


def is_archival(reader: PdfReader) -> bool:
    if reader.xmp_metadata is None:
        return False
    xmp = reader.xmp_metadata.stream.get_data()
    return b"pdfaid:part" in xmp and b"pdfuaid:part" in xmp


def test_everything_of_the_document_is_printed_as_text() -> None:
    reader = opened(invoice())
    text = text_of(reader)
    for expected in (
        *("TAL-0042", "Northwind Charging GmbH", "Lindenstraße 14", "Électromobilité SA"),
        *("February 1, 2025", "March 3, 2025", "Fleet Pro", JANUARY, "Extras", "Workshop"),
        *("First 5,000 kWh", "Then the rest", "2,400,000", "€0.0000125", "20%"),
        *("€5,650.35", "€30.00", "€900.00", "Subtotal €6,580.35", "-€80.35", "Quote the number"),
        *("Amount due €6,500.00", "Page 1 of 1"),
    ):
        assert expected in text
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice TAL-0042"
    assert is_archival(reader)


def test_the_same_document_gives_the_same_bytes() -> None:
    again = TypstRenderer(system_fonts=False).invoice_pdf(invoice())
    assert RENDERER.invoice_pdf(invoice()) == again
    assert RENDERER.invoice_pdf(invoice(number="TAL-0043")) != again


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", ("Invoice", "Bill to", "€6,500.00", "February 1, 2025")),
        ("en-GB", ("Invoice", "Bill to", "€6,500.00", "1 February 2025")),
        ("de", ("Rechnung", "Rechnung an", "6.500,00 €", "1. Februar 2025", "Seite 1 von 1")),
        ("fr", ("Facture", "Facturé à", "6 500,00 €", "1 février 2025", "Page 1 sur 1")),
        ("es", ("Factura", "Facturar a", "6.500,00 €", "1 de febrero de 2025")),
        ("pt-BR", ("Fatura", "Faturar para", "€ 6.500,00", "1 de fevereiro de 2025")),
        ("nl", ("Factuur", "Factuur aan", "€ 6.500,00", "€ -80,35", "1 februari 2025")),
        ("es-419", ("Factura", "Importe a pagar")),
        ("it", ("Invoice", "Amount due", "February 1, 2025")),
        ("", ("Invoice", "Amount due")),
        ("de-XX", ("Rechnung", "6.500,00 €")),
    ],
)
def test_words_dates_and_figures_follow_the_locale(locale: str, expected: tuple[str, ...]) -> None:
    reader = opened(invoice(locale=locale))
    text = text_of(reader)
    for part in expected:
        assert part in text
    assert is_archival(reader)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_label_exists_in_each_language(language: str) -> None:
    for key in KEYS:
        assert label(language, key).strip()
    assert {"{page}", "{pages}"} == set(re.findall(r"\{\w+\}", label(language, "page")))
    with pytest.raises(KeyError):
        label(language, "nonsense")


def test_a_language_tag_leads_to_a_language_we_have() -> None:
    tags = {"pt-BR": "pt", "pt_PT": "pt", "DE": "de", "ja-JP": "ja", "zh-Hant": "en", "": "en"}
    assert {tag: language_of(tag) for tag in tags} == tags
    assert in_english("ja", "税額 10 %") == "Taxes 10 %"


def test_japanese_without_a_font_is_an_english_invoice() -> None:
    reader = opened(invoice(locale="ja", currency="JPY"))
    text = text_of(reader)
    for expected in ("Invoice", "Subtotal ¥658,035", "Amount due ¥650,000", "February 1, 2025"):
        assert expected in text
    assert is_archival(reader), "nothing on it needs a missing font"


def test_a_name_no_font_can_print_costs_only_the_archival_standard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = opened(invoice(buyer=Party("株式会社", ("Tokyo",))))
    text = text_of(reader)
    assert "Tokyo" in text
    assert "€6,500.00" in text
    assert not is_archival(reader)
    assert "TAL-0042 is not archival" in caplog.text


def test_the_fonts_of_the_machine_are_only_a_fallback() -> None:
    searching = TypstRenderer()
    assert searching.invoice_pdf(invoice()) == RENDERER.invoice_pdf(invoice())
    assert "€6,500.00" in text_of(opened(invoice(locale="de", number="株 1"), searching)).replace(
        "6.500,00 €", "€6,500.00"
    )


@pytest.mark.parametrize(
    ("currency", "locale", "printed"),
    [
        ("EUR", "en", "€1,234,567.89"),
        ("JPY", "en", "¥123,456,789"),
        ("KWD", "en", "KWD 123,456.789"),
        ("KWD", "de", "123.456,789 KWD"),
        ("HUF", "en", "HUF 123,456,789"),
        ("HUF", "de", "123.456.789 HUF"),
        ("ISK", "fr", "123 456 789 ISK"),
        ("UGX", "nl", "UGX 123.456.789"),
        ("CLF", "en", "CLF 12,345.6789"),
        ("MRO", "en", "MRO 24,691,357.8"),
        ("CHF", "de-CH", "CHF 1’234’567.89"),  # noqa: RUF001 - the Swiss group with it
    ],
)
def test_amounts_have_our_decimals_not_those_of_cldr(
    currency: str, locale: str, printed: str
) -> None:
    due = (DocumentTotal("Due", 123456789),)
    text = text_of(opened(invoice(currency=currency, locale=locale, totals=due)))
    assert text.count(printed) == 2  # in the totals and, large, at the head


@pytest.mark.parametrize("locale", EMBEDDED)
def test_an_amount_can_be_read_back_to_the_last_minor_unit(locale: str) -> None:
    writing = formats.parsed(locale)
    for currency in sorted(CURRENCIES - {"MRO"}):
        for amount_minor in (0, 1, -1, 999, 10**20 + 1):
            figures = re.sub(r"[^\d-]", "", formats.money(amount_minor, currency, writing))
            assert int(figures) == amount_minor


def test_prices_and_quantities_keep_their_digits() -> None:
    writing = formats.parsed("en")
    assert formats.unit_price(Decimal("0.0000025"), "EUR", writing) == "€0.0000025"
    assert formats.unit_price(Decimal("12.5000"), "EUR", writing) == "€12.50"
    assert formats.unit_price(Decimal("0.31"), "JPY", writing) == "¥0.31"
    assert formats.quantity(Decimal("1E+3"), writing) == "1,000"
    assert formats.quantity(Decimal("18452.750"), writing) == "18,452.75"
    many = Decimal("123456789012345678901234567890.000000000001")
    assert formats.quantity(many, writing).replace(",", "") == str(many)
    assert formats.percent(Decimal("8.1"), writing) == "8.1%"
    assert formats.percent(Decimal("8.1"), formats.parsed("fr")) == "8,1\u00a0%"


@pytest.mark.parametrize(
    "hostile",
    [
        "#evil[] #panic() #import",
        "$x^2$ = \\alpha $$",
        'quote " and \\" and \\n',
        "*bold* _it_ `raw` <label> @ref",
        "]}) /* no comment */ // none",
        "{{page}} {pages}",
    ],
)
def test_text_of_others_is_never_markup(hostile: str) -> None:
    document = invoice(
        number=hostile,
        seller=Party(hostile, (hostile,)),
        buyer=Party(hostile, (hostile,)),
        sections=(DocumentSection(hostile, hostile, (line(hostile, 1, details=(hostile,)),)),),
        totals=(DocumentTotal(hostile, 1),),
        notes=(hostile,),
    )
    text = text_of(opened(document))
    # Ten printed as they came, one more in the footer, where a long one is cut.
    assert text.count(re.sub(r"\s+", " ", hostile)) >= 10


def test_a_word_longer_than_its_column_is_broken_but_copied_whole() -> None:
    word = "Kraftfahrzeughaftpflichtversicherung" * 6
    reader = opened(invoice(sections=(DocumentSection("", None, (line(word, 1),)),)))
    assert word in "".join(page.extract_text() for page in reader.pages).replace("\n", "")


@pytest.mark.parametrize("length", [70, 400, 6000])
def test_long_texts_leave_room_for_the_rest(length: int) -> None:
    word = "x" * length
    lines = (line(word, 123456, details=(word,)), line("Next", 100))
    document = invoice(
        sections=(DocumentSection(word, word, lines),), totals=(DocumentTotal(word, 650000),)
    )
    reader = opened(document)
    pages = ["".join(page.extract_text().split()) for page in reader.pages]
    # Six places print the text; a heading repeated on each page would show in both numbers.
    assert len(pages) <= 2 + length // 400
    assert 6 * length <= "".join(pages).count("x") <= 8 * length
    assert "€1,234.56" in "".join(pages)
    assert "€6,500.00" in "".join(pages)


def test_right_to_left_names_do_not_turn_the_figures_around() -> None:
    turned = "\u202e00.1€\u202c"
    lines = (line("مرحبا", 123456), line(f"Trick {turned}", 1))
    section = DocumentSection("שלום עולם", None, lines)
    reader = opened(invoice(buyer=Party("שלום", ("مرحبا",)), sections=(section,)))
    text = text_of(reader)
    assert "€1,234.56" in text
    assert "\u202e" not in text
    assert "Trick 00.1€" in text
    assert is_archival(reader)


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[]), max_size=120))
def test_any_text_makes_an_invoice(text: str) -> None:
    document = invoice(
        number=text,
        locale=text[:8],
        buyer=Party(text, (text, "")),
        sections=(DocumentSection(text, text, (line(text, 700, details=(text,)),)),),
        totals=(DocumentTotal(text, 700),),
        notes=(text,),
    )
    assert len(opened(document).pages) >= 1


def test_a_draft_and_a_voided_invoice_say_so_on_every_page() -> None:
    sections = (DocumentSection("Much", None, tuple(line(f"L{i}", i) for i in range(60))),)
    for status, word in (("draft", "DRAFT"), ("voided", "VOIDED")):
        reader = opened(invoice(status=status, sections=sections))
        assert len(reader.pages) > 1
        for page in reader.pages:
            assert word in page.extract_text()
    final = text_of(opened(invoice(sections=sections)))
    assert "DRAFT" not in final
    assert "VOIDED" not in final


def test_three_hundred_lines_run_over_pages_with_their_heads() -> None:
    lines = tuple(line(f"Metric {i:03}", i * 100, details=("a", "b")[: i % 3]) for i in range(300))
    document = invoice(sections=(DocumentSection("Fleet Pro", JANUARY, lines),))
    reader = opened(document)
    pages = [re.sub(r"\s+", " ", page.extract_text()) for page in reader.pages]
    assert len(pages) >= 8
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        if "Metric" in page:
            assert "Unit price" in page
            assert "Fleet Pro" in page
    found = re.findall(r"Metric (\d{3})", " ".join(pages))
    assert [int(number) for number in found] == list(range(300))
    assert "Amount due" in pages[-1]


def test_rendering_is_quick_enough_for_a_request() -> None:
    lines = tuple(line(f"Metric {i}", i) for i in range(300))
    seconds = []
    for attempt in range(3):  # the best of three: other processes may be busy, typst may not
        document = invoice(number=f"Q-{attempt}", sections=(DocumentSection("Long", None, lines),))
        before = time.perf_counter()
        RENDERER.invoice_pdf(document)
        seconds.append(time.perf_counter() - before)
    assert min(seconds) < 1


def test_an_invoice_of_nothing_is_still_one() -> None:
    document = invoice(
        number="",
        payment_due_date=None,
        sections=(),
        totals=(),
        notes=(),
        seller=Party("", ()),
        buyer=Party("", ()),
    )
    text = text_of(opened(document))
    assert "Invoice" in text
    assert "Due" not in text


def test_the_tax_column_is_there_only_if_something_is_taxed() -> None:
    untaxed = DocumentSection("", None, (line("Export", 100, tax_rate=Decimal(0)),))
    assert "Tax" not in text_of(opened(invoice(sections=(untaxed,))))
    assert "Tax" in text_of(opened(invoice()))


def test_several_threads_set_invoices_at_once() -> None:
    documents = [invoice(number=f"T-{number}") for number in range(24)]
    with ThreadPoolExecutor(4) as threads:
        files = list(threads.map(TypstRenderer(system_fonts=False).invoice_pdf, documents))
    assert files == [RENDERER.invoice_pdf(document) for document in documents]
