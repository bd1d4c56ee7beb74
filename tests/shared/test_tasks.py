"""A background task ends, even one that overhears that it should."""

import asyncio

from shared import tasks


def test_a_task_that_swallows_a_cancellation_ends_at_the_next() -> None:
    async def deaf(times: int) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                times -= 1
                if times < 0:
                    raise

    async def main() -> list[bool]:
        loops = [asyncio.create_task(deaf(times)) for times in (0, 1, 2)]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await tasks.end(loops)
        return [task.cancelled() for task in loops]

    assert asyncio.run(main()) == [True, True, True]


def test_a_task_that_has_ended_badly_is_ended() -> None:
    async def fail() -> None:
        raise KeyError

    async def main() -> bool:
        task = asyncio.create_task(fail())
        await tasks.end([task])
        return task.done()

    assert asyncio.run(main())
