"""Writes the tables of README.md and docs/architecture.md from target/bench/quota.json.

Each table stands between `<!-- quota:NAME -->` and `<!-- /quota -->`; what is between
them is replaced.
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[3]
OURS = "this project"


def line(cells):
    return "| " + " | ".join(cells) + " |"


def table(head, rows):
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def span(values, text):
    low, high = text(min(values)), text(max(values))
    return low if low == high else f"{low} to {high}"


def percent(value):
    return f"{100 * value:.1f}%"


def compared(report):
    """Each way over all loads, at the number of instances that all were measured at."""
    rows = report["rows"]
    instances = next(row["instances"] for row in rows if row["way"] != OURS)
    plain = [row for row in rows if row["scene"] == "sliding window"]
    ways = list(dict.fromkeys(row["way"] for row in plain))
    lines = []
    for way in ways:
        mine = [row for row in plain if row["way"] == way and row["instances"] == instances]
        values = lambda name: [row[name] for row in mine]
        lines.append([
            way,
            span(values("utilisation"), percent),
            span(values("throttled_ratio"), percent),
            span(values("over_quota_windows"), str),
            span(values("fullest_window"), percent),
        ])
    if "processes" in report:
        lines.append(real_time(report["processes"]))
    head = [f"{instances} instances", "quota used", "throttled", "windows over", "fullest window"]
    return table(head, lines)


def real_time(run):
    """The run of separate processes, of which only the fullest window is judged."""
    over = "0" if run["fullest_window"] <= 1 else "some"
    minutes = run["measured_secs_after_the_first_minute"] // 60
    return [
        f"{OURS}, {run['processes']} processes, {minutes} minutes of real time",
        percent(run["utilisation"]),
        percent(run["throttled_ratio"]),
        over,
        percent(run["fullest_window"]),
    ]


def ours(rows):
    lines = []
    for row in rows:
        if row["way"] == OURS:
            lines.append([
                str(row["instances"]),
                row["load"],
                row["scene"],
                percent(row["utilisation"]),
                str(row["over_quota_windows"]),
                percent(row["fullest_window"]),
                percent(row["fullest_window_with_others"]),
                f"{100 * row['throttled_ratio']:.2f}%",
                f"{row['p99_wait_secs']:.0f} s",
                f"{row['lease_calls_per_generation']:.3f}",
                str(row["busiest_second_of_an_item"]),
            ])
    head = [
        "instances", "load", "the account", "used", "windows over", "fullest", "with others",
        "throttled", "p99 wait", "updates a call", "updates a second",
    ]
    return table(head, lines)


def main():
    report = json.loads((ROOT / "target/bench/quota.json").read_text())
    tables = {"compared": compared(report), "ours": ours(report["rows"])}
    for name in ["README.md", "docs/architecture.md"]:
        path = ROOT / name
        between = re.compile(r"(<!-- quota:(\w+) -->\n).*?(\n<!-- /quota -->)", re.DOTALL)
        path.write_text(between.sub(lambda m: m[1] + tables[m[2]] + m[3], path.read_text()))


main()
