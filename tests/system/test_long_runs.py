"""Runs of hundreds of steps, delegated work and calls that wait for a word, while the processes under them are killed."""

import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import httpx2
import pytest
import redis

from shared import fold
from shared.items import Item, Json
from tests import stores as real
from tests.stores import RedisDatabases, Stores
from tests.system import outside
from tests.system.contract import events
from tests.system.outside import Outside
from tests.system.reading import FINAL, create, finished, only, text_of
from tests.system.running import Api, Process, System, eventually, launched

log = logging.getLogger(__name__)

TURNS = 300
KILL_EVERY = 5.0
LEAD, HELPER = "gpt-4o", "gpt-4o-mini"
"""Models that have a price, so that costs can be added up."""
CAREFUL: Json = {"tools": [{"type": "http", "key": "act", "requires_approval": True}]}


def helper(turn: int) -> str | list[tuple[str, Json]]:
    """Look once, then answer."""
    return [("look", {"n": 0})] if turn == 1 else "I have looked."


def lead(turn: int) -> str | list[tuple[str, Json]]:
    """Use every kind of tool for 300 turns."""
    if turn >= TURNS:
        return "done"
    look, act = ("look", {"n": turn}), ("act", {"n": turn})
    if turn % 50 == 0:
        return [("orq_call_sub_agent", {"agent_key": "helper", "input": "Look."}), act]
    if turn % 10 == 0:
        return [act]
    if turn % 23 == 0:
        return [("add", {"n": turn})]
    return [look, ("look", {"n": -turn})] if turn % 7 == 0 else [look]


def delegating(turn: int) -> str | list[tuple[str, Json]]:
    """Hand the work on, then answer."""
    return [("orq_call_sub_agent", {"agent_key": "helper", "input": "Look."})] if turn == 1 else "done"


def acting(turn: int) -> str | list[tuple[str, Json]]:
    """Act once, then answer."""
    return [("act", {"n": turn})] if turn == 1 else "done"


def lingering(turn: int) -> str | list[tuple[str, Json]]:
    """Wait for what never comes."""
    return [("linger", {})] if turn == 1 else "done"


@pytest.fixture
def system(stores: Stores, redis_databases: RedisDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of one test's own, on stores of its own, with nothing started."""
    home = tmp_path_factory.mktemp("long")
    with (
        real.database(stores.postgres, template=stores.template) as database_url,
        redis_databases.one() as redis_url,
        launched(database_url=database_url, redis_url=redis_url, home=home, RONDO_ALLOW_NETWORKS="127.0.0.0/8") as own,
    ):
        yield own


def connect(system: System, world: Outside) -> Api:
    """Have a system ask the world's provider; start its API process, with agents that use the world's tools."""
    providers = system.home / "providers.toml"
    provider = ("[providers.openai]", 'wire = "openai-chat"', f'base_url = "{world.url}/v1"', 'api_key_env = "MOCK_KEY"')
    providers.write_text("\n".join(provider), encoding="utf-8")
    system.env |= {"RONDO_PROVIDERS_FILE": str(providers), "MOCK_KEY": "mock"}
    api = system.api()
    with api.http() as http:
        define(http, world)
    return api


def define(http: httpx2.Client, world: Outside) -> None:
    """Save the tools, and two agents of which one leads the other."""
    number = {"n": {"type": "integer"}}
    requests: Json = {
        "look": ("GET", "/look/{{n}}", number),
        "act": ("POST", "/act/{{n}}", number),
        "linger": ("GET", "/linger", {}),
    }
    for key, (method, path, arguments) in requests.items():
        part = {"blueprint": {"url": world.url + path, "method": method}, "arguments": arguments}
        save(http, "tools", {"key": key, "type": "http", "http": part})
    code = {"language": "python", "code": "n + 1", "parameters": {"type": "object", "properties": number}}
    save(http, "tools", {"key": "add", "type": "code", "code_tool": code})
    tools = [{"type": "http", "key": key} for key in ("look", "act", "linger")]
    settings = {"max_iterations": 400, "max_execution_time": 600, "tools": [*tools, {"type": "code", "key": "add"}]}
    save(http, "agents", {"key": "helper", "model": f"openai/{HELPER}", "settings": {"tools": tools}})
    team = [{"key": "helper"}]
    save(http, "agents", {"key": "lead", "model": f"openai/{LEAD}", "settings": settings, "team_of_agents": team})
    save(http, "agents", {"key": "careful", "model": f"openai/{LEAD}", "settings": CAREFUL})


def save(http: httpx2.Client, kind: str, body: Json) -> None:
    """Write a definition."""
    answer = http.post(f"/v2/{kind}", json=body)
    assert answer.status_code == 201, answer.text


def journal(http: httpx2.Client, response_id: str) -> Json:
    """Read the journal."""
    read: Json = http.get(f"/v1/responses/{response_id}/steps").raise_for_status().json()
    return read


def test_a_run_of_300_steps_completes_although_a_worker_is_killed_every_five_seconds(system: System) -> None:
    with outside.serving(gpt_4o=lead, gpt_4o_mini=helper) as world, connect(system, world).http() as http:
        workers = [system.worker(), system.worker()]
        made = create(http, model="agent/lead", input="Go.", background=True)
        kills = rampage(system, workers, http, made["id"])
        run = finished(http, made["id"], within=1)
        read = journal(http, run["id"])
        lost = [step for step in read["data"] if step["outcome"] == "lost"]
        statuses = Counter(call["status"] for call in read["tool_calls"])
        log.warning("%d kills, %d steps lost, calls %s", kills, len(lost), dict(statuses))
        assert (run["status"], text_of(run)) == ("completed", "done")
        check_journal(read, world)
        check_output(run["output"], read["tool_calls"])
        check_log(http, run)
        check_usage(http, run, read)
        assert kills >= 3
        check_pace(read["data"])


def rampage(system: System, workers: list[Process], http: httpx2.Client, response_id: str) -> int:
    """Kill and replace a worker every five seconds until the response is over; return how many died."""
    seed = random.randrange(2**32)
    log.warning("seed %d", seed)
    chance = random.Random(seed)
    began = time.monotonic()
    for kills in range(60):
        left = began + (kills + 1) * KILL_EVERY - time.monotonic()
        time.sleep(max(left, 0))
        if http.get(f"/v1/responses/{response_id}").json()["status"] in FINAL:
            return kills
        victim = chance.randrange(len(workers))
        workers[victim].kill()
        workers[victim] = system.worker()
    raise AssertionError("the run did not end")


def check_journal(read: Json, world: Outside) -> None:
    """Every step was committed once and every call ended; the world saw no effect twice, and nothing was left out."""
    committed = [step for step in read["data"] if step["outcome"] != "lost"]
    assert [step["number"] for step in committed] == list(range(TURNS))
    assert [step["outcome"] for step in committed] == ["tools"] * (TURNS - 1) + ["completed"]
    assert all(step["model"] == f"openai/{LEAD}" for step in committed)
    calls = read["tool_calls"]
    wanted = [(f"call_{turn}_{index}", turn - 1) for turn in range(1, TURNS) for index in range(len(lead(turn)))]
    assert [(call["call_id"], call["step"]) for call in calls] == wanted
    assert {call["status"] for call in calls if call["effect"] == "at_most_once"} <= {"succeeded", "unknown"}
    assert {call["status"] for call in calls if call["effect"] != "at_most_once"} == {"succeeded"}
    assert set(world.acts.values()) == {1}
    acted = [call for call in calls if call["name"] == "act"]
    known = {f"{read['response_id']}:{call['call_id']}" for call in acted if call["status"] == "succeeded"}
    assert known <= set(world.acts) <= {f"{read['response_id']}:{call['call_id']}" for call in acted}
    assert not {f"{turn}" for turn in range(1, TURNS) if ("look", {"n": turn}) in lead(turn)} - set(world.looks)
    assert min(world.turns[LEAD, turn] for turn in range(1, TURNS + 1)) >= 1
    assert world.unpaired == []


def check_output(output: list[Item], calls: list[Json]) -> None:
    """Each call stands there once, and one result behind it that is what the journal says."""
    assert len({item["id"] for item in output}) == len(output)
    made = {item["call_id"]: at for at, item in enumerate(output) if item["type"] == "function_call"}
    results = {item["call_id"]: at for at, item in enumerate(output) if item["type"].startswith("orq:")}
    assert list(made) == [call["call_id"] for call in calls]
    assert len(output) == 2 * len(calls) + 1
    assert all(made[call_id] < results[call_id] for call_id in made)
    for call in calls:
        told = output[results[call["call_id"]]]
        assert (told.get("result"), told.get("error")) == (call["result"], call["error"])


def check_log(http: httpx2.Client, run: Json) -> None:
    """Its events, which the system's contract is held against as well, make the output."""
    seen = events(http.get(f"/v1/responses/{run['id']}", params={"stream": "true"}, timeout=60).content)
    numbers = [event["sequence_number"] for event in seen]
    assert numbers == sorted(set(numbers))
    assert seen[-1]["response"] == run
    told = [item for _, item in fold.fold(seen).partial()]
    kept = {item["id"] for item in run["output"]}
    assert [item for item in told if item["id"] in kept] == run["output"]


def check_usage(http: httpx2.Client, run: Json, read: Json) -> None:
    """What the response used is what its steps and the responses that it delegated used."""
    children = [call["child_id"] for call in read["tool_calls"] if call["name"] == "orq_call_sub_agent"]
    assert len(set(children)) == len(children) == (TURNS - 1) // 50
    helped = [http.get(f"/v1/responses/{child}").json() for child in children]
    assert {(child["status"], text_of(child)) for child in helped} == {("completed", "I have looked.")}
    parts = [step["usage"] for step in read["data"] if step["outcome"] != "lost"] + [child["usage"] for child in helped]
    for member in ("input_tokens", "output_tokens", "total_tokens"):
        assert run["usage"][member] == sum(part[member] for part in parts)
    assert run["usage"]["total_cost"] == pytest.approx(sum(part["total_cost"] for part in parts))


def check_pace(attempts: list[Json]) -> None:
    """The last steps take little longer than the first, although their model is sent ten times as much."""
    took = [step["finished_at"] - step["started_at"] for step in attempts if step["outcome"] != "lost"]
    early, late = median(took[5:35]), median(took[-30:])
    log.warning("a step took %.0f ms at the beginning and %.0f ms at the end", early * 1000, late * 1000)
    assert late < 4 * early


def test_an_effect_whose_worker_dies_is_not_repeated_and_the_model_is_told(system: System) -> None:
    with outside.serving(gpt_4o=acting) as world, connect(system, world).http() as http:
        world.acting = 60
        worker = system.worker()
        made = create(http, model="agent/lead", input="Go.", background=True)
        eventually(lambda: world.acts, within=20)
        worker.kill()
        system.worker()
        run = finished(http, made["id"], within=30)
        assert (run["status"], text_of(run)) == ("completed", "done")
        assert [call["status"] for call in journal(http, run["id"])["tool_calls"]] == ["unknown"]
        assert world.told["call_1_0"] == only(run["output"], "orq:http")["error"]
        assert "outcome is unknown" in world.told["call_1_0"]
        assert list(world.acts.values()) == [1]


def test_work_that_is_delegated_while_workers_die_is_done_once(system: System) -> None:
    with outside.serving(gpt_4o=delegating, gpt_4o_mini=helper) as world, connect(system, world).http() as http:
        worker = system.worker()
        # One after the other, so that the kill finds each at another point.
        made = [create(http, model="agent/lead", input="Go.", background=True)["id"] for _ in range(12)]
        eventually(lambda: world.turns[HELPER, 2] >= 2, within=20)
        worker.kill()
        system.worker()
        ended = [finished(http, response_id, within=30) for response_id in made]
        assert {(run["status"], text_of(run)) for run in ended} == {("completed", "done")}
        for run in ended:
            told = only(run["output"], "orq:call_sub_agent")
            read = journal(http, run["id"])
            assert [step["outcome"] for step in read["data"] if step["outcome"] != "lost"] == ["tools", "completed"]
            assert told["result"]["response_id"] == read["tool_calls"][0]["child_id"]
        children = system.rows("SELECT parent_id, status FROM responses WHERE parent_id IS NOT NULL")
        assert sorted(children) == sorted((response_id, "completed") for response_id in made)
        assert any(step["outcome"] == "lost" for run in ended for step in journals(http, run))


def journals(http: httpx2.Client, run: Json) -> list[Json]:
    """List the attempts of a response and of the one that it delegated."""
    read = journal(http, run["id"])
    return [*read["data"], *journal(http, read["tool_calls"][0]["child_id"])["data"]]


def test_cancelling_stops_the_whole_tree_and_what_its_tools_wait_for(system: System) -> None:
    with outside.serving(gpt_4o=delegating, gpt_4o_mini=lingering) as world, connect(system, world).http() as http:
        system.worker()
        made = create(http, model="agent/lead", input="Go.", background=True)
        assert world.lingering.wait(20)
        assert http.post(f"/v1/responses/{made['id']}/cancel").json()["status"] == "cancelled"
        assert world.left.wait(2)
        assert set(system.rows("SELECT depth, status FROM responses")) == {(0, "cancelled"), (1, "cancelled")}
        assert set(system.rows("SELECT name, status FROM tool_calls")) == {
            *(("orq_call_sub_agent", "failed"), ("linger", "failed")),
        }
        eventually(lambda: system.rows("SELECT 1 FROM workers WHERE running = 0"), within=2)


def test_cancelling_misses_nothing_at_whatever_point_it_finds_a_tree(system: System) -> None:
    with outside.serving(gpt_4o=delegating, gpt_4o_mini=lingering) as world, connect(system, world).http() as http:
        for _ in range(2):
            system.worker()
        made = [create(http, model="agent/lead", input="Go.", background=True)["id"] for _ in range(16)]
        assert world.lingering.wait(20)
        for response_id in made:
            assert http.post(f"/v1/responses/{response_id}/cancel").json()["status"] == "cancelled"
        assert set(system.rows("SELECT status, phase FROM responses")) == {("cancelled", "done")}
        eventually(lambda: system.rows("SELECT 1 FROM workers HAVING sum(running) = 0"), within=2)
        assert system.rows("SELECT 1 FROM tool_calls WHERE status IN ('pending', 'running', 'waiting')") == []
        assert system.rows("SELECT 1 FROM items WHERE item->>'status' = 'in_progress'") == []
        for response_id in made:  # the system's contract is held against each log
            assert http.get(f"/v1/responses/{response_id}", params={"stream": "true"}).is_success


def test_an_approval_outlives_every_process_and_is_carried_out_once(system: System) -> None:
    with outside.serving(gpt_4o=acting) as world:
        with connect(system, world).http() as http:
            system.worker()
            create(http, model="agent/careful", input="Go.", background=True)
            approval_id = waiting(system, http)
        crash(system)
        assert not world.acts
        with system.api().http() as http:
            system.worker()
            done = finished(http, decide_at_once(http, approval_id)["continued_by"], within=30)
            assert (done["status"], text_of(done)) == ("completed", "done")
            again = http.post(f"/v1/approvals/{approval_id}", json={"approve": True})
            assert (again.status_code, again.json()["error"]["code"]) == (400, "approval_already_decided")
            assert list(world.acts.values()) == [1]
            assert world.unpaired == []


def test_a_response_that_waits_for_one_that_waits_for_approval_goes_on_after_a_crash(system: System) -> None:
    with outside.serving(gpt_4o=delegating, gpt_4o_mini=acting) as world:
        with connect(system, world).http() as http:
            http.patch("/v2/agents/helper", json={"settings": CAREFUL}).raise_for_status()
            system.worker()
            made = create(http, model="agent/lead", input="Go.", background=True)
            approval_id = waiting(system, http)
        crash(system)
        with system.api().http() as http:
            system.worker()
            assert http.get(f"/v1/responses/{made['id']}").json()["status"] == "in_progress"
            answering = decide_at_once(http, approval_id)["continued_by"]
            run = finished(http, made["id"], within=30)
            assert (run["status"], text_of(run)) == ("completed", "done")
            assert only(run["output"], "orq:call_sub_agent")["result"]["response_id"] == answering
            assert list(world.acts.values()) == [1]


def waiting(system: System, http: httpx2.Client) -> str:
    """Wait until one call waits for approval, which takes no slot of a worker; return its id."""

    def asked() -> list[Json]:
        listed: list[Json] = http.get("/v1/approvals?status=pending").json()["data"]
        return listed

    (approval,) = eventually(asked, within=20)
    eventually(lambda: system.rows("SELECT 1 FROM workers WHERE running = 0"), within=2)
    approval_id: str = approval["id"]
    return approval_id


def crash(system: System) -> None:
    """End every process as a crash would, and forget all that is in Redis."""
    for process in system.processes:
        process.kill()
    with redis.Redis.from_url(system.env["REDIS_URL"]) as valkey:
        valkey.flushdb()


def decide_at_once(http: httpx2.Client, approval_id: str) -> Json:
    """Let four approve at the same time; return the one answer that is none of refusal."""
    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(lambda _: http.post(f"/v1/approvals/{approval_id}", json={"approve": True}), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    (accepted,) = (answer.json() for answer in answers if answer.is_success)
    approval: Json = accepted
    return approval
