"""Metadata through HTTP: of plans, and of credit notes by the same operations."""

from typing import Any

import pytest

from tests.support.billing import add_plan, only_invoice, subscribe
from tests.support.gateway import Org

PATH = "/plans/basic/metadata"


def kept(org: Org) -> Any:
    """Return the metadata that the plan shows."""
    return org.get("/plans/basic")["plan"]["metadata"]


def test_replaced_merged_and_cleared(org: Org) -> None:
    add_plan(org)
    assert kept(org) is None
    first = {"tier": "gold", "note": None, "": "x"} | {}
    org.post(PATH, {"metadata": first}, 422)
    first.pop("")
    assert org.post(PATH, {"metadata": first}) == {"metadata": first}
    merged = {"tier": "silver", "note": None, "region": "eu"}
    change = {"metadata": {"tier": "silver", "region": "eu"}}
    assert org.call("PATCH", PATH, change) == {"metadata": merged}
    assert org.put(PATH, {"metadata": {"size": 3}}) == {"metadata": merged | {"size": "3"}}
    assert kept(org) == merged | {"size": "3"}
    assert org.delete(f"{PATH}/size") == {"metadata": merged}
    assert org.delete(f"{PATH}/unknown") == {"metadata": merged}, "no error"
    assert org.post(PATH, {"metadata": {"a": "b"}}) == {"metadata": {"a": "b"}}
    assert org.post(PATH, {"metadata": {}}) == {"metadata": {}}
    assert org.delete(PATH) == {"metadata": None}
    assert kept(org) is None
    assert org.delete(f"{PATH}/tier", 404)["code"] == "metadata_not_found"
    assert org.post("/plans/nowhere/metadata", change, 404)["code"] == "plan_not_found"


def test_with_the_plan_itself(org: Org) -> None:
    add_plan(org, metadata={"tier": "gold"})
    assert kept(org) == {"tier": "gold"}
    org.put("/plans/basic", {"plan": {"name": "Other"}})
    assert kept(org) == {"tier": "gold"}
    org.put("/plans/basic", {"plan": {"metadata": {"tier": None}}})
    assert kept(org) == {"tier": None}
    org.put("/plans/basic", {"plan": {"metadata": None}})
    assert kept(org) is None


MANY = {f"k{number}": "v" for number in range(51)}
BAD: dict[str, tuple[Any, list[str]]] = {
    "too many": (MANY, ["invalid_count"]),
    "a long value": ({"k": "v" * 256}, ["value_is_too_long"]),
    "a value within": ({"k": {"deep": 1}}, ["value_is_invalid"]),
    "nothing": (None, ["value_is_mandatory"]),
    "no object": (["k"], ["value_is_mandatory"]),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_bad_metadata_changes_nothing(org: Org, method: str, name: str) -> None:
    wanted, codes = BAD[name]
    add_plan(org, metadata={"tier": "gold"})
    answer = org.call(method, PATH, {"metadata": wanted}, 422)
    assert [*answer["error_details"].values()] == [codes]
    assert kept(org) == {"tier": "gold"}


def test_merging_may_not_add_up_to_too_many_keys(org: Org) -> None:
    add_plan(org, metadata={f"k{number}": "v" for number in range(50)})
    answer = org.call("PATCH", PATH, {"metadata": {"one_more": "v"}}, 422)
    assert answer["error_details"] == {"metadata": ["invalid_count"]}
    assert len(kept(org)) == 50
    long_key = {"metadata": {"k" * 101: "v"}}
    assert org.post(PATH, long_key, 422)["code"] == "validation_errors"


def test_a_credit_note_keeps_some_too(org: Org) -> None:
    org.clock("2026-01-01T00:00:00Z")
    add_plan(org, pay_in_advance=True)
    subscribe(org)
    org.drain()
    invoice = only_invoice(org)
    note = {"invoice_id": invoice["lago_id"], "credit_amount_cents": 100}
    note["items"] = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 100}]
    made = org.post("/credit_notes", {"credit_note": note})["credit_note"]
    path = f"/credit_notes/{made['lago_id']}/metadata"
    assert org.call("PATCH", path, {"metadata": {"a": "b"}}) == {"metadata": {"a": "b"}}
    shown = org.get(f"/credit_notes/{made['lago_id']}")["credit_note"]
    assert shown["metadata"] == {"a": "b"}
    assert org.delete(f"{path}/a") == {"metadata": {}}
    assert org.delete("/credit_notes/nothing/metadata", 404)["code"] == "credit_note_not_found"
