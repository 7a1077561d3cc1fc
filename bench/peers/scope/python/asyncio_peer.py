"""asyncio_peer.py - the rows of scope_bench that Python's own asyncio has something for.

A scope is a TaskGroup, a channel is a Queue, a value of the context is a ContextVar.
"""

import asyncio
import contextvars

from lines import BUNCH, GROUP, PARKED, Parking, measure, name_of

PEER = name_of(None)
VALUE = contextvars.ContextVar("VALUE")


async def nothing():
    pass


async def park():
    parking = Parking(PEER)
    gate = asyncio.Event()

    async def wait():
        parking.waiting += 1
        await gate.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(PARKED):
            group.create_task(wait())
        while parking.waiting < PARKED:
            await asyncio.sleep(0)
        parking.all_wait()
        gate.set()
    parking.all_ended()


def yields(fibers):
    async def turns(times):
        for _ in range(times):
            await asyncio.sleep(0)

    async def body(times, watch):
        async with asyncio.TaskGroup() as group:
            for _ in range(fibers):
                group.create_task(turns(times // fibers))
            watch.start()

    return body


async def spawn(times, _):
    async with asyncio.TaskGroup() as group:
        for _ in range(times // BUNCH):
            for _ in range(BUNCH):
                group.create_task(nothing())
            await asyncio.sleep(0)


async def spawn_await(times, _):
    for _ in range(times):
        await asyncio.create_task(nothing())


def groups(children):
    async def body(times, _):
        for _ in range(times // max(children, 1)):
            async with asyncio.TaskGroup() as group:
                for _ in range(children):
                    group.create_task(nothing())

    return body


def one_way(capacity):
    async def body(times, _):
        queue = asyncio.Queue(capacity)

        async def send_all():
            for i in range(times):
                await queue.put(i)

        async with asyncio.TaskGroup() as group:
            group.create_task(send_all())
            for _ in range(times):
                await queue.get()

    return body


async def ping_pong(times, _):
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def answer():
        for _ in range(times // 2):
            await back.put(await there.get())

    async with asyncio.TaskGroup() as group:
        group.create_task(answer())
        for i in range(times // 2):
            await there.put(i)
            assert await back.get() == i


async def ready(times, _):
    queue = asyncio.Queue(4)
    for i in range(times):
        await queue.put(i)
        assert await queue.get() == i


async def context_get(times, watch):
    VALUE.set(1)
    watch.start()
    assert sum(VALUE.get() for _ in range(times)) == times


async def with_frame(times, _):
    for _ in range(times):
        token = VALUE.set(1)
        VALUE.get()
        VALUE.reset(token)


async def hops(times, watch):
    async def pass_on(reader, writer, count):
        for _ in range(count):
            writer.write(await reader.readexactly(1))

    ended = asyncio.Event()

    async def other(reader, writer):
        try:
            await pass_on(reader, writer, times)
        except asyncio.IncompleteReadError:
            writer.close()
        ended.set()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    watch.start()
    writer.write(b"x")
    await pass_on(reader, writer, times // 2)
    writer.close()
    await ended.wait()
    server.close()


async def main():
    await park()
    await measure(PEER, "yield", 200_000, yields(2))
    await measure(PEER, "yield_1k", 200_000, yields(1000))
    await measure(PEER, "spawn", 64_000, spawn)
    await measure(PEER, "spawn_await", 50_000, spawn_await)
    await measure(PEER, "scope_empty", 100_000, groups(0))
    await measure(PEER, "scope_spawn", 30_000, groups(1))
    await measure(PEER, "scope_spawn_100", 50_000, groups(GROUP))
    await measure(PEER, "chan_ping_pong", 50_000, ping_pong)
    await measure(PEER, "chan_buffered", 200_000, one_way(64))
    await measure(PEER, "chan_ready", 200_000, ready)
    await measure(PEER, "context_get", 1_000_000, context_get)
    await measure(PEER, "with", 500_000, with_frame)
    await measure(PEER, "conn_hop", 10_000, hops)


asyncio.run(main())
