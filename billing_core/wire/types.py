"""Field types that several request models share, with the codes they refuse by."""

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from billing_core.domain.calendar import is_timezone
from billing_core.domain.money import is_currency
from billing_core.wire.base import Text

MAX_CENTS = 10**15
MOST_DIGITS = 30
MAX_TEXT = 255
MAX_HOURS = 24 * 366 * 10
MAX_LONG_TEXT = 65_535
EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+\Z")


def refuse(code: str) -> PydanticCustomError:
    """Return an error that `validation` turns into this very code."""
    return PydanticCustomError("code:" + code, "{code}", {"code": code})


def whole(value: Any) -> Any:
    """Read a whole number from its text or decimal; anything else is left to be refused."""
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,25}\s*", value):
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**20:
        return int(value) if value == value.to_integral_value() else value
    return value


def _hours(value: int) -> int:
    if value < 0:
        raise refuse("value_must_be_positive_or_zero")
    if value > MAX_HOURS:
        raise refuse("value_is_out_of_range")
    return value


def _decimal(value: Any) -> Any:
    if isinstance(value, bool):
        raise refuse("value_is_invalid")
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str):
        try:
            value = Decimal(value.strip())
        except InvalidOperation:
            raise refuse("value_is_invalid") from None
    if isinstance(value, Decimal) and not _is_sane(value):
        raise refuse("value_is_out_of_range")
    return value


def _is_sane(value: Decimal) -> bool:
    if not value.is_finite():
        return False
    places = -int(value.as_tuple().exponent)
    return abs(value.adjusted()) < MOST_DIGITS and places <= MOST_DIGITS


def _currency(value: str) -> str:
    if not is_currency(value):
        raise refuse("invalid_currency")
    return value


def _timezone(value: str) -> str:
    if not is_timezone(value):
        raise refuse("invalid_timezone")
    return value


def _language(value: str) -> str:
    try:
        Locale.parse(value, sep="-")
    except (UnknownLocaleError, ValueError):
        raise refuse("not_a_valid_language_code") from None
    return value


def _country(value: Any) -> Any:
    if value in {None, ""}:
        return None
    if not isinstance(value, str) or value.upper() not in COUNTRIES:
        raise refuse("not_a_valid_country_code")
    return value.upper()


def _email(value: Any) -> Any:
    if value in {None, ""}:
        return None
    if not isinstance(value, str) or not EMAIL.match(value) or "\x00" in value:
        raise refuse("invalid_email_format")
    return value


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    # texts inside an open object go to a database that holds no NUL and no half characters
    waiting: list[Any] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and not _is_storable(one):
            raise refuse("value_is_invalid")
    return value


def _is_storable(text: str) -> bool:
    return "\x00" not in text and (
        text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
    )


Name = Annotated[Text, Field(min_length=1, max_length=MAX_TEXT)]
Code = Annotated[Text, Field(min_length=1, max_length=MAX_TEXT)]
ShortText = Annotated[Text, Field(max_length=MAX_TEXT)]
LongText = Annotated[Text, Field(max_length=MAX_LONG_TEXT)]
Whole = Annotated[int, BeforeValidator(whole)]
Cents = Annotated[int, BeforeValidator(whole), Field(ge=0, le=MAX_CENTS)]
Hours = Annotated[int, BeforeValidator(whole), AfterValidator(_hours)]
Days = Annotated[int, BeforeValidator(whole), Field(ge=0, le=3650)]
Exact = Annotated[Decimal, BeforeValidator(_decimal)]
Currency = Annotated[Text, AfterValidator(_currency)]
Timezone = Annotated[Text, AfterValidator(_timezone)]
Language = Annotated[Text, AfterValidator(_language)]
Country = Annotated[str | None, BeforeValidator(_country)]
Email = Annotated[str | None, BeforeValidator(_email)]
OpenObject = Annotated[dict[str, Any], AfterValidator(_storable)]

COUNTRIES = frozenset(
    [
        "AD",
        "AE",
        "AF",
        "AG",
        "AI",
        "AL",
        "AM",
        "AO",
        "AQ",
        "AR",
        "AS",
        "AT",
        "AU",
        "AW",
        "AX",
        "AZ",
        "BA",
        "BB",
        "BD",
        "BE",
        "BF",
        "BG",
        "BH",
        "BI",
        "BJ",
        "BL",
        "BM",
        "BN",
        "BO",
        "BQ",
        "BR",
        "BS",
        "BT",
        "BV",
        "BW",
        "BY",
        "BZ",
        "CA",
        "CC",
        "CD",
        "CF",
        "CG",
        "CH",
        "CI",
        "CK",
        "CL",
        "CM",
        "CN",
        "CO",
        "CR",
        "CU",
        "CV",
        "CW",
        "CX",
        "CY",
        "CZ",
        "DE",
        "DJ",
        "DK",
        "DM",
        "DO",
        "DZ",
        "EC",
        "EE",
        "EG",
        "EH",
        "ER",
        "ES",
        "ET",
        "FI",
        "FJ",
        "FK",
        "FM",
        "FO",
        "FR",
        "GA",
        "GB",
        "GD",
        "GE",
        "GF",
        "GG",
        "GH",
        "GI",
        "GL",
        "GM",
        "GN",
        "GP",
        "GQ",
        "GR",
        "GS",
        "GT",
        "GU",
        "GW",
        "GY",
        "HK",
        "HM",
        "HN",
        "HR",
        "HT",
        "HU",
        "ID",
        "IE",
        "IL",
        "IM",
        "IN",
        "IO",
        "IQ",
        "IR",
        "IS",
        "IT",
        "JE",
        "JM",
        "JO",
        "JP",
        "KE",
        "KG",
        "KH",
        "KI",
        "KM",
        "KN",
        "KP",
        "KR",
        "KW",
        "KY",
        "KZ",
        "LA",
        "LB",
        "LC",
        "LI",
        "LK",
        "LR",
        "LS",
        "LT",
        "LU",
        "LV",
        "LY",
        "MA",
        "MC",
        "MD",
        "ME",
        "MF",
        "MG",
        "MH",
        "MK",
        "ML",
        "MM",
        "MN",
        "MO",
        "MP",
        "MQ",
        "MR",
        "MS",
        "MT",
        "MU",
        "MV",
        "MW",
        "MX",
        "MY",
        "MZ",
        "NA",
        "NC",
        "NE",
        "NF",
        "NG",
        "NI",
        "NL",
        "NO",
        "NP",
        "NR",
        "NU",
        "NZ",
        "OM",
        "PA",
        "PE",
        "PF",
        "PG",
        "PH",
        "PK",
        "PL",
        "PM",
        "PN",
        "PR",
        "PS",
        "PT",
        "PW",
        "PY",
        "QA",
        "RE",
        "RO",
        "RS",
        "RU",
        "RW",
        "SA",
        "SB",
        "SC",
        "SD",
        "SE",
        "SG",
        "SH",
        "SI",
        "SJ",
        "SK",
        "SL",
        "SM",
        "SN",
        "SO",
        "SR",
        "SS",
        "ST",
        "SV",
        "SX",
        "SY",
        "SZ",
        "TC",
        "TD",
        "TF",
        "TG",
        "TH",
        "TJ",
        "TK",
        "TL",
        "TM",
        "TN",
        "TO",
        "TR",
        "TT",
        "TV",
        "TW",
        "TZ",
        "UA",
        "UG",
        "UM",
        "US",
        "UY",
        "UZ",
        "VA",
        "VC",
        "VE",
        "VG",
        "VI",
        "VN",
        "VU",
        "WF",
        "WS",
        "XK",
        "YE",
        "YT",
        "ZA",
        "ZM",
        "ZW",
    ]
)
