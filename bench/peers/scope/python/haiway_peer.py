"""haiway_peer.py - the rows of scope_bench and cache_bench that haiway has something for.

Haiway is where scopes and the helpers of flow began; it runs on asyncio. Its scopes carry a trace
and a logger, which is switched off here; a nested scope that has to wait for its own tasks is an
isolated one. `with` is ctx.updating, `context_get` is ctx.state of a bound state.
"""

import asyncio
import logging

from haiway import AsyncStream, State, cache, ctx, process_concurrently

from lines import BUNCH, GROUP, measure, name_of

PEER = name_of("haiway")
DEPTH = 16


class Value(State):
    number: int = 1


async def nothing():
    pass


async def spawn(times, _):
    async with ctx.scope("spawn", isolated=True):
        for _ in range(times // BUNCH):
            for _ in range(BUNCH):
                ctx.spawn(nothing)
            await asyncio.sleep(0)


async def spawn_await(times, _):
    for _ in range(times):
        await ctx.spawn(nothing)


def scopes(children):
    async def body(times, _):
        for _ in range(times // max(children, 1)):
            async with ctx.scope("scope", isolated=True):
                for _ in range(children):
                    ctx.spawn(nothing)

    return body


async def rendezvous(times, _):
    stream = AsyncStream()

    async def send_all():
        for i in range(times):
            await stream.send(i)
        stream.finish()

    task = asyncio.create_task(send_all())
    async for _ in stream:
        pass
    await task


async def map_each(times, _):
    async def handle(_):
        pass

    await process_concurrently(range(times), handle, concurrent_tasks=8)


async def bus(times, watch):
    async with ctx.scope("bus", isolated=True):
        subscription = ctx.subscribe(Value)

        async def send_all():
            for i in range(times):
                ctx.send(Value(number=i))
                await asyncio.sleep(0)

        watch.start()
        ctx.spawn(send_all)
        for _ in range(times):
            await anext(subscription)


async def deeper(depth, body):
    if depth == 0:
        return await body()
    async with ctx.scope("deeper"):
        return await deeper(depth - 1, body)


async def context_get(times, watch):
    async def body():
        watch.start()
        for _ in range(times):
            ctx.state(Value)

    async with ctx.scope("context", Value()):
        await deeper(DEPTH, body)


async def with_frame(times, _):
    value = Value()
    for _ in range(times):
        with ctx.updating(value):
            ctx.state(Value)


async def cache_hit(times, watch):
    @cache(limit=5000)
    async def load(key):
        return key

    for key in range(5000):
        await load(key)
    watch.start()
    for i in range(times):
        await load(i % 5000)


async def main():
    async with ctx.scope("main", Value()):
        await measure(PEER, "spawn", 64_000, spawn)
        await measure(PEER, "spawn_await", 30_000, spawn_await)
        await measure(PEER, "scope_empty", 10_000, scopes(0))
        await measure(PEER, "scope_spawn", 10_000, scopes(1))
        await measure(PEER, "scope_spawn_100", 30_000, scopes(GROUP))
        await measure(PEER, "chan_rendezvous", 50_000, rendezvous)
        await measure(PEER, "map_each", 30_000, map_each)
        await measure(PEER, "bus", 50_000, bus)
        await measure(PEER, "context_get", 300_000, context_get)
        await measure(PEER, "with", 100_000, with_frame)
        await measure(PEER, "cache_hit_5k", 200_000, cache_hit)


logging.disable(logging.CRITICAL)
asyncio.run(main())
