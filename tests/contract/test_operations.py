"""The built app has exactly the operations that our own list names, under Lago's names."""

import re
from pathlib import Path

import httpx
import jsonschema_rs
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from billing_core.domain.charges import MODELS
from billing_core.wire.validation import validate
from gateway.app import create_app
from gateway.core import Core
from gateway.openapi import Documentation
from gateway.reference.examples import EXAMPLES, PROPERTIES
from gateway.settings import Settings
from tests.contract.listed import LISTED, Listed
from tests.contract.shapes import OPERATIONS
from tests.support.gateway import Gateway

API = "/api/v1"
PARAMETER = re.compile(r"\{[^}]*\}")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """Return the built application, never opened."""
    data_dir: Path = tmp_path_factory.mktemp("unopened")
    built = create_app(Core(Settings(data_dir=data_dir)))
    while not isinstance(built, Litestar):
        built = built._app  # noqa: SLF001 - the wrappers around it have no other door
    return built


def routed(app: Litestar) -> set[Listed]:
    return {
        Listed(method, route.path_format, str(handler.operation_id))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods - {"HEAD", "OPTIONS"}
    }


def test_the_app_has_what_the_list_names_and_nothing_else(app: Litestar) -> None:
    found = routed(app)
    assert sorted(found - set(LISTED)) == [], "routed but not listed"
    assert sorted(set(LISTED) - found) == [], "listed but not routed"


def test_the_list_is_sorted_and_names_nothing_twice() -> None:
    assert sorted(LISTED, key=lambda one: (one.path, one.method)) == LISTED
    assert len({(one.method, one.path) for one in LISTED}) == len(LISTED)


def shape_of(path: str) -> str:
    """Return a path with its parameters unnamed: clients never see their names."""
    return PARAMETER.sub("{}", path)


@pytest.mark.parametrize(
    "one", [one for one in LISTED if one.operation_id in OPERATIONS], ids=lambda one: one[2]
)
def test_an_operation_that_lago_names_is_where_lago_has_it(one: Listed) -> None:
    known = OPERATIONS[one.operation_id]
    expected = (known["method"], shape_of(API + known["path"]))
    aliases = {("POST", shape_of(f"{API}/invoices/{{}}/download_pdf"))}
    assert (one.method, shape_of(one.path)) in {expected, *aliases}


def test_a_place_that_lago_has_carries_its_operation_id() -> None:
    by_place = {
        (known["method"], shape_of(API + known["path"])): name for name, known in OPERATIONS.items()
    }
    for one in LISTED:
        known_name = by_place.get((one.method, shape_of(one.path)))
        assert known_name in {None, one.operation_id}


def test_every_update_can_be_patched(app: Litestar) -> None:
    found = {(one.method, one.path) for one in routed(app)}
    # this one is no update: the published Python client sends PUT for a POST
    not_updates = {"/api/v1/invoices/{lago_id}/lose_dispute"}
    puts = {path for method, path in found if method == "PUT"} - not_updates
    assert puts
    assert {path for method, path in found if method == "PATCH"} >= puts


def test_the_document_names_every_listed_operation_of_the_api(app: Litestar) -> None:
    documentation = Documentation()
    documentation.describe(app)
    document = documentation.document()
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    public = {
        (one.method, one.path)
        for one in LISTED
        if not one.is_alias and not one.path.startswith(("/docs", "/openapi"))
    }
    assert described == public
    ids = [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    ]
    assert len(ids) == len(set(ids))


def test_the_document_is_written_well(app: Litestar) -> None:
    documentation = Documentation()
    documentation.describe(app)
    document = documentation.document()
    components = document["components"]
    for schema in components["schemas"].values():
        jsonschema_rs.Draft202012Validator({**schema, "components": components})
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert "500" in operation["responses"]
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    name = response["$ref"].rsplit("/", maxsplit=1)[-1]
                    schema = components["responses"][name]["content"]["application/json"]["schema"]
                    error = components["schemas"][schema["$ref"].rsplit("/", maxsplit=1)[-1]]
                    assert error["properties"]["status"] == {"const": int(status)}


@pytest.mark.parametrize("model", EXAMPLES)
def test_examples_are_valid_bodies(app: Litestar, model: str) -> None:
    documentation = Documentation()
    documentation.describe(app)
    components = documentation.document()["components"]
    schema = {**components["schemas"][model], "components": components}
    (taken,) = {
        handler.opt["operation"].takes.model
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "operation" in handler.opt
        and handler.opt["operation"].takes
        and handler.opt["operation"].takes.model.__name__ == model
    }
    for example in EXAMPLES[model].values():
        jsonschema_rs.validate(schema, example)
        assert validate(taken, example).given().keys() == example.keys()


def test_every_charge_model_has_an_example_it_accepts() -> None:
    assert {*PROPERTIES, "custom"} == set(MODELS), "nobody can make a metric for custom charges"
    for model, properties in PROPERTIES.items():
        assert MODELS[model].parse(properties).properties() == properties


def test_the_reference_is_served_from_here_alone(gateway: Gateway) -> None:
    with httpx.Client(base_url=gateway.url) as client:
        document = client.get("/openapi.json").raise_for_status().json()
        assert document["openapi"] == "3.1.0"
        page = client.get("/docs").raise_for_status().text
        parts = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert parts
        for part in parts:
            assert part.startswith("/"), "nothing is loaded from elsewhere"
            assert client.get(part).is_success
        old = client.get("/docs/openapi.json").raise_for_status()
        assert old.json()["openapi"] == "3.0.3"
        assert '"type":"null"' not in old.text
        outside = ["index.j2", "..%2f__init__.py", "%2e%2e%2f__init__.py", "../openapi.json/x"]
        for name in outside:
            answer = client.get(f"/docs/{name}")
            assert answer.status_code == httpx.codes.NOT_FOUND
            assert answer.json()["code"] == "resource_not_found"
