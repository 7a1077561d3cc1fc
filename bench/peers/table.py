"""table.py - the lines of ours and of peers, as one table of Markdown.

Reads lines of JSON; those without a peer are ours. A line of the table is one peer in one metric:
what we took, what it took, and how many times ours that is. Peers that could not be measured come
below it, with the reason.
"""

import json
import sys


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def spread(row):
    text = number(row["median"])
    if row["runs"] > 1:
        text += f" [{number(row['min'])}-{number(row['max'])}]"
    if "fibers" in row:
        text += f" of {row['fibers']:,}"
    if "depth" in row:
        text += f" at depth {row['depth']}"
    return text


def read(lines):
    metrics, unmeasured = {}, []
    for text in lines:
        row = json.loads(text)
        if "unmeasured" in row:
            unmeasured.append(row)
        else:
            metrics.setdefault(row["metric"], []).append(row)
    return metrics, unmeasured


def table(metrics):
    yield "| metric | unit | Hypha | peer | it takes | times ours |"
    yield "|---|---|---:|---|---:|---:|"
    for metric, rows in metrics.items():
        ours = next((row for row in rows if "peer" not in row), None)
        name, mine = metric, spread(ours) if ours else "-"
        for row in [row for row in rows if "peer" in row] or [None]:
            theirs = ["-", "-", "-"]
            if row:
                times = number(row["median"] / ours["median"]) if ours and ours["median"] else "-"
                theirs = [row["peer"], spread(row), times]
            yield f"| {' | '.join([name, rows[0]['unit'], mine, *theirs])} |"
            name = mine = ""


def main():
    metrics, unmeasured = read(sys.stdin)
    print("\n".join(table(metrics)))
    if unmeasured:
        print("\nNot measured:\n")
    for row in unmeasured:
        print(f"- {row['peer']}: {row['unmeasured']}")


main()
