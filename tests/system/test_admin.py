"""What an operator does at the command line."""

import base64
import subprocess
from pathlib import Path

import pytest

from api import keys
from shared import keyring
from tests.system.running import KEY, Api, System


def test_a_new_key_opens_its_project_and_is_stored_only_as_a_hash(system: System, api: Api) -> None:
    key = system.new_key("keys")
    with api.http(key) as http:
        assert http.get("/v1/responses").json()["data"] == []
    listed = system.admin("list-keys", "keys")
    assert key not in listed
    assert keys.hint(key) in listed
    assert system.rows("SELECT 1 FROM api_keys WHERE hash = %s", keys.digest(key)) == [(1,)]


def test_a_revoked_key_is_refused_by_a_process_that_has_not_seen_it(system: System, api: Api) -> None:
    key = system.new_key("revoked")
    (key_id,) = (line.split()[0] for line in system.admin("list-keys", "revoked").splitlines())
    assert system.admin("revoke-key", key_id).startswith("Revoked")
    with api.http(key) as http:
        assert http.get("/v1/models").json()["error"]["code"] == "invalid_api_key"
    assert "revoked" in system.admin("list-keys", "revoked")


def test_a_revoked_project_has_no_working_keys(system: System, api: Api) -> None:
    key = system.new_key("closed")
    system.admin("revoke-project", "closed")
    with api.http(key) as http:
        assert http.get("/v1/models").status_code == 401
    assert "closed" in system.admin("list-projects")


def test_bootstrapping_again_changes_nothing(system: System) -> None:
    before = system.rows("SELECT id FROM api_keys ORDER BY id")
    assert system.admin("bootstrap") == f"The key {keys.hint(KEY)} opens the project 'default'."
    assert system.rows("SELECT id FROM api_keys ORDER BY id") == before


def test_migrating_an_up_to_date_database_changes_nothing(system: System) -> None:
    assert system.admin("migrate").startswith("The schema is at ")


def test_encryption_keys_are_rotated_in_their_file(system: System, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keyring.write(path, [keyring.new_key()])
    [old] = keyring.read(path)
    environment = {**system.env, "RONDO_ENCRYPTION_KEYS": "", "RONDO_ENCRYPTION_KEY_FILE": str(path)}
    command = [*system.admin_command, "rotate-keys", "--new", "--retire"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    [new] = keyring.read(path)
    assert done.stdout.splitlines()[-1] == f"Retired '{old.id}'. Backups from before still need them."
    assert new.id in done.stdout
    assert base64.b64encode(new.material).decode() not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create-project", "default"), "rondo: There is a project named 'default' already."),
        (("create-key", "nobody", "x"), "rondo: There is no project 'nobody'."),
        (
            ("rotate-keys", "--new"),
            "rondo: Only a key file can be given a new key: put one first in RONDO_ENCRYPTION_KEYS yourself.",
        ),
        (("requeue", "resp_x"), "rondo: There is no dead letter with id 'resp_x'."),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_why_in_one_sentence(
    system: System, arguments: tuple[str, ...], sentence: str
) -> None:
    done = system.try_admin(*arguments)
    assert (done.returncode, done.stderr.strip(), done.stdout) == (1, sentence, "")


def test_an_unreachable_database_is_named_in_one_sentence(system: System) -> None:
    environment = {**system.env, "DATABASE_URL": "postgresql://postgres@127.0.0.1:1/none"}
    command = [*system.admin_command, "list-projects"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert done.stderr.startswith("rondo: The database cannot be reached: ")
    assert done.stderr.count("\n") == 1
