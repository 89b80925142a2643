"""Prints the user records of stream records, one file each, as JSON.

Uses zstd as Python has it from 3.14 on, which shares no code with the one under test.
"""

import json
import pathlib
import sys

try:
    from compression import zstd
except ImportError:
    from backports import zstd


def user_records(data):
    lines = zstd.ZstdDecompressor().decompress(data, max_length=2 * 1024 * 1024)
    return [json.loads(line) for line in lines.splitlines()]


folder = pathlib.Path(sys.argv[1])
files = sorted(folder.iterdir(), key=lambda path: int(path.name))
json.dump([user_records(path.read_bytes()) for path in files], sys.stdout)
