"""Reads scenarios from YAML and plays them against a running gateway."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jmespath
import yaml

from billing_core.ids import new_id
from tests.scenarios.matching import Unmet, matches
from tests.support.gateway import Gateway, Org, decoded

CASES = Path(__file__).parent / "cases"
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
VARIABLE = re.compile(r"\$\{(\w+)\}")
STEP_KINDS = ("clock", "run", "call")
STEP_KEYS = frozenset(
    {*STEP_KINDS, "catch_up", "body", "status", "expect", "save", "no_drain", "why"}
)
CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/api/v1)?(/.*)")
LONGEST_NAME = 80

Step = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """One YAML document: a title, the organization's fields and its steps."""

    name: str
    title: str
    organization: dict[str, Any]
    steps: list[Step]


def scenarios(directory: Path = CASES) -> list[Scenario]:
    """Read every document below a directory; raises for a malformed one."""
    found: list[Scenario] = []
    for path in sorted(directory.rglob("*.yaml")):
        for number, document in enumerate(yaml.safe_load_all(path.read_text()), 1):
            name = f"{path.parent.name}/{path.stem}#{number}"
            steps = list(_unrolled(document["steps"]))
            for step in steps:
                _check(step, name)
            organization = document.get("organization", {})
            found.append(Scenario(name, document["scenario"], organization, steps))
    return found


def play(gateway: Gateway, scenario: Scenario) -> None:
    """Play a scenario in an organization of its own; raises `Unmet` naming the step."""
    org = gateway.organization(scenario.title[:LONGEST_NAME], **scenario.organization)
    player = _Player(org)
    for number, step in enumerate(scenario.steps, 1):
        try:
            player.play(step)
        except Unmet as unmet:
            raise Unmet(scenario.name, f"{scenario.title}, step {number}: {unmet}") from None


class _Player:
    def __init__(self, org: Org) -> None:
        self._org = org
        self._names: dict[str, Any] = {"run": new_id().hex[-8:], "organization_id": org.id}

    def play(self, step: Step) -> None:
        step = _substituted(step, self._names)
        if "clock" in step:
            instant, catch_up = str(step["clock"]), bool(step.get("catch_up"))
            body: Any = {"test_clock": {"frozen_time": instant, "catch_up": catch_up}}
            self._send("POST", "/test_clock", body, step)
        elif "run" in step:
            self._send("POST", "/test_clock/run", {"job": step["run"]}, step)
        else:
            call = CALL.fullmatch(step["call"])
            assert call is not None, "checked when it was read"
            self._send(call[1], call[3], step.get("body"), step)
            if call[1] in CHANGING and not step.get("no_drain"):
                self._send("POST", "/test_clock/drain", None, {})

    def _send(self, method: str, path: str, body: Any, step: Step) -> None:
        answer = self._org.http.request(method, path, json=body)
        asked = f"{method} {path}"
        wanted = step.get("status")
        if answer.status_code != wanted if wanted else not answer.is_success:
            told = f"{answer.status_code}, expected {wanted or '2xx'}: {answer.text[:400]}"
            raise Unmet(asked, f"status {told}")
        document = decoded(answer)
        for expression, expected in step.get("expect", {}).items():
            actual = jmespath.search(expression, document)
            if not matches(actual, expected):
                raise Unmet(asked, f"{expression} is {actual!r}, expected {expected!r}")
        for name, expression in step.get("save", {}).items():
            found = jmespath.search(expression, document)
            if found is None:
                raise Unmet(asked, f"nothing to save at {expression}")
            self._names[name] = found


def _unrolled(steps: list[Step]) -> Iterator[Step]:
    for step in steps:
        if "repeat" not in step:
            yield step
            continue
        for number in range(1, int(step["repeat"]) + 1):
            yield from _unrolled([_bound(inner, number) for inner in step["steps"]])


def _bound(value: Any, number: int) -> Any:
    """Put the count of a repetition in place of `${i}`."""
    if isinstance(value, dict):
        return {key: _bound(inner, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [_bound(inner, number) for inner in value]
    return value.replace("${i}", str(number)) if isinstance(value, str) else value


def _check(step: Step, name: str) -> None:
    if unknown := set(step) - STEP_KEYS:
        raise Unmet(name, f"a step has unknown keys {sorted(unknown)}")
    if sum(kind in step for kind in STEP_KINDS) != 1:
        raise Unmet(name, f"a step needs exactly one of {', '.join(STEP_KINDS)}")
    if "call" in step and not CALL.fullmatch(str(step["call"])):
        raise Unmet(name, f"a call is METHOD /path, not {step['call']!r}")


def _substituted(value: Any, names: dict[str, Any]) -> Any:
    """Replace saved names everywhere; a text that is only one name keeps the value's type."""
    if isinstance(value, dict):
        return {_substituted(key, names): _substituted(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_substituted(one, names) for one in value]
    if not isinstance(value, str):
        return value
    try:
        if whole := VARIABLE.fullmatch(value):
            return names[whole[1]]
        return VARIABLE.sub(lambda found: str(names[found[1]]), value)
    except KeyError as missing:
        raise Unmet(missing, "was never saved") from None
