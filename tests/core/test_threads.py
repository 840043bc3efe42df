import asyncio
import threading

import anyio
import anyio.from_thread
import anyio.lowlevel
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


@pytest.mark.anyio
async def test_a_function_whose_call_was_cancelled_before_it_began_never_runs() -> None:
    ran = threading.Event()
    workers = WorkerThreads(1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await workers.run(ran.set)

    assert scope.cancelled_caught
    assert (workers.busy, ran.is_set()) == (0, False)


@pytest.mark.anyio
async def test_threads_of_ones_own_run_while_all_default_threads_are_busy() -> None:
    shared = anyio.to_thread.current_default_thread_limiter()
    before, shared.total_tokens = shared.total_tokens, 1
    await shared.acquire_on_behalf_of("another plugin")
    try:
        with anyio.fail_after(5):
            answer = await WorkerThreads(1).run(lambda: "own")
    finally:
        shared.release_on_behalf_of("another plugin")
        shared.total_tokens = before

    assert answer == "own"


@pytest.mark.anyio
async def test_a_function_that_fails_gives_its_place_back() -> None:
    workers = WorkerThreads(1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), anyio.fail_after(5):
            await workers.run(lambda: 1 / 0)

    assert (workers.busy, workers.total) == (0, 1)


@pytest.mark.anyio
async def test_a_function_lends_its_place_to_one_at_a_time_of_those_it_waits_for() -> None:
    workers, lock, most = WorkerThreads(1), threading.Lock(), 0

    def alone() -> None:
        nonlocal most
        assert lock.acquire(blocking=False)
        most += 1
        lock.release()

    async def several() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(workers.run, lambda: anyio.from_thread.run(workers.run, alone))

    with anyio.fail_after(5):
        await workers.run(lambda: anyio.from_thread.run(several))

    assert (most, workers.busy) == (5, 0)


@pytest.mark.anyio
async def test_a_task_that_outlives_its_function_waits_for_a_place_of_its_own() -> None:
    workers, ended, release = WorkerThreads(1), anyio.Event(), threading.Event()
    order: list[str] = []

    async def later() -> None:
        await ended.wait()
        await workers.run(lambda: order.append("later"))

    def wait() -> None:
        release.wait(10)
        order.append("other")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            await workers.run(lambda: anyio.from_thread.run_sync(tasks.start_soon, later))
            tasks.start_soon(workers.run, wait)
            while not workers.busy:
                await anyio.lowlevel.checkpoint()
            ended.set()
            await anyio.wait_all_tasks_blocked()
            release.set()

    assert order == ["other", "later"]
