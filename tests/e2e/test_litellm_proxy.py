"""The real LiteLLM proxy with its stock `lago` callback: usage arrives to the token."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from billing_core.clock import monotonic
from tests.support.gateway import Gateway, Org
from tests.support.litellm_proxy import Proxy, serving

CALLS = 20
ARRIVAL_TIMEOUT_SECONDS = 60
CODE = "ai_usage"
MID_MONTH = "2026-03-15T12:00:00Z"
# end user -> external ids of (customer, subscription)
BY_SUBSCRIPTION = {
    "team-red": ("red-gmbh", "team-red"),
    "team/blue 7": ("blue-gmbh", "team/blue 7"),
}
BY_CUSTOMER = {
    "green-gmbh": ("green-gmbh", "green-2026"),
    "gelb@example.com": ("gelb@example.com", "gelb-2026"),
}
END_USERS = {**BY_SUBSCRIPTION, **BY_CUSTOMER}
MODELS = ("short", "long", "priced", "counted")
ANSWERS = {
    "short": "Yes.",
    "long": "A longer answer, which a stream cuts into many pieces. " * 6,
    "priced": "An answer of a model with a price of its own.",
}
# what a provider itself reports; other mocked answers that are not streamed say 10 + 20
COUNTED = {"prompt_tokens": 2_006, "completion_tokens": 303, "total_tokens": 2_309}


def configuration() -> dict[str, Any]:
    """Return the proxy's configuration: no model needs a network."""
    models: dict[str, dict[str, Any]] = {
        name: {"model": "openai/gpt-4o-mini", "api_key": "sk-x", "mock_response": answer}
        for name, answer in ANSWERS.items()
    }
    models["priced"].update(model="openai/house-model", input_cost_per_token=1e-6)
    message = {"role": "assistant", "content": "Counted."}
    response = {
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": COUNTED,
    }
    models["counted"] = {**models["short"], "mock_response": response}
    return {
        "model_list": [
            {"model_name": name, "litellm_params": params} for name, params in models.items()
        ],
        "litellm_settings": {"callbacks": ["lago"]},
    }


@pytest.fixture(scope="module")
def world(gateway: Gateway) -> Org:
    """Return an organization that meters `ai_usage`, its clock frozen, with all subscriptions."""
    org = gateway.organization("Proxy users", defaults=True, resolve_customer_ids=True)
    org.clock("2026-03-01T00:00:00Z")
    for customer, subscription in END_USERS.values():
        org.post("/customers", {"customer": {"external_id": customer, "currency": "USD"}})
        wanted = {"external_customer_id": customer, "external_id": subscription}
        org.post("/subscriptions", {"subscription": {**wanted, "plan_code": "ai_usage_plan"}})
    org.clock(MID_MONTH)
    return org


@pytest.fixture(scope="module")
def proxy(
    gateway: Gateway, world: Org, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    variables = {
        "LAGO_API_BASE": gateway.url,
        "LAGO_API_KEY": world.key,
        "LAGO_API_EVENT_CODE": CODE,
        "LAGO_API_CHARGE_BY": "end_user_id",
    }
    directory: Path = tmp_path_factory.mktemp("proxy")
    with serving(directory, configuration(), variables) as running:
        yield running


def chat(client: httpx.Client, end_user: str, number: int) -> int:
    """Make one call as an end user and return the total tokens that the proxy reported."""
    model = MODELS[number % len(MODELS)]
    stream = model != "counted" and number % 3 != 0
    question = "Tell me a story. " * (1 + 5 * number)
    body: dict[str, Any] = {
        "model": model,
        "user": end_user,
        "messages": [{"role": "user", "content": question}],
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    if not stream:
        return int(answer.json()["usage"]["total_tokens"])
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
    (usage,) = [usage for one in data if (usage := json.loads(one).get("usage"))]
    return int(usage["total_tokens"])


def metered(org: Org, end_user: str) -> tuple[Decimal, int]:
    """Return units and events of the current usage of an end user's subscription."""
    customer, subscription = END_USERS[end_user]
    params = {"external_subscription_id": subscription}
    path = f"/customers/{customer}/current_usage?{httpx.QueryParams(params)}"
    (charge,) = org.get(path)["customer_usage"]["charges_usage"]
    assert charge["billable_metric"]["code"] == CODE
    return Decimal(charge["units"]), int(charge["events_count"])


def until(condition: Callable[[], bool], explain: Callable[[], str]) -> None:
    """Wait for what the proxy does after it has answered; it tells nobody when it is done."""
    deadline = monotonic() + ARRIVAL_TIMEOUT_SECONDS
    pause = threading.Event()
    while not condition():
        assert monotonic() < deadline, explain()
        pause.wait(0.1)


def test_usage_of_twenty_calls_appears_to_the_token(proxy: Proxy, world: Org) -> None:
    users = [list(END_USERS)[number // (CALLS // len(END_USERS))] for number in range(CALLS)]
    with proxy.client() as client, ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(lambda number: chat(client, users[number], number), range(CALLS)))
    assert len(set(tokens)) >= CALLS // 2, "the calls were meant to differ"
    spent: Counter[str] = Counter()
    for user, count in zip(users, tokens, strict=True):
        spent[user] += count

    def found() -> dict[str, tuple[Decimal, int]]:
        return {user: metered(world, user) for user in END_USERS}

    def arrived() -> bool:
        return sum(events for _, events in found().values()) >= CALLS

    until(arrived, lambda: f"sent {dict(spent)}, metered {found()}\n{proxy.log[-4000:]}")
    calls = CALLS // len(END_USERS)
    assert found() == {user: (Decimal(count), calls) for user, count in spent.items()}

    for _, subscription in END_USERS.values():
        query = httpx.QueryParams({"external_subscription_id": subscription})
        events = world.get(f"/events?{query}")["events"]
        assert len(events) == calls, "stored under the subscription that was meant"
        for event in events:
            assert event["timestamp"] == "2026-03-15T12:00:00.000Z", "the frozen time"
            assert event["properties"].keys() >= {"model", "response_cost", "total_tokens"}


def test_an_end_user_nobody_knows_is_kept_but_not_billed(proxy: Proxy, world: Org) -> None:
    before = {user: metered(world, user) for user in END_USERS}
    stranger = "stranger"
    with proxy.client() as client:
        tokens = chat(client, stranger, 3)

    def kept() -> list[dict[str, Any]]:
        path = f"/events?external_subscription_id={stranger}"
        events: list[dict[str, Any]] = world.get(path)["events"]
        return events

    until(lambda: bool(kept()), lambda: proxy.log[-4000:])
    (event,) = kept()
    assert event["properties"]["total_tokens"] == tokens
    assert {user: metered(world, user) for user in END_USERS} == before
