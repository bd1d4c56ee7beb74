"""Every provider wire end to end, against a mock of the providers that is not ours."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from openai import OpenAI

from tests import stores as real
from tests.aimock import server
from tests.stores import RedisDatabases, Stores
from tests.system.contract import events
from tests.system.reading import create, only, text_of
from tests.system.running import Api, launched
from tests.system.test_tools import CLOCK, WEATHER

WIRES = {
    "openai": ("openai-responses", "/v1", "gpt-5"),
    "chat": ("openai-chat", "/v1", "gpt-5"),
    "claude": ("anthropic", "", "claude-opus-5"),
    "gemini": ("google", "", "gemini-3.1-pro-preview"),
}
FIXTURES = Path(__file__).with_name("wires.json")


def provider(name: str, base: str) -> str:
    wire, path, model = WIRES[name]
    lines = (f"[providers.{name}]", f'wire = "{wire}"', f'base_url = "{base}{path}"', f'models = ["{model}"]')
    return "\n".join((*lines, 'api_key_env = "MOCK_KEY"', ""))


@pytest.fixture(scope="module")
def wired(stores: Stores, redis_databases: RedisDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API process of a system whose providers are the mock."""
    home = tmp_path_factory.mktemp("wires")
    with (
        server.running(FIXTURES) as mock,
        real.database(stores.postgres, template=stores.template) as database_url,
        redis_databases.one() as redis_url,
    ):
        file = home / "providers.toml"
        file.write_text("\n".join(provider(name, mock) for name in WIRES), encoding="utf-8")
        variables = {"RONDO_PROVIDERS_FILE": str(file), "MOCK_KEY": "mock"}
        with launched(database_url=database_url, redis_url=redis_url, home=home, **variables) as system:
            api = system.api()
            system.worker()
            yield api


@pytest.fixture
def http(wired: Api) -> Iterator[httpx2.Client]:
    with wired.http() as plain:
        yield plain


@pytest.fixture
def client(wired: Api) -> Iterator[OpenAI]:
    with wired.sdk() as sdk:
        yield sdk


@pytest.fixture(params=WIRES)
def model(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/{WIRES[request.param][2]}"


def test_a_model_answers(http: httpx2.Client, model: str) -> None:
    made = create(http, model=model, input="Please say hello.")
    assert text_of(made) == "Hello from the mock, in a few pieces."
    assert (made["usage"]["input_tokens"], made["usage"]["output_tokens"]) == (12, 9)


def test_a_model_streams_in_pieces(client: OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input="Please say hello.") as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert len(pieces) > 3
    assert "".join(pieces) == final.output_text == "Hello from the mock, in a few pieces."


def test_a_model_completes_a_loop_with_a_server_tool(http: httpx2.Client, model: str) -> None:
    body = {"model": model, "input": "What is the time in Tokyo?", "tools": [CLOCK], "stream": True}
    made = events(http.post("/v1/responses", json=body).content)[-1]["response"]
    kinds = [item["type"] for item in made["output"] if item["type"] != "reasoning"]
    assert kinds == ["function_call", "orq:current_date", "message"]
    assert only(made["output"], "orq:current_date")["result"]["timezone"] == "Asia/Tokyo"
    assert text_of(made) == "I know what time it is in Tokyo."


def test_a_model_completes_a_loop_with_a_clients_function(client: OpenAI, model: str) -> None:
    asked = client.responses.create(model=model, input="What is the weather in Paris?", tools=[WEATHER])
    (call,) = (item for item in asked.output if item.type == "function_call")
    answered = client.responses.create(
        model=model,
        previous_response_id=asked.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
        tools=[WEATHER],
    )
    assert answered.output_text == "It is sunny in Paris."


def test_a_turn_with_calls_of_both_kinds_goes_on_after_the_clients_answer(http: httpx2.Client, model: str) -> None:
    tools = [CLOCK, WEATHER]
    asked = create(http, model=model, input="Tell me both the time and the weather.", tools=tools)
    assert only(asked["output"], "orq:current_date")["status"] == "completed"
    (call,) = (item for item in asked["output"] if item.get("name") == "get_weather")
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "hail"}
    answered = create(http, model=model, input=[output], previous_response_id=asked["id"], tools=tools)
    assert text_of(answered) == "Hail, right now."


def test_reasoning_is_kept_and_can_be_continued_from(http: httpx2.Client, model: str) -> None:
    made = create(http, model=model, input="Please think about it.")
    assert text_of(made) == "Four."
    again = create(http, model=model, input="Please say hello.", previous_response_id=made["id"])
    assert text_of(again) == "Hello from the mock, in a few pieces."


def test_a_providers_refusal_of_our_key_is_not_the_clients_fault(http: httpx2.Client, model: str) -> None:
    answer = http.post("/v1/responses", json={"model": model, "input": "Please use a wrong key."})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_authentication")


def test_configured_models_are_listed(client: OpenAI) -> None:
    assert {f"{name}/{model}" for name, (_, _, model) in WIRES.items()} <= {model.id for model in client.models.list()}
