"""The pages must not drift from the code: settings, cited rules and named commands exist."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gateway.settings import VARIABLES

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs" / "rules"
VARIABLE = re.compile(r"TALLYGATE_[A-Z_]+")
CITATION = re.compile(
    r"docs/rules/(?P<page>[a-z-]+)\.md`?,?\s+(?:section\s+)?(?P<section>\d[\d.]*)"
)
SECTION = re.compile(r"^(?:#+\s+)?(?P<section>\d+(?:\.\d+)*)\.?\s", re.MULTILINE)
TARGET = re.compile(r"\bmake ([a-z-]+)")


def sources() -> Iterator[Path]:
    for package in ("billing_core", "connectors", "gateway", "portal", "tests"):
        yield from sorted((ROOT / package).rglob("*.py"))


def shell_blocks(text: str) -> str:
    return "\n".join(re.findall(r"```(?:bash|console)\n(.*?)```", text, re.DOTALL))


def test_example_environment_lists_every_setting_once() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = [line.partition("=")[0] for line in lines if VARIABLE.match(line)]

    assert sorted(listed) == sorted(VARIABLES)


def test_every_setting_of_the_example_has_a_comment() -> None:
    above = ""
    for line in (ROOT / ".env.example").read_text().splitlines():
        if VARIABLE.match(line):
            # One comment may stand over a group that follows it without a gap.
            assert above.startswith("#") or VARIABLE.match(above), line
        above = line


def test_settings_page_lists_every_setting_once() -> None:
    page = (ROOT / "docs" / "operate" / "settings.md").read_text()
    gateway = page.partition("## In LiteLLM's proxy")[0]
    listed = re.findall(r"^\| `(TALLYGATE_[A-Z_]+)` \|", gateway, re.MULTILINE)

    assert sorted(listed) == sorted(VARIABLES)


def test_compose_sets_known_variables() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    used = {name for service in compose["services"].values() for name in service["environment"]}

    assert {name for name in used if name.startswith("TALLYGATE_")} <= VARIABLES


def test_cited_sections_exist() -> None:
    pages = {
        page.stem: {found["section"] for found in SECTION.finditer(page.read_text())}
        for page in RULES.glob("*.md")
    }
    cited = [
        (path.relative_to(ROOT).as_posix(), found["page"], found["section"].rstrip("."))
        for path in sources()
        for found in CITATION.finditer(path.read_text())
    ]

    assert cited, "the pattern no longer finds any citation"
    assert [citation for citation in cited if citation[2] not in pages.get(citation[1], ())] == []


def test_every_example_and_fixed_surprise_of_subscriptions_is_a_test() -> None:
    page = (RULES / "subscriptions.md").read_text()
    examples = re.findall(r"^\| ([ABC]\d+) \|", page, re.MULTILINE)
    assert len(examples) == len(set(examples)) == 70
    fixed = [f"14_{number}" for number in (1, 2, 6, 7, 8, 9, 10, 11, 18, 22, 23, 26)]
    # in the name of a test, in the id of one of its rows, or in a comment behind the row
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = "_".join(re.findall(r'(?<=def test_)\w+|(?<=id=")[ABC]\d+|(?<=# )[ABC]\d+', tests))
    named = re.findall(r"(?<![a-z0-9])(?:[abc]\d+|14_\d+)(?![a-z0-9])", names.lower())
    assert sorted({*map(str.lower, examples), *fixed} - {*named}) == []


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_named_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    named = set(TARGET.findall(shell_blocks(text))) | set(re.findall(r"`make ([a-z-]+)", text))

    assert named <= targets


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / "README.md").read_text())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_python_examples_import_what_exists(tmp_path: Path) -> None:
    ran = 0
    for page in sorted((ROOT / "docs" / "extend").glob("*.md")):
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            example = tmp_path / f"{page.stem}_{ran}.py"
            example.write_text(block)
            assert runpy.run_path(str(example)), page.name
            ran += 1
    assert ran >= 2
