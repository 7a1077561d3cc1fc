"""lines.py - a row: run it so often, and print the line that bench.c prints."""

import gc
import importlib.metadata
import json
import platform
import time

RUNS = 7
PARKED = 100_000
GROUP = 100
BUNCH = 64


def name_of(package):
    python = f"Python {platform.python_version()}"
    if package is None:
        return f"asyncio, {python}"
    return f"{package} {importlib.metadata.version(package)}, {python}"


def line(peer, metric, unit, values, **extra):
    values = sorted(values)
    median = values[len(values) // 2]
    row = {"bench": "scope", "metric": metric, "value": median, "unit": unit, "runs": len(values)}
    row |= {"min": values[0], "median": median, "max": values[-1], **extra, "peer": peer}
    print(json.dumps(row), flush=True)


class Watch:
    """When a row began; a row that has to make ready first starts it again."""

    def start(self):
        self.since = time.perf_counter()

    def seconds(self):
        return time.perf_counter() - self.since


async def measure(peer, metric, times, body):
    values = []
    for _ in range(RUNS):
        gc.collect()
        watch = Watch()
        watch.start()
        await body(times, watch)
        values.append(watch.seconds() * 1e9 / times)
    line(peer, metric, "ns", values)


def resident():
    """Resident memory of this process with its page tables, in bytes."""
    with open("/proc/self/status") as status:
        pairs = [row.split(":") for row in status]
    return sum(int(value.split()[0]) * 1024 for key, value in pairs if key in ("VmRSS", "VmPTE"))


class Parking:
    """How long PARKED tasks take to start and to end, and what each holds meanwhile."""

    def __init__(self, peer):
        gc.collect()
        self.peer, self.waiting = peer, 0
        self.before, self.watch = resident(), Watch()
        self.watch.start()

    def all_wait(self):
        self.line("park", "ns", self.watch.seconds() * 1e9)
        self.line("parked_bytes", "bytes", resident() - self.before)
        self.watch.start()

    def all_ended(self):
        self.line("wake", "ns", self.watch.seconds() * 1e9)

    def line(self, metric, unit, value):
        line(self.peer, metric, unit, [value / PARKED], fibers=PARKED)
