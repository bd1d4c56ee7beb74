"""Files through the router: tried with one model after another, bounded, and gone when the call is."""

import io
import socket
import wave
from pathlib import Path
from typing import Any

import httpx2
import openai
import psutil
import pytest
from openai import OpenAI

from tests.system.running import KEY, Api, System, eventually

MIB = 1024 * 1024


def recording(seconds: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(16_000)
        written.writeframes(bytes(32_000 * seconds))
    return file.getvalue()


def files_of(api: Api) -> list[str]:
    """Where the process's files are that have been deleted and are still open."""
    descriptors = Path(f"/proc/{psutil.Process(api.pid).pid}/fd")
    return [link for each in descriptors.iterdir() if (link := _target(each)).endswith("(deleted)")]


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def test_a_file_is_sent_to_one_model_after_another(sdk: OpenAI, router_api: Api, router_system: System) -> None:
    sound = recording(120)
    told = sdk.audio.transcriptions.create(
        model="demo/load",
        prompt="fail=503",
        file=("talk.wav", sound),
        extra_body={
            "fallbacks": [{"model": "demo/load"}, {"model": "demo/audio"}],
            "identity": {"id": "listener"},
            "thread": {"id": "talks", "tags": ["a", "b"]},
            "metadata": {"from": "phone"},
        },
    )
    assert f"talk.wav, {len(sound)} bytes, 120.0 seconds" in told.text
    statement = "SELECT answered_by, identity_id, usage FROM router_calls WHERE endpoint = 'audio/transcriptions'"
    ((answered_by, identity_id, usage),) = eventually(lambda: router_system.rows(statement))
    assert (answered_by, identity_id) == ("demo/audio", "listener")
    assert isinstance(usage, dict)
    assert usage["seconds"] == 120.0
    assert files_of(router_api) == []


def test_a_form_lacking_its_file_or_its_model_is_refused_by_name(plain: httpx2.Client) -> None:
    for data, files, param in (
        ({"model": "demo/audio"}, {"other": b"x"}, "file"),
        ({"prompt": "x"}, {"file": b"x"}, "model"),
    ):
        answer = plain.post("/audio/transcriptions", data=data, files=files)
        error: Any = answer.json()["error"]
        assert (answer.status_code, error["param"], error["code"]) == (400, param, "missing_required_parameter")


def test_a_body_that_is_no_form_is_refused(plain: httpx2.Client) -> None:
    answer = plain.post("/audio/transcriptions", json={"model": "demo/audio"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_content_type")


def opened(api: Api, *, length: int) -> socket.socket:
    """Begin to send a form."""
    connection = socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=20)
    head = (
        f"POST /v3/router/audio/transcriptions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n"
    )
    part = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    connection.sendall((head + part).encode())
    return connection


def test_a_form_that_says_it_is_too_large_is_refused_unread(router_api: Api) -> None:
    with opened(router_api, length=1024 * MIB) as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_clients_that_vanish_while_they_send_leave_no_file(router_api: Api) -> None:
    connections = [opened(router_api, length=64 * MIB) for _ in range(5)]
    for connection in connections:
        connection.sendall(bytes(4 * MIB))
    eventually(lambda: len(files_of(router_api)) == len(connections))
    for connection in connections:
        connection.close()
    eventually(lambda: files_of(router_api) == [])
    assert "unexpected_error" not in router_api.log_tail(lines=1000)


def test_many_large_files_are_never_in_memory(router_api: Api) -> None:
    process = psutil.Process(router_api.pid)
    before = process.memory_info().rss
    connections = [opened(router_api, length=90 * MIB) for _ in range(4)]
    for connection in connections:
        for _ in range(80):
            connection.sendall(bytes(MIB))
    held = process.memory_info().rss - before
    for connection in connections:
        connection.close()
    assert held < 64 * MIB
    eventually(lambda: files_of(router_api) == [])


def test_speech_is_a_recording_that_can_be_transcribed(sdk: OpenAI) -> None:
    speech = sdk.audio.speech.create(model="demo/speech", voice="alloy", input="x" * 100, response_format="wav")
    told = sdk.audio.transcriptions.create(
        model="demo/audio", file=("said.wav", speech.content), response_format="verbose_json"
    )
    assert told.duration == 6.0


def test_a_transcription_is_streamed(sdk: OpenAI) -> None:
    *deltas, done = sdk.audio.transcriptions.create(model="demo/audio", file=("a.wav", recording(1)), stream=True)
    assert done.type == "transcript.text.done"
    assert "".join(delta.delta for delta in deltas if delta.type == "transcript.text.delta") == done.text


def test_a_picture_is_streamed_as_it_comes_to_be(sdk: OpenAI) -> None:
    made = sdk.images.edit(model="demo/image", image=("a.png", b"\x89PNG"), prompt="a fox", stream=True, partial_images=2)
    assert [event.type for event in made] == [*["image_edit.partial_image"] * 2, "image_edit.completed"]


def test_what_the_demo_cannot_say_is_refused_by_name(sdk: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="only wav, pcm"):
        sdk.audio.speech.create(model="demo/speech", voice="alloy", input="x", response_format="mp3")
