"""How a worker process runs its tasks: at once, bounded, stoppable, and never hanging."""

import signal

import pytest

from shared import queue
from shared.queue import Hints
from shared.settings import Settings
from tests.worker.conftest import StartWorker, Worker


def most_at_once(worker: Worker) -> int:
    """Count how many tasks ran at the same time, at most."""
    changes = [(note.at, 1) for note in worker.notes("start")] + [(note.at, -1) for note in worker.notes("end")]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def test_tasks_run_at_once_up_to_the_concurrency_and_no_slot_stays_idle(
    redis_url: str, hints: Hints, start_worker: StartWorker
) -> None:
    for number in range(24):
        hints.advance(f"sleep:0.2:{number}")
    worker = start_worker(redis_url, concurrency=4)
    ends = worker.wait_for("end", 24)
    assert most_at_once(worker) == 4
    assert ends[-1].at - worker.notes("start")[0].at <= 1.5 * (24 / 4 * 0.2)


def test_a_stopping_worker_is_told_to_drain_at_once_and_lets_its_tasks_end(
    redis_url: str, hints: Hints, start_worker: StartWorker
) -> None:
    worker = start_worker(redis_url)
    hints.advance("sleep:0.8:x")
    worker.wait_for("start")
    worker.signal(signal.SIGTERM)
    assert worker.end() == 0
    (drain,), (end,), (closed,) = worker.notes("drain"), worker.notes("end"), worker.notes("closed")
    assert drain.at < end.at < closed.at


def test_tasks_that_outlive_the_drain_are_cancelled_before_the_lifespan_ends(
    redis_url: str, hints: Hints, start_worker: StartWorker
) -> None:
    worker = start_worker(redis_url, RONDO_DRAIN="0.3")
    for number in range(3):
        hints.advance(f"sleep:60:{number}")
    worker.wait_for("start", 3)
    worker.signal(signal.SIGTERM)
    assert worker.end(within=3) == 0
    assert len(worker.notes("cancelled")) == 3
    assert worker.notes("closed")[0].at >= worker.notes("cancelled")[-1].at


@pytest.mark.parametrize(
    "signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGQUIT,)], ids=lambda s: s[0].name
)
def test_a_second_signal_or_a_harsher_one_cancels_at_once(
    redis_url: str, hints: Hints, start_worker: StartWorker, signals: tuple[signal.Signals, ...]
) -> None:
    worker = start_worker(redis_url, RONDO_DRAIN="60")
    hints.advance("sleep:60:x")
    worker.wait_for("start")
    for count, number in enumerate(signals, 1):
        worker.signal(number)
        if count < len(signals):
            worker.wait_for("drain", count)
    worker.end(within=3)
    assert len(worker.notes("cancelled")) == len(worker.notes("closed")) == 1


def test_a_task_that_fails_is_logged_and_frees_its_slot(redis_url: str, hints: Hints, start_worker: StartWorker) -> None:
    worker = start_worker(redis_url, concurrency=1)
    hints.advance("fail:0:x")
    hints.advance("sleep:0:after")
    assert worker.wait_for("end")[0].what == "sleep:0:after"
    assert "RuntimeError: as asked" in worker.output.read_text(encoding="utf-8")


def test_a_revoked_task_is_cancelled_and_frees_its_slot(redis_url: str, start_worker: StartWorker) -> None:
    app = queue.make_app(Settings(redis_url=redis_url))
    worker = start_worker(redis_url, concurrency=1)
    app.send_task(queue.ADVANCE, ("sleep:60:x",), task_id="known", queue="model")
    worker.wait_for("start")
    app.control.revoke("known", terminate=True)
    worker.wait_for("cancelled")
    app.send_task(queue.ADVANCE, ("sleep:0:after",), queue="model")
    assert worker.wait_for("end")[0].what == "sleep:0:after"
    app.close()


def test_the_process_ends_when_its_event_loop_does(redis_url: str, hints: Hints, start_worker: StartWorker) -> None:
    worker = start_worker(redis_url)
    hints.advance("die:0:x")
    assert worker.end() == 1


def test_a_lifespan_that_cannot_begin_ends_the_process_with_a_sentence(redis_url: str, start_worker: StartWorker) -> None:
    worker = start_worker(redis_url, wait=False, PROBE_BROKEN="1")
    assert worker.end() == 1
    output = worker.output.read_text(encoding="utf-8")
    assert "The worker cannot start: the database is nowhere to be found." in output
    assert "Traceback" not in output
