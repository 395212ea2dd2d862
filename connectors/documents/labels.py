"""The words printed on documents, in the seven languages a customer can be billed in."""

from collections.abc import Mapping

FALLBACK_LANGUAGE = "en"

# One row per key; the columns follow LANGUAGES. `page` keeps its two placeholders in any order.
LANGUAGES = ("en", "de", "fr", "es", "pt", "nl", "ja")
_ROWS: Mapping[str, tuple[str, ...]] = {
    "invoice": ("Invoice", "Rechnung", "Facture", "Factura", "Fatura", "Factuur", "請求書"),
    "number": ("Number", "Nummer", "Numéro", "Número", "Número", "Nummer", "請求書番号"),
    "issued": (
        "Issued",
        "Ausgestellt",
        "Émise le",
        "Emitida",
        "Emitida em",
        "Factuurdatum",
        "発行日",
    ),
    "due": ("Due", "Fällig", "Échéance", "Vencimiento", "Vencimento", "Vervaldatum", "支払期日"),
    "from": ("From", "Von", "Émetteur", "Emisor", "Emitente", "Van", "発行元"),
    "bill_to": (
        "Bill to",
        "Rechnung an",
        "Facturé à",
        "Facturar a",
        "Faturar para",
        "Factuur aan",
        "請求先",
    ),
    "description": (
        "Description",
        "Beschreibung",
        "Description",
        "Descripción",
        "Descrição",
        "Omschrijving",
        "項目",
    ),
    "units": ("Units", "Menge", "Quantité", "Cantidad", "Quantidade", "Aantal", "数量"),
    "unit_price": (
        "Unit price",
        "Einzelpreis",
        "Prix unitaire",
        "Precio unitario",
        "Preço unitário",
        "Prijs per eenheid",
        "単価",
    ),
    "amount": ("Amount", "Betrag", "Montant", "Importe", "Valor", "Bedrag", "金額"),
    "tax": ("Tax", "Steuer", "Taxe", "Impuesto", "Imposto", "Btw", "税率"),
    "page": (
        "Page {page} of {pages}",
        "Seite {page} von {pages}",
        "Page {page} sur {pages}",
        "Página {page} de {pages}",
        "Página {page} de {pages}",
        "Pagina {page} van {pages}",
        "{page} / {pages} ページ",
    ),
    "minimum_spend": (
        "Minimum spend",
        "Mindestumsatz",
        "Minimum de facturation",
        "Consumo mínimo",
        "Consumo mínimo",
        "Minimumafname",
        "最低利用料金",
    ),
    "draft": ("Draft", "Entwurf", "Brouillon", "Borrador", "Rascunho", "Concept", "下書き"),
    "voided": ("Voided", "Storniert", "Annulée", "Anulada", "Anulada", "Geannuleerd", "無効"),
    "subtotal": (
        "Subtotal",
        "Zwischensumme",
        "Sous-total",
        "Subtotal",
        "Subtotal",
        "Subtotaal",
        "小計",
    ),
    "taxes": ("Taxes", "Steuern", "Taxes", "Impuestos", "Impostos", "Btw", "税額"),
    "coupons": (
        "Coupons",
        "Gutscheine",
        "Coupons",
        "Cupones",
        "Cupons",
        "Kortingsbonnen",
        "クーポン",
    ),
    "credit_notes": (
        "Credit notes",
        "Gutschriften",
        "Avoirs",
        "Notas de crédito",
        "Notas de crédito",
        "Creditnota’s",  # noqa: RUF001 - the Dutch plural is written with it
        "貸方票",
    ),
    "prepaid_credits": (
        "Prepaid credits",
        "Guthaben",
        "Crédits prépayés",
        "Créditos prepagados",
        "Créditos pré-pagos",
        "Vooruitbetaald tegoed",
        "前払いクレジット",
    ),
    "progressive_billing": (
        "Already billed in this period",
        "In diesem Zeitraum bereits berechnet",
        "Déjà facturé sur la période",
        "Ya facturado en este período",
        "Já faturado neste período",
        "Al gefactureerd in deze periode",
        "当期請求済額",
    ),
    "total": ("Total", "Gesamtbetrag", "Total", "Total", "Total", "Totaal", "合計"),
    "amount_due": (
        "Amount due",
        "Zu zahlen",
        "Montant dû",
        "Importe a pagar",
        "Valor a pagar",
        "Te betalen",
        "ご請求額",
    ),
}
KEYS = tuple(_ROWS)


def language_of(locale: str) -> str:
    """Return the language a document in `locale` (`de`, `pt-BR`, `pt_BR`) is worded in.

    A language outside `LANGUAGES` reads English: a whole document in one language is better than
    half of it in each.
    """
    language = locale.replace("_", "-").split("-")[0].lower()
    return language if language in LANGUAGES else FALLBACK_LANGUAGE


def label(locale: str, key: str) -> str:
    """Return the printed word for `key` in the language of `locale`.

    Raises `KeyError` for a key outside `KEYS`: that is a mistake of the caller, not of the data.
    """
    return _ROWS[key][LANGUAGES.index(language_of(locale))]


def in_english(locale: str, text: str) -> str:
    """Return `text` with our labels of `locale` put into English, the rest as it is.

    Needed where the totals of a document (`小計`, `税額 10 %`) came in a script that no installed
    font can print.
    """
    for key in sorted(KEYS, key=lambda key: -len(label(locale, key))):
        text = text.replace(label(locale, key), label(FALLBACK_LANGUAGE, key))
    return text
