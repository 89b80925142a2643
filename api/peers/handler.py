"""The same look-up as a Python function: boto3, one GetItem, Basic credentials.

Started with two numbers it looks so many users up, out of so many, and prints what
that took as one line of JSON.
"""

import base64
import hmac
import json
import os
import sys
import time

import boto3
from botocore.config import Config

CAMPAIGN = "new-episode"

config = Config(connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 2})
dynamodb = boto3.client("dynamodb", config=config)
secrets = boto3.client("secretsmanager", config=config)
table = os.environ["CONTENT_TABLE"]
secret = json.loads(
    secrets.get_secret_value(SecretId=os.environ["CREDENTIALS_SECRET_ARN"])["SecretString"]
)
expected = base64.b64encode(f"{secret['username']}:{secret['password']}".encode()).decode()


def answer(status, body):
    headers = {"content-type": "application/json", "cache-control": "private, max-age=60"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


def handler(event, context):
    given = event["headers"].get("authorization", "")
    if not hmac.compare_digest(given, f"Basic {expected}"):
        return answer(401, {"error": {"code": "unauthorized", "message": "send credentials"}})
    user_id = event["queryStringParameters"]["user_id"]
    campaign = event["queryStringParameters"].get("campaign", CAMPAIGN)
    found = dynamodb.get_item(
        TableName=table,
        Key={"user_id": {"S": user_id}, "item": {"S": f"content#{campaign}"}},
        ProjectionExpression="#data, #expires_at",
        ExpressionAttributeNames={"#data": "data", "#expires_at": "expires_at"},
    )
    item = found.get("Item")
    if item is None or int(item["expires_at"]["N"]) <= time.time():
        return answer(404, {"error": {"code": "no_content", "message": "no content"}})
    return answer(200, {"Item": {"data": item["data"], "user_id": {"S": user_id}}})


def measure(lookups, users):
    headers = {"authorization": f"Basic {expected}"}
    events = [
        {"headers": headers, "queryStringParameters": {"user_id": f"{n:024x}", "campaign": CAMPAIGN}}
        for n in range(users)
    ]
    for event in events[:200]:
        handler(event, None)
    latencies = []
    began = time.process_time()
    for n in range(lookups):
        start = time.perf_counter()
        assert handler(events[n % users], None)["statusCode"] == 200
        latencies.append(time.perf_counter() - start)
    cpu_seconds = time.process_time() - began
    latencies.sort()
    quantile = lambda q: latencies[int(q * (len(latencies) - 1))] * 1e6
    return {
        "lookups_per_cpu_second": lookups / cpu_seconds,
        "p50_us": quantile(0.5),
        "p99_us": quantile(0.99),
    }


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:3]))))
