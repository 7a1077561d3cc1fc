"""chart.py - the lines of ours and of peers as one picture: a panel of bars for each metric.

Reads lines of JSON as table.py does and writes SVG. Each peer has a bar for each number of workers,
the paler one being the smaller number; the shorter the better, in all metrics. Where a panel's
figures lie more than a factor of 20 apart its scale is logarithmic, with a line at each power of
ten, and says so. The colours follow the page, light or dark; nothing but this file is needed.
"""

import html
import json
import math
import statistics
import sys

TITLES = {
    "pingpong": "A message there and one back",
    "spawn": "Starting an actor, one by one",
    "spawn_1m": "Starting a million, each",
    "idle_bytes": "Memory of an idle actor, of a million",
    "supervised_bytes": "Memory of an idle supervised actor",
    "enqueue": "Sending alone",
    "stream": "One sender, one receiver, a message",
    "n_to_1_1": "1 sender to one, a message",
    "n_to_1_2": "2 senders to one, a message",
    "n_to_1_4": "4 senders to one, a message",
    "n_to_1_8": "8 senders to one, a message",
    "ask": "A question with a timeout, and its answer",
    "broadcast_1": "To 1 subscriber, each",
    "broadcast_10": "To 10 subscribers, each",
    "broadcast_100": "To 100 subscribers, each",
    "broadcast_1000": "To 1,000 subscribers, each",
    "restart": "From failing to the next message handled",
    "threadring": "A token round 100 actors, a hop",
    "count": "Counting to a million, a message",
    "forkjoin_create": "40,000 started, one message each, ended",
    "forkjoin_throughput": "10,000 messages to each of 60, a message",
    "fib": "Fibonacci of 25 by actors",
    "bounded_buffer": "40 producers, 40 consumers, an item",
    "philosophers": "20 philosophers, a meal",
    "skynet_1m": "A tree of a million leaves, added up",
    "timer_churn": "Arming a timer and stopping it",
    "twin_spawn": "AirsSys' own: an actor object made",
    "twin_process": "AirsSys' own: a handler called",
    "twin_roundtrip": "AirsSys' own: hub made, publish, receive",
    "twin_throughput": "AirsSys' own: publish and receive",
    "twin_mailbox": "AirsSys' own: put into a mailbox",
    "twin_broadcast": "AirsSys' own: hub made, each of 10",
    "twin_supervised_spawn": "AirsSys' own: supervisor made, one child",
}

STYLE = """
text { font: 11px system-ui, sans-serif; fill: #475569 }
.mark { font-size: 9px }
.title { font-size: 13px; font-weight: 600; fill: #0f172a }
.head { font-size: 18px; font-weight: 600; fill: #0f172a }
.scale { stroke: #cbd5e1; stroke-width: 1 }
.ours { fill: #0d9488 } .peer { fill: #94a3b8 } .few { opacity: .5 }
.mine { fill: #0f766e; font-weight: 600 }
.page { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #94a3b8 } .title, .head { fill: #f1f5f9 } .scale { stroke: #334155 }
  .ours { fill: #2dd4bf } .peer { fill: #64748b } .mine { fill: #5eead4 } .page { fill: #0f172a }
}
"""

COLUMNS, WIDTH, GAP, TOP = 3, 400, 28, 78
NAME, ROOM = 92, 62  # what names take on the left, and values on the right
BAR, LINE, HEAD = 9, 15, 40


def number(value):
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    if value >= 10000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def read(lines):
    """Metric -> unit, peer -> workers (0: not said) -> median of the rounds' medians."""
    metrics = {}
    for text in lines:
        row = json.loads(text)
        if "unmeasured" in row or row["metric"] not in TITLES:
            continue
        unit, peers = metrics.setdefault(row["metric"], (row["unit"], {}))
        if "peer" not in row:  # ours come first
            metrics[row["metric"]] = unit, peers = unit, {"Hypha": peers.pop("Hypha", {})} | peers
        workers = peers.setdefault(row.get("peer", "Hypha"), {})
        workers.setdefault(row.get("workers", 0), []).append(row["median"])
    for _, peers in metrics.values():
        for workers in peers.values():
            for count, values in workers.items():
                workers[count] = statistics.median(values)
    return metrics


class Scale:
    def __init__(self, values):
        values = [value for value in values if value > 0] or [1]
        self.width = WIDTH - NAME - ROOM
        self.high = max(values)
        self.log = self.high > 20 * min(values)
        self.low = 10 ** math.floor(math.log10(min(values)) - 0.05) if self.log else 0

    def at(self, value):
        if not self.log:
            return self.width * value / self.high
        if value <= self.low:
            return 0
        return self.width * math.log(value / self.low) / math.log(self.high / self.low)

    def marks(self):
        mark = self.low * 10
        while self.log and mark < self.high:
            yield mark
            mark *= 10


def panel(metric, unit, peers, x, y):
    scale = Scale([value for workers in peers.values() for value in workers.values()])
    kind = f"{unit}, logarithmic" if scale.log else unit
    yield f'<text class="title" x="{x}" y="{y + 12}">{html.escape(TITLES[metric])}</text>'
    yield f'<text x="{x}" y="{y + 27}">{metric}, {kind}</text>'
    bottom = y + height(peers) - 6
    marks = list(scale.marks())
    named = marks[:: len(marks) // 4 + 1]
    for mark in marks:
        at = x + NAME + scale.at(mark)
        yield f'<line class="scale" x1="{at:.1f}" x2="{at:.1f}" y1="{y + 34}" y2="{bottom}"/>'
        if mark in named:
            yield f'<text class="mark" x="{at + 2:.1f}" y="{bottom + 3}">{number(mark)}</text>'
    y += HEAD
    for peer, workers in peers.items():
        ours = peer == "Hypha"
        middle = y + len(workers) * LINE / 2 + 2
        name = html.escape(peer.split(" on ")[0])
        yield f'<text class="{"mine" if ours else "name"}" x="{x}" y="{middle:.1f}">{name}</text>'
        for count, value in sorted(workers.items(), reverse=True):
            style = ("ours" if ours else "peer") + (" few" if 0 < count < max(workers) else "")
            length = max(scale.at(value), 1.5)
            yield (
                f'<rect class="{style}" x="{x + NAME}" y="{y:.1f}" width="{length:.1f}" '
                f'height="{BAR}" rx="1.5"/>'
            )
            label = number(value)
            yield f'<text x="{x + NAME + length + 5:.1f}" y="{y + BAR:.1f}">{label}</text>'
            y += LINE
        y += 4


def height(peers):
    return HEAD + sum(len(workers) * LINE + 4 for workers in peers.values()) + 8


def picture(metrics):
    body, depths = [], [TOP] * COLUMNS
    for metric in [name for name in TITLES if name in metrics]:
        unit, peers = metrics[metric]
        column = depths.index(min(depths))
        body += panel(metric, unit, peers, GAP + column * (WIDTH + GAP), depths[column])
        depths[column] += height(peers) + GAP
    wide, deep = GAP + COLUMNS * (WIDTH + GAP), max(depths)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {deep}" width="{wide}">'
    yield f"<style>{STYLE}</style>"
    yield f'<rect class="page" width="{wide}" height="{deep}"/>'
    yield f'<text class="head" x="{GAP}" y="34">Actors, side by side on one machine</text>'
    yield (
        f'<text x="{GAP}" y="54">Shorter is better. The full bar is on two workers, the paler one on '
        "one; a single bar is of a row that workers make no difference to.</text>"
    )
    yield from body
    yield "</svg>"


if __name__ == "__main__":
    print("\n".join(picture(read(sys.stdin))))
