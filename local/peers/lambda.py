"""The pipeline as one Python function: fastavro, one Converse call for each event, PutItem.

Started with `all` or `asking` (events that ask for content alone) and Currents files, it
processes them one after the other, as one instance of the function does, and prints events,
calls and seconds as one line of JSON. `ingest/peers` and `api/peers` pin what it needs.
"""

import json
import os
import pathlib
import sys
import time

import boto3
import fastavro
from botocore.config import Config

ROOT = pathlib.Path(__file__).parents[2]
SCHEMA = (ROOT / "campaign/tests/campaigns/new-episode/answer.schema.json").read_text()
SYSTEM = (ROOT / "campaign/tests/campaigns/new-episode/system.liquid").read_text()
MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
CAMPAIGN = "new-episode"
TTL_SECS = 30 * 24 * 3600

config = Config(retries={"total_max_attempts": 2})
bedrock = boto3.client("bedrock-runtime", config=config)
dynamodb = boto3.client("dynamodb", config=config)
table = os.environ["CONTENT_TABLE"]


def asks(event):
    return event.get("name") == "episode_watched"


def prompt(event):
    properties = json.loads(event.get("properties") or "{}")
    return (
        f'<events>\n- watched: show "{properties.get("show", "")}", season {properties.get("season")}, '
        f'episode {properties.get("episode")}, language {properties.get("language", "en")}\n</events>\n\n'
        "The viewer has just watched this episode. Invite them to the next one."
    )


def generate(event):
    answer = bedrock.converse(
        modelId=MODEL,
        system=[{"text": SYSTEM}],
        messages=[{"role": "user", "content": [{"text": prompt(event)}]}],
        inferenceConfig={"maxTokens": 400, "temperature": 0.7},
        outputConfig={"textFormat": {"type": "json_schema", "structure": {
            "jsonSchema": {"name": CAMPAIGN, "schema": SCHEMA}}}},
    )
    return json.loads(answer["output"]["message"]["content"][0]["text"])


def attribute(value):
    if isinstance(value, dict):
        return {"M": {name: attribute(inner) for name, inner in value.items()}}
    return {"S": value}


def store(user_id, content):
    dynamodb.put_item(TableName=table, Item={
        "user_id": {"S": user_id},
        "item": {"S": f"content#{CAMPAIGN}"},
        "data": attribute(content),
        "expires_at": {"N": str(int(time.time()) + TTL_SECS)},
    })


def handle(path, every_event):
    events = calls = 0
    with open(path, "rb") as file:
        for event in fastavro.reader(file):
            events += 1
            if every_event or asks(event):
                store(event["user_id"], generate(event))
                calls += 1
    return events, calls


def main(which, paths):
    start, cpu = time.perf_counter(), time.process_time()
    handled = [handle(path, which == "all") for path in paths]
    print(json.dumps({
        "events": sum(events for events, _ in handled),
        "calls": sum(calls for _, calls in handled),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
    }))


main(sys.argv[1], sys.argv[2:])
