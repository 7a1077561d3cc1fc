"""table.py - the lines of ours and of peers, as one table of Markdown.

Reads lines of JSON; those without a peer are ours. A line of the table is one peer in one metric:
what we took, what it took, and how many times ours that is. With --columns it is one metric, and
each peer has a column. Lines of several rounds become one: the median of their medians, the least
and the most of all. A metric on another number of `workers` is another metric. Peers that could not
be measured come below the table, with the reason.
"""

import json
import statistics
import sys


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def spread(row):
    text = number(row["median"])
    if row["min"] < row["max"]:
        text += f" [{number(row['min'])}-{number(row['max'])}]"
    if "fibers" in row:
        text += f" of {row['fibers']:,}"
    if "depth" in row:
        text += f" at depth {row['depth']}"
    return text


def named(row):
    workers = row.get("workers")
    if not workers:
        return row["metric"]
    return f"{row['metric']}, {workers} worker" + ("s" if workers > 1 else "")


def read(lines):
    """The rounds of each peer (None: ours) in each metric, and who could not be measured."""
    metrics, unmeasured = {}, {}
    for text in lines:
        row = json.loads(text)
        if "unmeasured" in row:
            unmeasured[row["peer"]] = row["unmeasured"]
        else:
            metrics.setdefault(named(row), {}).setdefault(row.get("peer"), []).append(row)
    return metrics, unmeasured


def merged(rounds):
    return rounds[0] | {
        "runs": sum(row["runs"] for row in rounds),
        "median": statistics.median(row["median"] for row in rounds),
        "min": min(row["min"] for row in rounds),
        "max": max(row["max"] for row in rounds),
    }


def table(metrics):
    yield "| metric | unit | Hypha | peer | it takes | times ours |"
    yield "|---|---|---:|---|---:|---:|"
    for metric, peers in metrics.items():
        rows = {peer: merged(rounds) for peer, rounds in peers.items()}
        unit = next(iter(rows.values()))["unit"]
        ours = rows.pop(None, None)
        name, mine = metric, spread(ours) if ours else "-"
        for peer, row in rows.items():
            times = number(row["median"] / ours["median"]) if ours and ours["median"] else "-"
            yield f"| {name} | {unit} | {mine} | {peer} | {spread(row)} | {times} |"
            name = unit = mine = ""
        if not rows:
            yield f"| {name} | {unit} | {mine} | - | - | - |"


def columns(metrics):
    peers = list(dict.fromkeys(peer for rows in metrics.values() for peer in rows))
    peers.sort(key=lambda peer: peer is not None)
    ordered = sorted(metrics.items(), key=lambda item: item[0].split(", ")[1:])
    shared = [item for item in ordered if set(item[1]) != {None}]
    yield from matrix(shared, peers)
    yield "\nRows that no peer has:\n"
    yield from matrix([item for item in ordered if item not in shared], [None])


def matrix(metrics, peers):
    yield "| metric | unit | " + " | ".join(peer or "Hypha" for peer in peers) + " |"
    yield "|---|---|" + "---:|" * len(peers)
    for metric, rounds in metrics:
        rows = {peer: merged(lines) for peer, lines in rounds.items()}
        unit = next(iter(rows.values()))["unit"]
        ours = rows.get(None, {"median": 0})["median"]
        cells = [cell(rows.get(peer), ours) for peer in peers]
        yield f"| {metric} | {unit} | " + " | ".join(cells) + " |"


def cell(row, ours):
    if not row:
        return "-"
    text = number(row["median"])
    return f"{text} ({number(row['median'] / ours)}x)" if ours and row.get("peer") else text


def main():
    metrics, unmeasured = read(sys.stdin)
    print("\n".join((columns if "--columns" in sys.argv else table)(metrics)))
    if unmeasured:
        print("\nNot measured:\n")
    for peer, why in unmeasured.items():
        print(f"- {peer}: {why}")


main()
