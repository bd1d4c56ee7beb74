"""Tools: the client's own, those that workers run, and both in one turn."""

from typing import Any

import httpx2
from openai import OpenAI

from shared.items import Json
from tests.system.contract import events
from tests.system.reading import create, only, refused, text_of

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
CLOCK: Json = {"type": "orq:current_date"}
ASK = "What is the weather in Paris?"
ASK_BOTH = "What is the weather in Paris, and what is the time in Europe/Amsterdam?"


def test_a_function_call_is_the_clients_to_answer(client: OpenAI) -> None:
    asked = client.responses.create(model="demo/assistant", input=ASK, tools=[WEATHER])
    (call,) = asked.output
    assert call.type == "function_call"
    assert (asked.status, call.name, call.arguments, call.status) == (
        "completed",
        "get_weather",
        '{"city":"Paris"}',
        "completed",
    )
    answered = client.responses.create(
        model="demo/assistant",
        previous_response_id=asked.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny, 21 degrees"}],
        tools=[WEATHER],
    )
    assert "get_weather gave sunny, 21 degrees" in answered.output_text


def test_a_clients_call_can_be_answered_in_parts_and_without_server_state(client: OpenAI) -> None:
    history: Any = [
        {"role": "user", "content": ASK},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Paris"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "rain"}]},
    ]
    answered = client.responses.create(model="demo/assistant", input=history, tools=[WEATHER], store=False)
    assert "get_weather gave rain" in answered.output_text


def test_a_server_tool_runs_in_the_loop_and_shows_its_result(http: httpx2.Client) -> None:
    made = create(http, model="demo/assistant", input="What time is it in Asia/Tokyo?", tools=[CLOCK])
    assert [item["type"] for item in made["output"]] == ["function_call", "orq:current_date", "message"]
    call, result, _ = made["output"]
    assert (call["call_id"], call["name"]) == (result["call_id"], result["name"]) == (result["call_id"], "orq_current_date")
    assert (result["status"], result["result"]["timezone"]) == ("completed", "Asia/Tokyo")
    assert result["result"]["datetime"] in text_of(made)
    assert made["usage"]["total_tokens"] > 0


def test_a_server_tools_call_and_result_are_streamed_stored_and_resumable(http: httpx2.Client) -> None:
    body = {"model": "demo/assistant", "input": "What time is it?", "tools": [CLOCK], "stream": True}
    seen = events(http.post("/v1/responses", json=body).content)
    done = [event["item"] for event in seen if event["type"] == "response.output_item.done"]
    assert done == seen[-1]["response"]["output"]
    assert [event["output_index"] for event in seen if event["type"] == "response.output_item.added"] == [0, 1, 2]
    assert http.get(f"/v1/responses/{seen[-1]['response']['id']}").json() == seen[-1]["response"]


def test_several_server_calls_of_one_turn_all_run(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=2 tools=8", tools=[CLOCK])
    assert [item["type"] for item in made["output"]] == ["function_call"] * 8 + ["orq:current_date"] * 8 + ["message"]
    calls, results = made["output"][:8], made["output"][8:16]
    assert {call["call_id"] for call in calls} == {result["call_id"] for result in results}


def test_without_parallel_calls_a_turn_makes_one_call(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=2 tools=3", tools=[CLOCK], parallel_tool_calls=False)
    kinds = [item["type"] for item in made["output"]]
    assert kinds == ["function_call", "orq:current_date"] * 3 + ["message"]


def test_no_more_server_calls_run_than_were_allowed(http: httpx2.Client) -> None:
    made = create(http, model="demo/load", input="tokens=2 tools=3", tools=[CLOCK], max_tool_calls=2)
    results = [item for item in made["output"] if item["type"] == "orq:current_date"]
    assert sorted("error" in item for item in results) == [False, False, True]
    assert made["status"] == "completed"


def test_a_wrong_argument_is_told_to_the_model_and_the_run_goes_on(http: httpx2.Client) -> None:
    made = create(http, model="demo/assistant", input="What time is it in Nowhere/Land?", tools=[CLOCK])
    assert "There is no time zone 'Nowhere/Land'" in only(made["output"], "orq:current_date")["error"]
    assert made["status"] == "completed"


def test_calls_of_both_kinds_in_one_turn_run_the_servers_and_await_the_clients(http: httpx2.Client) -> None:
    asked = create(http, model="demo/assistant", input=ASK_BOTH, tools=[WEATHER, CLOCK])
    assert sorted(item["type"] for item in asked["output"]) == ["function_call", "function_call", "orq:current_date"]
    result = only(asked["output"], "orq:current_date")
    (call,) = (item for item in asked["output"] if item.get("name") == "get_weather")
    answer = {"type": "function_call_output", "call_id": call["call_id"], "output": "hail"}
    tools = [WEATHER, CLOCK]
    answered = create(http, model="demo/assistant", previous_response_id=asked["id"], input=[answer], tools=tools)
    assert "get_weather gave hail" in text_of(answered)
    assert result["result"]["datetime"] in text_of(answered)


def test_a_conversation_with_server_tools_can_be_continued(http: httpx2.Client) -> None:
    first = create(http, model="demo/assistant", input="What time is it?", tools=[CLOCK])
    second = create(http, model="demo/echo", input="Thanks.", previous_response_id=first["id"])
    assert text_of(second) == "Thanks."


def test_a_conversation_with_server_tools_can_be_sent_back_item_by_item(http: httpx2.Client) -> None:
    first = create(http, model="demo/assistant", input="What time is it?", tools=[CLOCK])
    history = [{"role": "user", "content": "What time is it?"}, *first["output"], {"role": "user", "content": "Thanks."}]
    assert text_of(create(http, model="demo/echo", input=history)) == "Thanks."


def test_a_call_without_its_output_is_refused(http: httpx2.Client) -> None:
    asked = create(http, model="demo/assistant", input=ASK, tools=[WEATHER])
    call_id = asked["output"][0]["call_id"]
    status, error = refused(http, model="demo/assistant", input="Well?", previous_response_id=asked["id"])
    assert (status, error["param"]) == (400, "input")
    assert error["message"] == f"No tool output found for function call {call_id}."


def test_an_output_without_its_call_is_refused(http: httpx2.Client) -> None:
    output = {"type": "function_call_output", "call_id": "call_none", "output": "x"}
    status, error = refused(http, model="demo/assistant", input=[output])
    assert (status, error["param"]) == (400, "input")
    assert error["message"] == "No tool call found for function call output with call_id call_none."


def test_a_forced_choice_and_an_allowed_subset_are_kept_to(http: httpx2.Client) -> None:
    forced = create(
        http, model="demo/assistant", input="Hello.", tools=[WEATHER], tool_choice={"type": "function", "name": "get_weather"}
    )
    assert only(forced["output"], "function_call")["name"] == "get_weather"
    none = create(http, model="demo/assistant", input=ASK, tools=[WEATHER], tool_choice="none")
    assert [item["type"] for item in none["output"]] == ["message"]
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [CLOCK]}
    subset = create(http, model="demo/assistant", input=ASK_BOTH, tools=[WEATHER, CLOCK], tool_choice=allowed)
    assert {item["name"] for item in subset["output"] if item["type"] == "function_call"} == {"orq_current_date"}


def test_a_loop_is_bounded_and_says_so(http: httpx2.Client) -> None:
    made = create(
        http,
        model="demo/load",
        input="tokens=2 tools=9",
        tools=[CLOCK],
        parallel_tool_calls=False,
        limits={"max_iterations": 3},
    )
    assert (made["status"], made["incomplete_details"]) == ("incomplete", {"reason": "max_iterations"})
    kinds = [item["type"] for item in made["output"]]
    assert kinds == ["function_call", "orq:current_date"] * 3


def test_a_custom_tool_is_called_with_plain_text(http: httpx2.Client) -> None:
    tool = {"type": "custom", "name": "search_notes", "description": "Search the notes."}
    made = create(http, model="demo/assistant", input="Search my notes for rondo.", tools=[tool])
    call = only(made["output"], "custom_tool_call")
    assert (call["name"], call["input"]) == ("search_notes", "Search my notes for rondo.")
    answer = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "a musical form"}
    answered = create(http, model="demo/assistant", previous_response_id=made["id"], input=[answer], tools=[tool])
    assert "a musical form" in text_of(answered)


def test_a_streamed_call_arrives_in_pieces_that_add_up(http: httpx2.Client) -> None:
    body = {"model": "demo/assistant", "input": ASK, "tools": [WEATHER], "stream": True}
    seen = events(http.post("/v1/responses", json=body).content)
    added = next(event["item"] for event in seen if event["type"] == "response.output_item.added")
    pieces = [event["delta"] for event in seen if event["type"] == "response.function_call_arguments.delta"]
    assert (added["arguments"], "".join(pieces)) == ("", '{"city":"Paris"}')
    (whole,) = (event for event in seen if event["type"] == "response.function_call_arguments.done")
    assert (whole["name"], whole["arguments"]) == ("get_weather", '{"city":"Paris"}')
