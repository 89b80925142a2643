"""Writes events with fastavro, as a Python load generator would, and says how long it took.

Arguments are Avro files, whose events are read beforehand and do not count.
"""

import io
import json
import sys
import time

import fastavro


def main():
    files = []
    for path in sys.argv[1:]:
        with open(path, "rb") as opened:
            reader = fastavro.reader(opened)
            files.append((fastavro.parse_schema(reader.writer_schema), list(reader)))
    began = time.process_time()
    for schema, events in files:
        fastavro.writer(io.BytesIO(), schema, events, codec="deflate")
    took = time.process_time() - began
    events = sum(len(events) for _, events in files)
    print(json.dumps({"events": events, "cpu_seconds": took, "events_per_second": events / took}))


main()
