"""Expressions: the grammar, what each part means, and that nothing sent can do harm."""

import timeit
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.domain.expressions import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    EvaluationError,
    ExpressionError,
    compile_expression,
)

PROPERTIES: Mapping[str, Any] = {
    "a": "1.5",
    "b": 2,
    "c": Decimal("1E+3"),
    "Long_name2": "-7",
    "word": "gpt-4",
    "padded": "007",
    "exponent": "1e3",
    "empty": "",
    "nothing": None,
    "yes": True,
    "list": [1, Decimal("2.50")],
    "huge": "9" * 399,
    "endless": Decimal("1E+999999999"),
}


def evaluate(text: str, **given_properties: Any) -> str:
    properties = {**PROPERTIES, **given_properties}
    return compile_expression(text).evaluate("calls", Decimal("1795171984.9"), properties)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1.0"),
        ("1.50", "1.5"),
        ("1 + 1", "2.0"),
        ("1+2*3", "7.0"),
        ("(1+2)*3", "9.0"),
        ("10-4-3", "3.0"),
        ("8/4/2", "1.0"),
        ("7-2+1", "6.0"),
        ("2*-3", "-6.0"),
        ("1--1", "2.0"),
        ("-(-1)", "1.0"),
        ("-event.properties.a", "-1.5"),
        ("  1  +  1  ", "2.0"),
        ("event.properties.a + event.properties.b", "3.5"),
        ("event.properties.Long_name2", "-7.0"),
        ("event.properties.c", "1000.0"),
        ("event.properties.word", "gpt-4"),
        ("event.properties.padded", "7.0"),
        ("event.properties.exponent", "1e3"),
        ("event.properties.nothing", ""),
        ("event.properties.yes", "true"),
        ("event.properties.list", "[1,2.50]"),
        ("event.code", "calls"),
        ("event.timestamp", "1795171984.0"),
        ("'any text, (even) this + that'", "any text, (even) this + that"),
        ("'12' + 1", "13.0"),
        ("concat(event.code, '-', event.properties.padded)", "calls-007"),
        ("concat('x', 1.50, 1 + 1, event.timestamp)", "x1.5021795171984"),
        ("concat('1', '2') + 1", "13.0"),
        ("concat('1', '2')", "12"),
        ("concat(event.properties.nothing)", ""),
        ("concat(event.properties.list)", "[1,2.50]"),
        ("concat(event.properties.c)", "1000"),
        ("round(2.5)", "3.0"),
        ("round(-2.5)", "-3.0"),
        ("round(2.345, 2)", "2.35"),
        ("round(155, -1)", "160.0"),
        ("ROUND (0.4 - 0.8)", "0.0"),
        ("Ceil(1.01)", "2.0"),
        ("ceil(-1.5)", "-1.0"),
        ("ceil(1.234, 1 + 1)", "1.24"),
        ("FLOOR(-1.5)", "-2.0"),
        ("floor(199, -2)", "100.0"),
        ("concat(round(2.5, 2))", "2.50"),
        ("least(3, '1.5', event.properties.b)", "1.5"),
        ("Greatest(3)", "3.0"),
        ("GREATEST(9, 10)", "10.0"),
    ],
)
def test_evaluation(text: str, value: str) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1 +", "+1", "--1", "- -1", "1 2", "1.", ".5", "1e3", "1,5", "()", "(1", "1)"),
        *("1\t+ 1", "1\n+ 1", "\u0661", "1 + x", "event", "event.codes", "event . code"),
        *("event.timestamp2", "event.properties", "event.properties.", "event.properties.1a"),
        *("event.properties._a", "event.properties.\u00e9", "event.properties.a.b", "EVENT.code"),
        *("'open", '"double"', "'it''s'", "'\0'", "concat()", "concat(1,)", "concat 1", "concat"),
        *("cONCAT(1)", "round()", "round(1, 2, 3)", "floor(1, 2, 3)", "least()", "sqrt(4)"),
        *("1 % 2", "2 ** 3", "1 == 1", "__import__('os')", "event.properties.a.__class__"),
    ],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("event.properties.unknown", "Variable: unknown not found"),
        ("1 + event.properties.unknown", "Variable: unknown not found"),
        ("concat('a', event.properties.unknown)", "Variable: unknown not found"),
        ("event.properties.word + 1", "Expected a decimal"),
        ("event.properties.exponent + 1", "Expected a decimal"),
        ("event.properties.empty * 1", "Expected a decimal"),
        ("event.properties.nothing - 1", "Expected a decimal"),
        ("event.properties.yes + 1", "Expected a decimal"),
        ("event.properties.list + 1", "Expected a decimal"),
        ("event.properties.endless + 1", "Expected a decimal"),
        ("-event.code", "Expected a decimal"),
        ("'x' * 2", "Expected a decimal"),
        ("concat('a', 'b') + 1", "Expected a decimal"),
        ("round('x')", "Expected a decimal"),
        ("least(1, 'x')", "Expected a decimal"),
        ("round(1, 0.5)", "Expected an integer"),
        ("1 / 0", "Division by zero"),
        ("0 / 0.0", "Division by zero"),
        ("round(1, 1000000000)", "Number out of range"),
        ("round(1, -1000000000)", "Number out of range"),
        ("ceil(1, 400)", "Number out of range"),
        ("event.properties.huge * event.properties.huge", "Number out of range"),
        ("event.properties.endless", "Number out of range"),
        ("concat(event.properties.endless)", "Number out of range"),
    ],
)
def test_evaluation_that_fails(text: str, error: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        evaluate(text)
    assert str(failed.value) == error


def test_timestamps_are_cut_to_whole_seconds() -> None:
    expression = compile_expression("event.timestamp")
    assert expression.evaluate("x", Decimal("-1.9"), {}) == "-1.0"
    assert expression.evaluate("x", 3, {}) == "3.0"


def test_digits_are_kept() -> None:
    long = "12345678901234567890.123456789012345678901234567890"
    assert evaluate("event.properties.x - 1 + 1", x=long) == long.rstrip("0")
    third = evaluate("1 / 3")
    assert third == "0." + "3" * 100


def test_hostile_texts_are_refused_or_answered_at_once() -> None:
    with pytest.raises(ExpressionError):
        compile_expression("1" * (MAX_CHARACTERS + 1))
    with pytest.raises(ExpressionError):
        compile_expression("ceil(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH)
    with pytest.raises(ExpressionError):
        compile_expression("(1+" * 500 + "1" + ")" * 500)
    with pytest.raises(ExpressionError):
        compile_expression("(" * MAX_CHARACTERS)
    assert evaluate("ceil(" * (MAX_DEPTH - 1) + "1" + ")" * (MAX_DEPTH - 1)) == "1.0"
    assert evaluate("(" * 2000 + "1" + ")" * 2000) == "1.0"
    assert evaluate("1+" * 2000 + "1") == "2001.0"
    assert evaluate("1/" * 2000 + "3") == "0." + "3" * 100
    with pytest.raises(EvaluationError, match="Number out of range"):
        evaluate("event.properties.x*" * 150 + "1", x="9" * 300)
    with pytest.raises(EvaluationError, match="Text too long"):
        evaluate("concat(" + "event.properties.x," * 150 + "1)", x="x" * 1000)
    assert evaluate("event.properties.x", x="9" * 100_000) == "9" * 100_000
    with pytest.raises(EvaluationError, match="Expected a decimal"):
        evaluate("event.properties.x + 1", x="9" * 100_000)


def test_evaluation_is_quick() -> None:
    expression = compile_expression("event.properties.a + event.properties.b")
    properties = {"a": "12.5", "b": "7"}
    rounds = timeit.repeat(lambda: expression.evaluate("c", 1, properties), number=2000, repeat=10)
    # 5 us is the aim on a quiet machine; ten times that only shows that nothing is parsed again.
    assert min(rounds) / 2000 < 50e-6


# A plain evaluator, written from the rules, over trees that hypothesis draws.

EXACT = Context(prec=400, rounding=ROUND_HALF_UP)
QUOTIENT = Context(prec=100, rounding=ROUND_HALF_UP)
MODES = {"round": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


class FailsError(Exception):
    """The tree has no value."""


@dataclass(frozen=True)
class Tree:
    """A leaf with its text, or an operation; `value` knows the meaning, `text` the spelling."""

    kind: str
    parts: tuple[Any, ...] = ()


def written(tree: Tree) -> str:
    match tree.kind, tree.parts:
        case "number", (text,):
            return str(text)
        case "property", (name,):
            return f"event.properties.{name}"
        case "-", (operand,):
            return f"-({written(operand)})"
        case ("+" | "minus" | "*" | "/") as sign, (left, right):
            return f"({written(left)}) {'-' if sign == 'minus' else sign} ({written(right)})"
    return f"{tree.kind}({', '.join(written(part) for part in tree.parts)})"


def looked_up(name: str, properties: Mapping[str, str | int]) -> Decimal:
    if name not in properties:
        raise FailsError
    text = str(properties[name])
    if not text.removeprefix("-").replace(".", "", 1).isdigit():
        raise FailsError
    return Decimal(text)


def divided(left: Decimal, right: Decimal) -> Decimal:
    if right == 0:
        raise FailsError
    return QUOTIENT.divide(left, right)


OPERATIONS: Mapping[str, Callable[..., Decimal]] = {
    "-": lambda operand: -operand,
    "+": lambda left, right: left + right,
    "minus": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": divided,
    "least": min,
    "greatest": max,
}


def meaning(tree: Tree, properties: Mapping[str, str | int]) -> Decimal:
    if tree.kind == "number":
        return Decimal(tree.parts[0])
    if tree.kind == "property":
        return looked_up(tree.parts[0], properties)
    values = [meaning(part, properties) for part in tree.parts]
    with localcontext(EXACT):
        if tree.kind in OPERATIONS:
            return OPERATIONS[tree.kind](*values)
        step = Decimal(1).scaleb(-int(values[1]))
        return values[0].quantize(step, rounding=MODES[tree.kind])


numbers = st.builds(
    lambda text: Tree("number", (text,)),
    st.from_regex(r"\A[0-9]{1,6}(\.[0-9]{1,4})?\Z", fullmatch=True),
)
names = st.builds(lambda name: Tree("property", (name,)), st.sampled_from("abcxz"))
places_trees = st.sampled_from(
    [Tree("number", ("0",)), Tree("number", ("2",)), Tree("-", (Tree("number", ("1",)),))]
)


def operations(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        st.builds(Tree, st.just("-"), st.tuples(inner)),
        st.builds(Tree, st.sampled_from(["+", "minus", "*", "/"]), pairs),
        st.builds(Tree, st.sampled_from(["least", "greatest"]), pairs),
        st.builds(Tree, st.sampled_from(list(MODES)), st.tuples(inner, places_trees)),
    )


@given(st.recursive(numbers | names, operations, max_leaves=12))
def test_expressions_mean_what_a_plain_evaluator_says(tree: Tree) -> None:
    properties: dict[str, str | int] = {"a": "12.5", "b": -3, "c": "0", "x": "word"}
    expression = compile_expression(f"0 + {written(tree)}")  # a lone word would be its own value
    try:
        expected = meaning(tree, properties)
    except FailsError:
        with pytest.raises(EvaluationError):
            expression.evaluate("code", 0, properties)
        return
    assert Decimal(expression.evaluate("code", 0, properties)) == expected


@given(st.lists(st.sampled_from("+-*/"), max_size=8), st.data())
def test_precedence_without_brackets_is_that_of_arithmetic(signs: list[str], data: Any) -> None:
    # Integers and multiplication by them stay exact, so Python's own operators may be the judge.
    operands = data.draw(st.lists(st.integers(1, 9), min_size=len(signs) + 1, max_size=9))
    text = str(operands[0])
    exact = f"Decimal({operands[0]})"
    for sign, operand in zip(signs, operands[1:], strict=False):
        text += f" {sign} {operand}"
        exact += f" {sign} Decimal({operand})"
    with localcontext(prec=60):
        expected = eval(exact, {"Decimal": Decimal})  # noqa: S307 - a test's own digits and signs
        difference = abs(Decimal(evaluate(text)) - expected)
    assert difference < Decimal("1e-30")


@given(st.text(alphabet="evnt.propisacd()+-*/ 0123456789',_roundCEIL", max_size=40))
def test_any_text_is_refused_or_compiled(text: str) -> None:
    try:
        expression = compile_expression(text)
    except ExpressionError:
        return
    with suppress(EvaluationError):
        expression.evaluate("c", 0, PROPERTIES)
