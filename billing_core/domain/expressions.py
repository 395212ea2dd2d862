"""The expressions by which a metric computes its value from an event, compiled to closures.

The language is that of `docs/rules/metering.md` 2.6. Nothing here is ever run as Python: a grammar
decides what is an expression, and the only operations are those below.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from functools import cache
from typing import Any, NamedTuple

from lark import Lark, LarkError, Token, Transformer

from billing_core.domain.metrics import numeric, property_text
from billing_core.domain.money import plain

MAX_CHARACTERS = 4096
MAX_DEPTH = 100  # operations inside each other: a level costs the evaluation a few stack frames
MAX_DIGITS = 400  # before and after the point, like numbers in events
MAX_TEXT = 65_535  # characters that concat() may put together

GRAMMAR = r"""
    start: sum
    ?sum: product ((PLUS | MINUS) product)*
    ?product: atom ((TIMES | OVER) atom)*
    ?atom: MINUS primary -> negative
        | primary
    ?primary: NUMBER -> number
        | STRING -> string
        | CODE -> code
        | TIMESTAMP -> timestamp
        | PROPERTY -> property
        | ROUNDING "(" sum ("," sum)? ")" -> rounding
        | EXTREME "(" sum ("," sum)* ")" -> extreme
        | CONCAT "(" sum ("," sum)* ")" -> concat
        | "(" sum ")"

    PLUS: "+"
    MINUS: "-"
    TIMES: "*"
    OVER: "/"
    NUMBER: /[0-9]+(\.[0-9]+)?/
    STRING: /'[^'\x00]*'/
    CODE: "event.code"
    TIMESTAMP: "event.timestamp"
    PROPERTY: /event\.properties\.[A-Za-z][A-Za-z0-9_]*/
    ROUNDING: /round|ROUND|Round|ceil|CEIL|Ceil|floor|FLOOR|Floor/
    EXTREME: /least|LEAST|Least|greatest|GREATEST|Greatest/
    CONCAT: /concat|CONCAT|Concat/

    %ignore / +/
"""
_PROPERTY_PREFIX = len("event.properties.")
_ROUNDINGS = {"round": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
# Exact up to 400 digits; what outgrows that is refused rather than written out.
_EXACT = Context(
    prec=MAX_DIGITS,
    rounding=ROUND_HALF_UP,
    Emin=1 - MAX_DIGITS,
    Emax=MAX_DIGITS - 1,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
_QUOTIENT = _EXACT.copy()
_QUOTIENT.prec = 100  # a third would otherwise be stored, with every event, in 400 digits
_NOT_A_NUMBER = "Expected a decimal"
_NOT_WHOLE = "Expected an integer"
_NO_QUOTIENT = "Division by zero"
_OUT_OF_RANGE = "Number out of range"
_TOO_LONG = "Text too long"
_TOO_LARGE = f"more than {MAX_CHARACTERS} characters"
_TOO_DEEP = f"more than {MAX_DEPTH} levels"


class ExpressionError(ValueError):
    """The text is no expression, or too large a one; `str` says why, for logs and people."""


class EvaluationError(ValueError):
    """An event does not give the expression what it needs; `str` is the text that callers see."""


class _Event(NamedTuple):
    code: str
    timestamp: Decimal | int
    properties: Mapping[str, Any]


_Number = Callable[[_Event], Decimal]
_Text = Callable[[_Event], str]


class _Node(NamedTuple):
    """A part of an expression: its value as an operand, inside concat(), and as the result."""

    number: _Number
    text: _Text
    result: _Text
    depth: int


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; safe to share between threads."""

    _result: _Text

    def evaluate(self, code: str, timestamp: Decimal | int, properties: Mapping[str, Any]) -> str:
        """Return the value for an event as text; numbers are plain decimals such as "3.0".

        `timestamp` is in seconds since 1970, `properties` the decoded JSON object with `Decimal`
        for fractions. Raises `EvaluationError`: "Variable: X not found", "Expected a decimal",
        "Expected an integer", "Division by zero", "Number out of range" or "Text too long"
        (`docs/rules/metering.md` 2.6).
        """
        try:
            return self._result(_Event(code, timestamp, properties))
        except ArithmeticError:
            raise EvaluationError(_OUT_OF_RANGE) from None


def compile_expression(text: str) -> Expression:
    """Compile an expression; raises `ExpressionError` for bad syntax and for what is too large.

    At most 4096 characters and operations 100 deep. Compiling takes up to some milliseconds and is
    not remembered here: whoever evaluates for many events keeps the result.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(_TOO_LARGE)
    try:
        node = _parser().parse(text)
    except LarkError as error:
        raise ExpressionError(str(error)) from None
    assert isinstance(node, _Node)
    return Expression(node.result)


@cache
def _parser() -> Lark:
    """Build the parser when it is first needed; it makes nodes while it reads, without a tree."""
    return Lark(GRAMMAR, parser="lalr", transformer=_Compiler())


class _Compiler(Transformer[Token, _Node]):
    """Turns what the grammar recognises into closures, innermost first."""

    def start(self, parts: list[_Node]) -> _Node:
        return parts[0]

    def sum(self, parts: list[Any]) -> _Node:
        return _chain(parts, {"+": _EXACT.add, "-": _EXACT.subtract})

    def product(self, parts: list[Any]) -> _Node:
        return _chain(parts, {"*": _EXACT.multiply, "/": _divide})

    def negative(self, parts: list[Any]) -> _Node:
        operand = parts[1].number
        return _numeric_node(lambda event: _EXACT.minus(operand(event)), parts[1:])

    def number(self, parts: list[Token]) -> _Node:
        return _literal(str(parts[0]))

    def string(self, parts: list[Token]) -> _Node:
        return _literal(parts[0][1:-1])

    def code(self, _parts: list[Token]) -> _Node:
        return _looked_up(lambda event: event.code)

    def timestamp(self, _parts: list[Token]) -> _Node:
        return _numeric_node(lambda event: Decimal(int(event.timestamp)), [])

    def property(self, parts: list[Token]) -> _Node:
        name = str(parts[0])[_PROPERTY_PREFIX:]
        missing = f"Variable: {name} not found"

        def read(event: _Event) -> Any:
            try:
                return event.properties[name]
            except KeyError:
                raise EvaluationError(missing) from None

        return _looked_up(read)

    def rounding(self, parts: list[Any]) -> _Node:
        mode = _ROUNDINGS[str(parts[0]).lower()]
        value = parts[1].number
        places: _Number = parts[2].number if len(parts) > 2 else lambda _event: Decimal(0)  # noqa: PLR2004 - name, x, n
        return _numeric_node(lambda event: _rounded(value(event), places(event), mode), parts[1:])

    def extreme(self, parts: list[Any]) -> _Node:
        pick = min if str(parts[0]).lower() == "least" else max
        values = [part.number for part in parts[1:]]
        return _numeric_node(lambda event: pick([value(event) for value in values]), parts[1:])

    def concat(self, parts: list[Any]) -> _Node:
        texts = [part.text for part in parts[1:]]

        def joined(event: _Event) -> str:
            room = MAX_TEXT
            found = []
            for text in texts:
                found.append(text(event))
                room -= len(found[-1])
                if room < 0:
                    raise EvaluationError(_TOO_LONG)
            return "".join(found)

        return _Node(lambda event: _operand(joined(event)), joined, joined, _deeper(parts[1:]))


def _deeper(parts: Sequence[_Node]) -> int:
    depth = 1 + max((part.depth for part in parts), default=0)
    if depth > MAX_DEPTH:
        raise ExpressionError(_TOO_DEEP)
    return depth


def _numeric_node(number: _Number, parts: Sequence[_Node]) -> _Node:
    return _Node(
        number,
        lambda event: format(number(event), "f"),
        lambda event: plain(number(event)),
        _deeper(parts),
    )


def _chain(
    parts: Sequence[Any], operations: Mapping[str, Callable[[Decimal, Decimal], Decimal]]
) -> _Node:
    """Apply operators of one precedence from left to right, without a level for each."""
    first = parts[0].number
    rest = [
        (operations[str(sign)], operand.number)
        for sign, operand in zip(parts[1::2], parts[2::2], strict=True)
    ]

    def number(event: _Event) -> Decimal:
        value = first(event)
        for operation, operand in rest:
            value = operation(value, operand(event))
        return value  # type: ignore[no-any-return]

    return _numeric_node(number, parts[::2])


def _literal(text: str) -> _Node:
    """Make a literal, whose value is known before any event."""
    value = _number_in(text)
    if value is None:
        return _Node(lambda _event: _operand(text), lambda _event: text, lambda _event: text, 1)
    known, shown = value, plain(value)
    return _Node(lambda _event: known, lambda _event: text, lambda _event: shown, 1)


def _looked_up(read: Callable[[_Event], Any]) -> _Node:
    """Make a variable, which is a number where it looks like one and else a text."""

    def result(event: _Event) -> str:
        value = read(event)
        found = _number_in(value)
        return _text_of(value) if found is None else plain(found)

    def number(event: _Event) -> Decimal:  # as _operand(), less a call where most time is spent
        found = _number_in(read(event))
        if found is None:
            raise EvaluationError(_NOT_A_NUMBER)
        return found

    return _Node(number, lambda event: _text_of(read(event)), result, 1)


def _operand(value: Any) -> Decimal:
    number = _number_in(value)
    if number is None:
        raise EvaluationError(_NOT_A_NUMBER)
    return number


def _number_in(value: Any) -> Decimal | None:
    """Return the number a JSON value is, or as a text looks like; None for everything else."""
    if type(value) is str:
        return numeric(value) if len(value) <= MAX_DIGITS else None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        return number if number.is_finite() and _is_moderate(number) else None
    return None


def _is_moderate(number: Decimal) -> bool:
    return not number or -MAX_DIGITS < number.adjusted() < MAX_DIGITS


def _text_of(value: Any) -> str:
    """Return a JSON value as text; null is the empty one."""
    if isinstance(value, Decimal) and not _is_moderate(value):
        raise EvaluationError(_OUT_OF_RANGE)
    return property_text(value) or ""


def _divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    if not divisor:
        raise EvaluationError(_NO_QUOTIENT)
    return _QUOTIENT.divide(dividend, divisor)


def _rounded(value: Decimal, places: Decimal, mode: str) -> Decimal:
    if places != places.to_integral_value():
        raise EvaluationError(_NOT_WHOLE)
    if abs(places) > MAX_DIGITS:
        raise EvaluationError(_OUT_OF_RANGE)
    step = Decimal((0, (1,), -int(places)))
    # plus() turns the negative zero of a rounded -0.4 into an ordinary one.
    return _EXACT.plus(value.quantize(step, rounding=mode, context=_EXACT))
