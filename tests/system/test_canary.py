"""Secrets stay where they are used: they go in by every way there is, are told on purpose by everybody who gets to know them,
and are then looked for in everything that the system keeps, sends and shows.
"""

import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared import keyring
from shared.items import Item, Json
from tests import stores as real
from tests.stores import RedisDatabases, Stores
from tests.system import far_side, traces
from tests.system.contract import event_of, frames
from tests.system.far_side import FarSide
from tests.system.running import System, free_port, launched
from tests.system.traces import Witness

HEADERS = {
    "saved": "encrypted header of a saved tool",
    "basic": "password in an encrypted header of a saved tool",
    "agent_server": "encrypted header of an agent's MCP server",
    "request_server": "authorization of a request's MCP server",
    "request_header": "literal in a header of a request's MCP server",
}
VARIABLES = {
    "token": "secret variable of a request",
    "granted": "secret variable that a program is granted",
    "declared": "secret variable of an agent",
    "own": "secret variable of an agent that is delegated to",
}


@dataclass
class Canary:
    """One secret: two parts that look like nothing else, and between them what every encoding changes."""

    first: str
    second: str
    middle: str = "\"+/=?&%~'<>\\ "

    @classmethod
    def hatched(cls, *, middle: str = middle) -> "Canary":
        """Make one that nobody has seen."""
        letters = string.ascii_letters + string.digits
        first, second = ("".join(secrets.choice(letters) for _ in range(18)) for _ in range(2))
        return cls(first, second, middle)

    @property
    def text(self) -> str:
        return self.first + self.middle + self.second

    @property
    def parts(self) -> list[str]:
        """What must be found nowhere: less than the whole is too much."""
        return [self.text, self.first, self.second]


@dataclass
class Story:
    """A system that was told secrets, what they are, and everything that came out of it."""

    canaries: dict[str, Canary]
    far: FarSide
    places: dict[str, list[bytes]] = field(default_factory=dict)

    def leaks(self) -> dict[str, set[str]]:
        """Name the secrets that are found, by the place where they are."""
        wanted = {name: canary.parts for name, canary in self.canaries.items()}
        return {place: traces.found(blobs, wanted) for place, blobs in self.places.items()}


@pytest.fixture
def canaries() -> dict[str, Canary]:
    made = {name: Canary.hatched() for name in (*HEADERS, *VARIABLES)}
    return {**made, "granted": Canary.hatched(middle='"+/ß%\\\t😀<>&\n')}


@contextmanager
def sealed_system(stores: Stores, redis_url: str, home: Path, far: FarSide) -> Iterator[System]:
    """Launch a system that reaches this machine, tells everything in its logs, and has a key file."""
    keyring.write(home / "keys", [keyring.new_key()])
    settings = {
        "RONDO_ENCRYPTION_KEYS": "",
        "RONDO_ENCRYPTION_KEY_FILE": str(home / "keys"),
        "RONDO_ALLOW_NETWORKS": "127.0.0.1/32",
        "RONDO_LOG_FORMAT": "json",
        "RONDO_LOG_LEVEL": "debug",
        "RONDO_PROVIDER_FAKE_BASE_URL": f"{far.http}/v1",
        "RONDO_PROVIDER_FAKE_WIRE": "openai-chat",
    }
    with (
        real.database(stores.postgres, template=stores.template) as database_url,
        launched(database_url=database_url, redis_url=redis_url, home=home, **settings) as system,
    ):
        yield system


@contextmanager
def told(stores: Stores, redis_url: str, home: Path, canaries: dict[str, Canary], *launcher: str) -> Iterator[Story]:
    """Play the whole story on real processes, and gather what is left of it."""
    with (
        far_side.serving() as far,
        traces.tapped(redis_url) as heard,
        sealed_system(stores, redis_url, home, far) as system,
    ):
        system.launcher = launcher
        texts = {name: canary.text for name, canary in canaries.items()}
        far.gossip = {
            "parent": [text for name, text in texts.items() if name != "own"],
            "child": [texts[name] for name in VARIABLES],
            "broken": [texts["token"]],
        }
        api = system.api()
        system.worker()
        with api.http() as http:
            witness = Witness(http)
            play(witness, far, texts)
        yield Story(
            canaries,
            far,
            {
                "database": traces.database(system),
                "redis": heard,
                "clients": witness.seen,
                "logs": [each.log.read_bytes() for each in system.processes],
                "models": [text.encode() for text in far.shown],
            },
        )


def play(witness: Witness, far: FarSide, texts: dict[str, str]) -> None:
    """Define, run, approve, fail, read everything, and ask for what cannot be."""
    define(witness, far, texts)
    first = stream(witness, asked(far, texts))
    (request,) = (item for item in first["output"] if item["type"] == "mcp_approval_request")
    witness.get("/v1/approvals")
    approval = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
    again = {**asked(far, texts), "input": [approval], "previous_response_id": first["id"]}
    second = witness.make("/v1/responses", again)
    check_run(first["output"], second["output"])
    broken = {"model": "fake/broken", "input": "{{token}}", "variables": {"token": secret(texts["token"])}}
    assert witness.ask("POST", "/v1/responses", broken)[0] == 400
    read_everything(witness, [first["id"], second["id"]])
    ask_for_the_impossible(witness, far, texts)


def secret(text: str) -> Json:
    return {"value": text, "secret": True}


def define(witness: Witness, far: FarSide, texts: dict[str, str]) -> None:
    """Save tools of each kind, an agent to delegate to, and the agent."""
    hidden = {"Authorization": {"value": f"Bearer {texts['saved']}", "encrypted": True}}
    basic = far_side.basic(texts["basic"])
    body = {"said": "{{note}}", "token": "{{token}}", "all": ["Bearer {{token}}"]}
    nowhere = f"http://127.0.0.1:{free_port()}"
    tools = {
        "echo": blueprint(f"{far.http}/echo/{{{{token}}}}?declared={{{{declared}}}}", headers=hidden, body=body),
        "blame": blueprint(
            f"{far.http}/fail?token={{{{token}}}}", headers={"Authorization": {"value": basic, "encrypted": True}}
        ),
        "refused": blueprint(f"{nowhere}/{{{{token}}}}", headers=hidden),
        "approved": {**blueprint(f"{far.http}/echo", headers=hidden, body=body), "requires_approval": True},
        "whisper": blueprint(f"{far.http}/echo", headers={"X-Own": "Token {{own}}", "X-Token": "{{token}}"}),
        "printer": {
            "type": "code",
            "code_tool": {"language": "python", "code": "print(granted)\n[granted, secrets]", "secrets": ["granted"]},
        },
    }
    for key, tool in tools.items():
        made = witness.make("/v2/tools", {"key": key, "description": "Does it.", **tool})
        witness.make(f"/v2/tools/{key}", {**made, "description": "Does it all."}, method="PATCH")
    helper = {"settings": {"tools": [{"type": "http", "key": "whisper"}]}, "variables": {"own": secret(texts["own"])}}
    agent(witness, "helper", model="fake/child", instructions="Mine is {{own}}, yours is {{token}}.", **helper)
    agent(
        witness,
        "canary",
        model="fake/parent",
        instructions="Use {{token}} and {{declared}}.",
        system_prompt="Grant {{granted}}.",
        variables={"declared": secret(texts["declared"])},
        team_of_agents=[{"key": "helper"}],
        settings={
            "tools": [
                *({"type": tool.get("type", "http"), "key": key} for key, tool in tools.items() if key != "whisper"),
                {
                    "type": "mcp",
                    "key": "first",
                    "server_url": far.mcp["first"],
                    "headers": {"Authorization": {"value": f"Bearer {texts['agent_server']}", "encrypted": True}},
                },
            ]
        },
    )


def blueprint(url: str, **members: Any) -> Json:
    """Make an HTTP tool whose argument a model may fill with whatever it knows."""
    note = {"type": "string", "description": "Anything."}
    return {"type": "http", "http": {"blueprint": {"url": url, "method": "POST", **members}, "arguments": {"note": note}}}


def agent(witness: Witness, key: str, **members: Any) -> None:
    """Make an agent in two versions."""
    made = witness.make("/v2/agents", {"key": key, **members})
    witness.make(f"/v2/agents/{key}", {**made, "description": "Changed."}, method="PATCH")


def asked(far: FarSide, texts: dict[str, str]) -> Json:
    """Ask the agent, with a server of the request's own."""
    server = {
        "type": "mcp",
        "server_label": "second",
        "server_url": far.mcp["second"],
        "authorization": texts["request_server"],
        "headers": {"X-Literal": f"Bearer {texts['request_header']}", "X-Token": "Bearer {{token}}"},
        "require_approval": "never",
    }
    return {
        "model": "agent/canary",
        "input": "Send {{token}} to {{declared}} with {{granted}}.",
        "variables": {"token": secret(texts["token"]), "granted": secret(texts["granted"])},
        "tools": [server],
        "include": ["reasoning.encrypted_content"],
    }


def stream(witness: Witness, body: Json) -> Json:
    """Create a response, follow it to its end, and return it."""
    status, read = witness.ask("POST", "/v1/responses", {**body, "stream": True})
    assert status == 200, read
    response: Json = event_of(frames(read)[-1])["response"]
    return response


def check_run(first: list[Item], second: list[Item]) -> None:
    """Make sure that the story was played as it is told here."""
    ran = {item["name"]: item for item in [*first, *second] if "result" in item or "output" in item or "error" in item}
    assert ran.keys() >= {
        *("echo", "blame", "refused", "approved", "printer", "orq_call_sub_agent"),
        *("first_reveal", "first_blame", "second_reveal", "second_blame"),
    }
    failed = {name for name, item in ran.items() if item.get("error")}
    assert failed == {"blame", "refused", "first_blame", "second_blame"}


def read_everything(witness: Witness, response_ids: list[str]) -> None:
    """Read whatever can be read."""
    listed = witness.get("/v1/responses?limit=100")["data"]
    for id_ in {*response_ids, *(each["id"] for each in listed)}:
        for rest in ("", "?include[]=reasoning.encrypted_content", "/input_items", "/steps"):
            witness.get(f"/v1/responses/{id_}{rest}")
        witness.ask("GET", f"/v1/responses/{id_}?stream=true")
    for page in ("/v1/approvals", "/v2/agents", "/v2/tools", "/v2/threads", "/v2/identities"):
        witness.get(page)
    for path in ("/v2/agents/canary", "/v2/agents/helper", "/v2/tools/echo", "/v2/tools/printer"):
        for rest in ("", "/versions", "/versions/1.0.0", "/versions/1.0.0/diff"):
            witness.get(f"{path}{rest}")
        witness.make(f"{path}/versions/1.0.0/restore", {})


def ask_for_the_impossible(witness: Witness, far: FarSide, texts: dict[str, str]) -> None:
    """Send requests that cannot be, with secrets in them: where they belong, and broken."""
    text = texts["token"]
    good = asked(far, texts)
    (server,) = good["tools"]
    faults: list[Any] = [
        orjson.dumps(good)[:-20],
        {**good, "temperature": 99},
        {**good, "model": "agent/nobody"},
        {**good, "input": "{{missing}}"},
        {**good, "variables": {"token": {"value": text, "secret": "yes"}}},
        {**good, "variables": {"token": {"value": [text], "secret": True}}},
        {**good, "variables": {"token": {"value": text, "secret": True, "also": text}}},
        {**good, "tools": [{**server, "authorization": [text]}]},
        {**good, "tools": [{**server, "authorization": f"{text}\n{text}"}]},
        {**good, "tools": [{**server, "authorization": f"{text}{{{{missing}}}}"}]},
        {**good, "tools": [{**server, "headers": {"Authorization": {"value": f"{text}\r\n", "encrypted": True}}}]},
        {**good, "tools": [{**server, "headers": {"Authorization": f"{{{{#{text}}}}}"}}], "template_engine": "mustache"},
        {**good, "tools": [{**server, "headers": {"Authorization": f"{{% {text} %}}"}}], "template_engine": "jinja"},
    ]
    for fault in faults:
        status, read = witness.ask("POST", "/v1/responses", fault)
        assert 400 <= status < 500, (fault, read)
    tool = blueprint(f"{far.http}/", headers={"Authorization": {"value": f"{text}\n", "encrypted": True}})
    for path, body in (
        ("/v2/tools", {"key": "bad", **tool}),
        ("/v2/agents", {"key": "bad", "model": "fake/x", "variables": {"a": {"value": [text], "secret": True}}}),
        ("/v2/agents", {"key": "bad", "model": "fake/x", "variables": {"a": {"value": text, "secret": text}}}),
    ):
        status, read = witness.ask("POST", path, body)
        assert 400 <= status < 500, (body, read)


def test_secrets_reach_the_far_side_and_nobody_else(
    stores: Stores, redis_databases: RedisDatabases, tmp_path: Path, canaries: dict[str, Canary]
) -> None:
    with redis_databases.one() as redis_url, told(stores, redis_url, tmp_path, canaries) as story:
        used = traces.found([text.encode() for text in story.far.received], {n: [c.text] for n, c in canaries.items()})
        assert used == canaries.keys() - {"granted"}, "what a program is granted never leaves the machine"
        assert all(story.places.values())
        assert story.leaks() == {place: set() for place in story.places}


EVERY = {*HEADERS, *VARIABLES}
EVERYWHERE = dict.fromkeys(("database", "redis", "clients", "models"), EVERY)


@pytest.mark.parametrize(
    ("off", "where"),
    [
        ("scrubbing", EVERYWHERE),
        ("boundaries", EVERYWHERE),
        ("sealing", {"database": EVERY}),
        (
            "placeholders",
            {"database": {*VARIABLES}, "clients": {"token", "granted", "declared"}, "models": {*VARIABLES}},
        ),
    ],
)
def test_without_a_protection_secrets_are_found(
    stores: Stores,
    redis_databases: RedisDatabases,
    tmp_path: Path,
    canaries: dict[str, Canary],
    off: str,
    where: dict[str, set[str]],
) -> None:
    with (
        redis_databases.one() as redis_url,
        told(stores, redis_url, tmp_path, canaries, "tests.system.unprotected", off) as story,
    ):
        assert {place: names for place, names in story.leaks().items() if names} == where
