"""Privileges of features: which values fit, and what a subscription has beside its plan.

Source: `docs/rules/metering.md` 6. Everything is keyed by codes: feature, then privilege. Values
are kept as texts; `cast` makes of them what callers read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ValueType = Literal["integer", "boolean", "string", "select"]
Config = dict[str, list[str]]
Values = Mapping[str, Mapping[str, str]]
# what a subscription says of its own: a value, or None for what is taken away
Said = Mapping[str, Mapping[str, str | None] | None]

OPTIONS = "select_options"
MAX_TEXT = 255
# canonical, and safe in 64 bits
INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
LIMIT = 10**18


@dataclass(frozen=True, slots=True)
class Entitled:
    """The value of one privilege: of the plan, of the subscription, or of both."""

    plan_value: str | None
    override_value: str | None

    @property
    def value(self) -> str | None:
        """What counts: the subscription's own value before the plan's."""
        return self.plan_value if self.override_value is None else self.override_value


def read_config(value_type: str, config: Mapping[str, Any] | None) -> Config | None:
    """Return a privilege's config as it is stored, or None when it does not fit its type.

    A select names its options, texts each once; the other types have none.
    """
    if value_type != "select":
        return None if config else {}
    options = (config or {}).get(OPTIONS)
    if not config or config.keys() != {OPTIONS} or not isinstance(options, list) or not options:
        return None
    if not all(_is_text(option) and option for option in options):
        return None
    return {OPTIONS: list(dict.fromkeys(options))}


def extended(config: Config, more: Config) -> Config:
    """Return a config with further options behind the known ones: options are never taken away."""
    options = dict.fromkeys([*config.get(OPTIONS, ()), *more.get(OPTIONS, ())])
    return {OPTIONS: list(options)} if options else {}


def read_value(value_type: str, config: Config, value: Any) -> str | None:
    """Return a value as it is stored, or None when it does not fit the privilege's type.

    Integers may come as canonical text, booleans as "true" or "false".
    """
    if value_type == "select":
        return value if isinstance(value, str) and value in config.get(OPTIONS, ()) else None
    if value_type == "boolean":
        text = str(value).lower() if isinstance(value, bool) else value
        return text if isinstance(text, str) and text in {"true", "false"} else None
    if value_type == "integer":
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LIMIT:
            return str(value)
        return value if isinstance(value, str) and INTEGER.fullmatch(value) else None
    return value if _is_text(value) else None


def refusal_of(value_type: str) -> str:
    """Return the code by which a value that does not fit is refused."""
    return "value_not_in_select_options" if value_type == "select" else "value_is_invalid"


def cast(value_type: str, text: str | None) -> int | bool | str | None:
    """Return a stored value as callers read it; None stays None."""
    if text is None:
        return None
    if value_type == "integer":
        return int(text)
    return text == "true" if value_type == "boolean" else text


def effective(plan: Values, said: Said) -> dict[str, dict[str, Entitled]]:
    """Return what a subscription has: its plan's, its own added or put instead, less removals.

    An own feature that only takes privileges away adds nothing where the plan has no such feature.
    """
    found: dict[str, dict[str, Entitled]] = {}
    for feature in plan.keys() | said.keys():
        base, own = plan.get(feature, {}), said.get(feature, {})
        if own is None:
            continue
        if feature not in plan and own and not _adds(own):
            continue
        found[feature] = {
            privilege: Entitled(base.get(privilege), own.get(privilege))
            for privilege in base.keys() | own.keys()
            if privilege not in own or own[privilege] is not None
        }
    return found


def merged(plan: Values, said: Said, wanted: Values) -> Said:
    """Return what a subscription says once these values hold; the rest stays.

    A value equal to the plan's is no override. What had been taken away is given back.
    """
    after = said
    for feature, values in wanted.items():
        base, own = plan.get(feature, {}), dict(after.get(feature) or {})
        for privilege, value in values.items():
            own.pop(privilege, None)
            if base.get(privilege) != value:
                own[privilege] = value
        after = _saying(plan, after, feature, own)
    return after


def without_feature(plan: Values, said: Said, feature: str) -> Said:
    """Return what a subscription says once it has not this feature, whoever gave it."""
    after = {code: own for code, own in said.items() if code != feature}
    if feature in plan:
        after[feature] = None
    return after


def without_privilege(plan: Values, said: Said, feature: str, privilege: str) -> Said:
    """Return what a subscription says once a feature it has lacks this privilege.

    Only a privilege that the plan gives is remembered as taken away: what the subscription had
    added by itself is just dropped.
    """
    own = dict(said.get(feature) or {})
    own.pop(privilege, None)
    if privilege in plan.get(feature, {}):
        own[privilege] = None
    return _saying(plan, said, feature, own)


def _saying(plan: Values, said: Said, feature: str, own: Mapping[str, str | None]) -> Said:
    after = dict(said)
    if feature in plan:
        after.pop(feature, None)
        return {**after, feature: own} if own else after
    return {**after, feature: own if _adds(own) else {}}


def _adds(own: Mapping[str, str | None]) -> bool:
    return any(value is not None for value in own.values())


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and "\x00" not in value
