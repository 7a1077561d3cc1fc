"""anyio_peer.py - the rows of scope_bench that trio and anyio have something for.

    anyio_peer.py trio     trio by itself
    anyio_peer.py anyio    anyio on asyncio

Their words are nearly the same: a scope is a nursery or a task group, a channel is a memory
channel or an object stream. A task has no handle to wait for.
"""

import sys

from lines import BUNCH, GROUP, PARKED, Parking, measure, name_of

PEER = name_of(sys.argv[1])

if sys.argv[1] == "trio":
    import trio as library
    from trio.lowlevel import checkpoint

    open_group = library.open_nursery
    open_channel = library.open_memory_channel
    connect = library.open_tcp_stream
else:
    import anyio as library
    from anyio.lowlevel import checkpoint

    open_group = library.create_task_group
    open_channel = library.create_memory_object_stream
    connect = library.connect_tcp


async def nothing():
    pass


async def park():
    parking = Parking(PEER)
    gate = library.Event()

    async def wait():
        parking.waiting += 1
        await gate.wait()

    async with open_group() as group:
        for _ in range(PARKED):
            group.start_soon(wait)
        while parking.waiting < PARKED:
            await checkpoint()
        parking.all_wait()
        gate.set()
    parking.all_ended()


def yields(fibers):
    async def turns(times):
        for _ in range(times):
            await checkpoint()

    async def body(times, watch):
        async with open_group() as group:
            for _ in range(fibers):
                group.start_soon(turns, times // fibers)
            watch.start()

    return body


async def spawn(times, _):
    async with open_group() as group:
        for _ in range(times // BUNCH):
            for _ in range(BUNCH):
                group.start_soon(nothing)
            await checkpoint()


def groups(children):
    async def body(times, _):
        for _ in range(times // max(children, 1)):
            async with open_group() as group:
                for _ in range(children):
                    group.start_soon(nothing)

    return body


def one_way(capacity):
    async def body(times, _):
        there, received = open_channel(capacity)

        async def send_all():
            async with there:
                for i in range(times):
                    await there.send(i)

        async with open_group() as group:
            group.start_soon(send_all)
            async for _ in received:
                pass
        await received.aclose()

    return body


async def ping_pong(times, _):
    there, asked = open_channel(1)
    answers, back = open_channel(1)

    async def answer():
        async for item in asked:
            await answers.send(item)

    async with open_group() as group, back, answers, asked:
        group.start_soon(answer)
        async with there:
            for i in range(times // 2):
                await there.send(i)
                assert await back.receive() == i
        await checkpoint()


async def ready(times, _):
    there, received = open_channel(4)
    async with there, received:
        for i in range(times):
            await there.send(i)
            assert await received.receive() == i


async def main():
    await park()
    await measure(PEER, "yield", 100_000, yields(2))
    await measure(PEER, "yield_1k", 100_000, yields(1000))
    await measure(PEER, "spawn", 32_000, spawn)
    await measure(PEER, "scope_empty", 50_000, groups(0))
    await measure(PEER, "scope_spawn", 20_000, groups(1))
    await measure(PEER, "scope_spawn_100", 30_000, groups(GROUP))
    await measure(PEER, "chan_rendezvous", 30_000, one_way(0))
    await measure(PEER, "chan_ping_pong", 20_000, ping_pong)
    await measure(PEER, "chan_buffered", 50_000, one_way(64))
    await measure(PEER, "chan_ready", 50_000, ready)


library.run(main)
