"""Every answer has the shape that Lago's clients expect."""

from typing import Any

import httpx
import pytest

from tests.contract.listed import LISTED
from tests.contract.shapes import OPERATIONS, SURFACE, differences
from tests.contract.world import World, play
from tests.support.gateway import Gateway

# Amounts are decimal texts there on the wire (docs/rules/metering.md 1.9), not what is described.
OTHERWISE = {"eventEstimateInstantFees", "eventBatchEstimateInstantFees"}
# there is no payment provider that could give one
OTHERWISE |= {"walletTransactionPaymentUrl"}
SHARED = sorted({one.operation_id for one in LISTED} & OPERATIONS.keys() - OTHERWISE)


@pytest.fixture(scope="module")
def world(gateway: Gateway) -> World:
    return play(gateway.organization("Shapes", timezone="Europe/Berlin", default_currency="EUR"))


@pytest.mark.parametrize("operation_id", SHARED)
def test_answers_have_the_known_shape(world: World, operation_id: str) -> None:
    operation = OPERATIONS[operation_id]
    answers = world.answers[operation_id]
    for answer in answers:
        if not operation["response"]:
            assert not answer.content
            continue
        if operation.get("empty_ok") and not answer.content:
            continue
        is_text = operation["response"] == {"type": "string"}
        value: Any = answer.text if is_text else answer.json()
        assert differences(operation["response"], value) == []


def test_precise_amounts_are_decimal_texts_and_rates_are_numbers(world: World) -> None:
    (fee, *_) = world.answers["findFee"]
    shown = fee.json()["fee"]
    assert isinstance(shown["taxes_rate"], int | float)
    for name in ("units", "precise_amount", "precise_unit_amount", "taxes_precise_amount"):
        assert differences({"type": "string", "pattern": r"^-?\d+\.\d+$"}, shown[name], name) == []


REFUSED: dict[str, tuple[int, str, str, Any, str | None]] = {
    "missing root": (400, "POST", "/plans", {"plans": {}}, None),
    "unknown": (404, "GET", "/plans/nowhere", None, "plan_not_found"),
    "not a key": (401, "GET", "/plans", None, None),
    "unrouted": (404, "GET", "/nowhere", None, "resource_not_found"),
    "wrong verb": (404, "DELETE", "/plans", None, "resource_not_found"),
    "not allowed": (
        405,
        "GET",
        "/customers/c%2F1/current_usage?external_subscription_id=none",
        None,
        "no_active_subscription",
    ),
    "invalid": (422, "POST", "/taxes", {"tax": {"name": "x"}}, "validation_errors"),
}
SCHEMA_OF = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "NotAllowed",
    422: "UnprocessableEntity",
}
WORD_OF = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    422: "Unprocessable Entity",
}


def check_refusal(answer: httpx.Response, status: int, code: str | None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert differences(SURFACE["errors"][SCHEMA_OF[status]], body) == []
    assert body["status"] == status
    assert body["error"] == WORD_OF.get(status, body["error"])
    assert body.get("code") == code


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_have_the_known_shape(world: World, name: str) -> None:
    status, method, path, body, code = REFUSED[name]
    headers = {"Authorization": "Bearer wrong"} if status == httpx.codes.UNAUTHORIZED else {}
    answer = world.org.http.request(method, path, json=body, headers=headers)
    check_refusal(answer, status, code)
    if status == httpx.codes.BAD_REQUEST:
        missing = "BadRequest: param is missing or the value is empty or invalid: plan"
        assert answer.json()["error"] == missing


def test_a_key_without_permission_is_told_which(gateway: Gateway, world: World) -> None:
    key = {"name": "reader", "permissions": {"plan": ["read"]}}
    made = gateway.admin("POST", f"/organizations/{world.org.id}/api_keys", {"api_key": key})
    headers = {"Authorization": f"Bearer {made['api_key']['value']}"}
    assert world.org.http.get("/plans", headers=headers).status_code == httpx.codes.OK
    refused = world.org.http.delete("/plans/nowhere", headers=headers)
    check_refusal(refused, 403, "write_action_not_allowed_for_plan")
    unread = world.org.http.get("/taxes", headers=headers)
    check_refusal(unread, 403, "read_action_not_allowed_for_tax")


def test_a_page_past_the_end_is_empty_with_normal_totals(world: World) -> None:
    answer = world.org.get("/taxes?page=9&per_page=1")
    assert answer["taxes"] == []
    assert answer["meta"] == {
        "current_page": 9,
        "next_page": None,
        "prev_page": 8,
        "total_pages": 1,
        "total_count": 1,
    }


def test_an_empty_list_is_on_page_zero(world: World) -> None:
    answer = world.org.get("/webhook_endpoints")
    assert answer["meta"] == {
        "current_page": 0,
        "next_page": None,
        "prev_page": None,
        "total_pages": 0,
        "total_count": 0,
    }
