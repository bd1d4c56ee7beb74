"""What workers and publishers do while Redis is away."""

import time

from shared import queue
from shared.queue import Hints
from shared.settings import Settings
from tests.worker.conftest import FlakyRedis, StartWorker, eventually


def test_a_worker_outlives_redis_with_a_task_in_flight_and_takes_up_work_again(
    flaky_redis: FlakyRedis, start_worker: StartWorker
) -> None:
    hints = Hints(queue.make_app(Settings(redis_url=flaky_redis.url)))
    worker = start_worker(flaky_redis.url)
    hints.advance("sleep:1.5:in-flight")
    worker.wait_for("start")
    flaky_redis.kill()
    worker.wait_for("end")
    flaky_redis.start()
    hints.advance("sleep:0:afterwards")
    assert worker.wait_for("end", 2, within=5)[1].what == "sleep:0:afterwards"
    hints.close()


def test_a_worker_started_before_redis_waits_for_it(flaky_redis: FlakyRedis, start_worker: StartWorker) -> None:
    flaky_redis.kill()
    worker = start_worker(flaky_redis.url)
    time.sleep(0.5)
    flaky_redis.start()
    hints = Hints(queue.make_app(Settings(redis_url=flaky_redis.url)))
    hints.advance("sleep:0:x")
    worker.wait_for("end", within=5)
    hints.close()


def test_hints_without_redis_are_dropped_without_waiting_and_flow_again_by_themselves(flaky_redis: FlakyRedis) -> None:
    hints = Hints(queue.make_app(Settings(redis_url=flaky_redis.url)), room=50)
    flaky_redis.kill()
    began = time.monotonic()
    for number in range(1000):
        hints.advance(f"resp_{number}")
    assert time.monotonic() - began < 0.2
    eventually(lambda: not hints.healthy, within=5)
    assert hints.dropped >= 850
    flaky_redis.start()
    eventually(lambda: hints.healthy, within=5)
    hints.close()
