"""Prints the members of aggregated stream records, one file each, as JSON.

Uses aws_kinesis_agg, which shares nothing with the code under test.
"""

import base64
import json
import pathlib
import sys

from aws_kinesis_agg.deaggregator import deaggregate_records


def members(data):
    record = {"kinesis": {
        "data": base64.b64encode(data).decode(),
        "partitionKey": "outer",
        "kinesisSchemaVersion": "1.0",
        "sequenceNumber": "1",
        "approximateArrivalTimestamp": 0,
    }}
    found = [member["kinesis"] for member in deaggregate_records([record])]
    return [
        [member["partitionKey"], member.get("explicitHashKey"), base64.b64decode(member["data"]).decode()]
        for member in found
    ]


folder = pathlib.Path(sys.argv[1])
files = sorted(folder.iterdir(), key=lambda path: int(path.name))
json.dump([members(path.read_bytes()) for path in files], sys.stdout)
