"""Writes the tables of docs/measurements.md, and that of README.md, from what `make bench`
wrote to target/bench; and those that the code itself tells: of failures in docs/failures.md
(target/failures.md), of Liquid in docs/liquid.md (target/liquid.md), of counters in
docs/metrics.md (target/metrics.md).

Each table stands between `<!-- FILE:NAME -->` and `<!-- /FILE -->`, where FILE.json is what
it is made of; what is between them is replaced. Where there is no such file, it stays.
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = ["README.md", "docs/measurements.md"]
OURS = "this project"
BARE = "no limiter, SDK's "


def line(cells):
    return "| " + " | ".join(cells) + " |"


def table(head, rows):
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def span(values, text):
    low, high = text(min(values)), text(max(values))
    return low if low == high else f"{low} to {high}"


def percent(value):
    return f"{100 * value:.1f}%"


def ways(report):
    """Rows of each way over all loads, at the number of instances that all were measured at."""
    rows = report["rows"]
    instances = next(row["instances"] for row in rows if row["way"] != OURS)
    by_way = {}
    for row in rows:
        if row["scene"] == "sliding window" and row["instances"] == instances:
            by_way.setdefault(row["way"], []).append(row)
    return instances, by_way


def of_way(way, rows):
    values = lambda name: [row[name] for row in rows]
    return [
        way,
        span(values("utilisation"), percent),
        span(values("throttled_ratio"), percent),
        span(values("over_quota_windows"), str),
    ]


def compared(report):
    instances, by_way = ways(report)
    lines = []
    for way, rows in by_way.items():
        fullest = span([row["fullest_window"] for row in rows], percent)
        lines.append([*of_way(way, rows), fullest])
    if "processes" in report:
        lines.append(real_time(report["processes"]))
    head = [f"{instances} instances", "quota used", "throttled", "windows over", "fullest window"]
    return table(head, lines)


def short(report):
    """This project beside what the SDK does by itself."""
    instances, by_way = ways(report)
    lines = [
        of_way(way, rows)
        for way, rows in by_way.items()
        if way == OURS or way.startswith(BARE)
    ]
    head = [f"{instances} instances", "quota used", "throttled", "windows over"]
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


def ours(report):
    lines = []
    for row in report["rows"]:
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
                f"{row['table_calls_per_generation']:.3f}",
                str(row["busiest_second_of_an_item"]),
            ])
    head = [
        "instances", "load", "the account", "used", "windows over", "fullest", "with others",
        "throttled", "p99 wait", "updates a call", "updates a second",
    ]
    return table(head, lines)


def whole_runs(report):
    lines = []
    for run in report["runs"]:
        lines.append([
            f"{run['events']:,}",
            f"{run['seconds']:.1f} s",
            f"{run['cpu_seconds']:.0f} s",
            f"{run['events_per_second_end_to_end']:,.0f}/s",
            f"{run['peak_rss_mb']:,.0f} MB",
            f"{run['contents_stored']:,}",
            str(run["lost"]),
        ])
    head = ["events", "time", "processor time", "end to end", "memory, at most", "contents", "lost"]
    return table(head, lines)


def generated(report):
    lines = []
    for row in report["rows"]:
        lines.append([
            row["traffic"],
            row["codec"],
            f"{row['events_per_second']:,.0f}/s",
            f"{row['bytes_per_event']:.0f}",
        ])
    python = report["python"]["events_per_second"]
    lines.append(["six types, encoded only, by fastavro", "deflate", f"{python:,.0f}/s", ""])
    return table(["events", "codec", "one core", "bytes an event"], lines)


TABLES = {
    ("quota", "compared"): compared,
    ("quota", "short"): short,
    ("quota", "ours"): ours,
    ("scale", "runs"): whole_runs,
    ("generate", "speed"): generated,
}


def replaced(match):
    path = ROOT / f"target/bench/{match[2]}.json"
    if not path.exists():
        return match[0]
    return f"{match[1]}{TABLES[match[2], match[3]](json.loads(path.read_text()))}\n{match[4]}"


def made_by_code(name, document):
    """Puts target/NAME.md between the marks of a document."""
    made, path = ROOT / f"target/{name}.md", ROOT / document
    if not made.exists():
        return
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    head, rest = path.read_text().split(start)
    path.write_text(f"{head}{start}\n{made.read_text()}\n{end}{rest.split(end)[1]}")


def main():
    made_by_code("failures", "docs/failures.md")
    made_by_code("liquid", "docs/liquid.md")
    made_by_code("metrics", "docs/metrics.md")
    between = re.compile(r"(<!-- (\w+):(\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)
    for path in (ROOT / name for name in DOCUMENTS):
        text = path.read_text()
        if (new := between.sub(replaced, text)) != text:
            path.write_text(new)


main()
