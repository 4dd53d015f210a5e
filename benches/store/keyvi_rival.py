"""keyvi, through its Python package: builds or measures, as `store` does for the others.

    keyvi_rival.py build STORE KEYS VALUE FOLDER
    keyvi_rival.py measure STORE KEYS VALUE FOLDER LOOKUPS ROUNDS SEED

STORE is the program of this folder; it prints the records and the keys to look up.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from keyvi.compiler import StringDictionaryCompiler
from keyvi.dictionary import Dictionary

KEY_LEN = 16


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def records(store, keys, value_len):
    """Yields keys and values."""
    command = [store, "--keys", keys, "--value", value_len, "records"]
    record_len = KEY_LEN + int(value_len)
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=record_len * 10_000) as child:
        while chunk := child.stdout.read(record_len * 10_000):
            for at in range(0, len(chunk), record_len):
                yield chunk[at:at + KEY_LEN], chunk[at + KEY_LEN:at + record_len]


def build(store, keys, value_len, folder):
    begun = time.monotonic()
    compiler = StringDictionaryCompiler({"memory_limit_mb": "2048", "temporary_path": folder})
    for key, value in records(store, keys, value_len):
        compiler.add(key, value)
    compiler.compile()
    path = Path(folder) / "keyvi"
    compiler.write_to_file(str(path))
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return {"build_s": time.monotonic() - begun, "peak_bytes": peak_bytes(),
            "file_bytes": path.stat().st_size}


def look_up(dictionary, keys, pattern):
    """Returns nanoseconds a lookup: of its value's first character, if there is one."""
    found = total = 0
    get = dictionary.get
    begun = time.perf_counter_ns()
    for key in keys:
        match = get(key)
        if match is not None:
            found += 1
            total += ord(match.value[0])
    took = time.perf_counter_ns() - begun
    if found != (0 if "miss" in pattern else len(keys)):
        sys.exit(f"keyvi found {found} of {len(keys)}: {pattern}")
    return took / len(keys)


def measure(store, keys, value_len, folder, lookups, rounds, seed):
    path = Path(folder) / "keyvi"
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(1 << 20):
            pass
    begun = time.monotonic()
    dictionary = Dictionary(str(path))
    open_s = time.monotonic() - begun
    for value in dictionary.values():
        pass
    ns = []
    for round_number in range(int(rounds)):
        ns.append({})
        for pattern in ("hit", "miss", "zipf-hit", "zipf-miss"):
            command = [store, "--keys", keys, "--value", value_len, "keys", pattern,
                       "--lookups", lookups, "--seed", str(int(seed) + round_number)]
            wanted = subprocess.check_output(command)
            wanted = [wanted[at:at + KEY_LEN] for at in range(0, len(wanted), KEY_LEN)]
            ns[-1][pattern] = look_up(dictionary, wanted, pattern)
    return {"in_memory": False, "open_s": open_s, "peak_bytes": peak_bytes(), "index_bytes": None,
            "huge_bytes": 0, "ns": ns}


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    print(json.dumps({"build": build, "measure": measure}[command](*arguments)))
