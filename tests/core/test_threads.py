import asyncio
import threading

import anyio
import pytest

from mcpkit.core.threads import WorkerThreads


def test_a_function_that_outlives_the_event_loop_ends_with_its_thread() -> None:
    release, started = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def hang() -> None:
        threads.append(threading.current_thread())
        started.set()
        release.wait(10)

    async def abandon() -> None:
        workers = WorkerThreads(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(workers.run, hang)
            with anyio.fail_after(5):
                while not started.is_set():
                    await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(abandon())
    release.set()  # it finishes while the loop has stopped and is not closed: nobody answers it
    threads[0].join(0.2)
    loop.close()
    threads[0].join(5)

    assert not threads[0].is_alive()


@pytest.mark.anyio
async def test_an_abandoned_function_keeps_its_place_until_it_returns() -> None:
    release = threading.Event()
    workers = WorkerThreads(1)
    with anyio.move_on_after(0.1):
        await workers.run(lambda: release.wait(10))
    busy = workers.busy
    release.set()
    with anyio.fail_after(5):
        answer = await workers.run(lambda: "next")

    assert (busy, answer, workers.busy) == (1, "next", 0)
