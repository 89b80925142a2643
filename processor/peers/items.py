"""Prints what compact items hold packed, one file each, as JSON.

Uses zstd as Python has it from 3.14 on, which shares no code with the one under test.
"""

import json
import pathlib
import sys

try:
    from compression import zstd
except ImportError:
    from backports import zstd


def fields(packed, dictionary):
    zstd_of_items = zstd.ZstdDecompressor(zstd_dict=zstd.ZstdDict(dictionary))
    return json.loads(zstd_of_items.decompress(packed, max_length=400 * 1024))


dictionary = pathlib.Path(sys.argv[1]).read_bytes()
files = sorted(pathlib.Path(sys.argv[2]).iterdir(), key=lambda path: int(path.name))
json.dump([fields(path.read_bytes(), dictionary) for path in files], sys.stdout)
