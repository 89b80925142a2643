"""Trains a dictionary for compact items: train.py OUT NUMBER DYNAMODB.SQLITE...

Reads the content tables that runs of `local` kept (`--data`), puts every item's fields as a compact
item packs them, and writes what zstd learns from them. What is of one deployment only, the name of
its integration, is another one in each sample, so that no room is lost to it.

A dictionary is never trained anew under a number that has been used: what is stored could not be
read any more.
"""

import json
import random
import re
import sqlite3
import struct
import sys

try:
    from compression import zstd
except ImportError:
    from backports import zstd

# More is slower to load, and no smaller on items that it was not trained on.
BYTES = 4096

# As `IS_PACKED` of processor/src/store/dynamodb/form.rs; a test there compares them.
PACKED = [
    "campaigns_version", "event_id", "input_tokens", "model_id", "oldest_event_time", "origin",
    "output_tokens", "paced_until", "unless_at",
]

INTEGRATION = re.compile(r"(?<=integration\.)[0-9a-f]{24}")


def packed(item, chance):
    fields = {"history": json.loads(item["history"]["S"])}
    for name in PACKED:
        for kind, value in item.get(name, {}).items():
            fields[name] = int(value) if kind == "N" else value
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    return INTEGRATION.sub(f"{chance.getrandbits(96):024x}", text).encode()


def main(out, number, *tables):
    chance, samples = random.Random(1), []
    for table in tables:
        rows = sqlite3.connect(table).execute("select item_json from content order by item_json")
        items = [json.loads(text) for (text,) in rows]
        samples += [packed(item, chance) for item in items if "history" in item]
    chance.shuffle(samples)
    trained = zstd.train_dict(samples, BYTES).dict_content
    # Its number stands after the magic number.
    numbered = trained[:4] + struct.pack("<I", int(number)) + trained[8:]
    with open(out, "xb") as file:
        file.write(numbered)
    print(f"{len(samples)} samples, {len(numbered)} bytes")


main(*sys.argv[1:])
