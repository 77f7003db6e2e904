#!/usr/bin/env python3
"""How an ingest scales, how quick a run without changes is, and whether the store stays small.

    benches/ingest.py --rag target/debug/rag scaling DIR    1, 4 and 16 copies of DIR with changed text,
                                                            read, split and written with made-up vectors
    benches/ingest.py --rag target/debug/rag unchanged      10,000 short files, then the same again
    benches/ingest.py --rag target/debug/rag rounds         100 runs, a tenth of the files changed before
                                                            each: bytes on disk over bytes of text

Memory is that of all processes of a run together, looked at 20 times a second (Linux only).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time


def grown(source, target, copies):
    """Copies `source` into `target` so many times. Each line of a text gets a word of its own in each
    copy, so that no chunk is like another; other files get a comment at their end."""
    for copy in range(copies):
        for path in sorted(source.rglob("*")):
            if not path.is_file():
                continue
            data = path.read_bytes()
            mark = f" copy{copy}".encode()
            if b"\0" in data or data.startswith(b"%PDF"):
                data += b"\n%" + mark + b"\n"
            else:
                lines = data.split(b"\n")
                data = b"\n".join(line.replace(b" ", mark + b" ", 1) for line in lines)
            place = target / f"{copy:02}" / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def resident(pid):
    """Bytes of memory of a process and of all that it started; what they share counts once (PSS)."""
    try:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = int(rollup.split("\nPss:")[1].split()[0]) * 1024
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                total += resident(int(child))
        return total
    except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
        return 0


def run(command, env):
    """Runs a command; its output, its seconds and the most memory it had."""
    started = time.time()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    peak = [0]

    def watch():
        while process.poll() is None:
            peak[0] = max(peak[0], resident(process.pid))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, err = process.communicate()
    seconds = time.time() - started
    watcher.join()
    if process.returncode not in (0, 2):
        sys.exit(f"{command}: {process.returncode}\n{err.decode()}")
    return json.loads(out), seconds, peak[0]


def scaling(options, env, scratch):
    print("copies | files | MB | MB/s | peak MB, all processes | without workers | on disk / read | again s")
    for copies in (1, 4, 16):
        corpus = scratch / f"corpus{copies}"
        grown(pathlib.Path(options.dir), corpus, copies)
        command = [options.rag, "bench", "--ingest", str(corpus), "--json"]
        figures, _, peak = run(command, env)
        print(
            f"{copies} | {figures['files']} | {figures['bytes'] / 1e6:.1f} | {figures['mb_per_s']:.2f} | "
            f"{peak / 1e6:.0f} | {(figures['peak_memory'] or 0) / 1e6:.0f} | "
            f"{figures['bytes_on_disk'] / figures['bytes']:.2f} | {figures['again_seconds']:.2f}",
            flush=True,
        )


def unchanged(options, env, scratch):
    corpus = scratch / "corpus"
    for n in range(10_000):
        path = corpus / f"{n // 100:02}" / f"{n}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Entry {n}: the keeper of light {n % 97} saw ship {n * 31 % 9973}.\n")
    command = [options.rag, "ingest", str(corpus), "--json"]
    for name in ("first", "second", "third", "fourth"):
        report, seconds, peak = run(command, env)
        print(f"{name}: {seconds:.2f} s, {peak / 1e6:.0f} MB, {report['totals']}", flush=True)


def rounds(options, env, scratch):
    corpus = scratch / "corpus"
    corpus.mkdir()

    def write(n, version):
        lines = (f"# Log {n} of version {version}\n\n",)
        words = (f"word{n}x{version}y{word}" for word in range(600))
        (corpus / f"{n}.md").write_text("".join(lines) + " ".join(words) + "\n")

    for n in range(50):
        write(n, 0)
    command = [options.rag, "ingest", str(corpus), "--json"]
    for turn in range(101):
        run(command, env)
        if turn % 10 == 0:
            text = sum(path.stat().st_size for path in corpus.iterdir())
            status = json.loads(subprocess.check_output([options.rag, "status", "--json"], env=env))
            disk = status["bytes_on_disk"]
            print(f"after {turn}: {disk / 1e6:.2f} MB on disk, {disk / text:.1f} times the text", flush=True)
        for n in range(5):
            write((turn * 5 + n) % 50, turn + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rag", default="target/debug/rag")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("scaling")
    verb.add_argument("dir")
    verb.set_defaults(verb=scaling)
    verbs.add_parser("unchanged").set_defaults(verb=unchanged)
    verbs.add_parser("rounds").set_defaults(verb=rounds)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        env = {**os.environ, "RAG_HOME": str(scratch / "home")}
        if "RAG_MODELS" not in env:
            sys.exit("RAG_MODELS must name the folder of the models: the home of these runs is a new one")
        options.verb(options, env, scratch)


main()
