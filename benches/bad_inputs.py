#!/usr/bin/env python3
"""Reads a set of broken and odd files and holds what came of each against what its manifest expects.

    benches/bad_inputs.py FOLDER [--rag 'target/debug/rag'] [--no-ingest] [--json FILE]

FOLDER holds `manifest.jsonl`, one object a line: `path, fmt, class, expect, must_include[],
must_not_include[], min_chars, password`. `expect` is `text` (the strings are in the text, white space
aside), `no_text` (it opens, holds no text, and that is said), `encrypted`, `error` (refused with a
reason), `unsupported` (passed over, or read since), `bounded` and `any` (nothing but the limits).

Every file is looked into by a `rag doctor --json` of its own: its text, its time, and the memory of the
largest process that was needed. Then the whole folder, with links in circles, an unreadable file, a
named pipe, a name that is no text and 5 GB of nothing added, goes through one `rag ingest --json`,
in which every file must have a row. Nothing may crash, hang or be stopped by a limit.

Standard library only.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

# What `rag` says where a worker was ended.
STOPPED = re.compile(
    r"crashed|longer than|processor time|nested too deeply|MiB of memory|MiB of text|did not begin|parser failed"
)
HELD_UP = 300  # seconds after which the script itself gives up on a file


def main():
    options = arguments()
    manifest = [json.loads(line) for line in (options.folder / "manifest.jsonl").open()]
    with tempfile.TemporaryDirectory(prefix="bad-inputs-") as home:
        environment = dict(os.environ, RAG_HOME=home, NO_COLOR="1")
        if "RAG_MODELS" not in environment:
            own = json.loads(run([*options.rag, "doctor", "--json"], os.environ).stdout)
            environment["RAG_MODELS"] = own["models_folder"]
        rows = [looked_into(entry, options, environment) for entry in told(manifest)]
        report(rows, options.worst)
        ingested = None if options.no_ingest else ingest(manifest, options, environment)
    if options.json:
        found = {"files": rows, "ingest": ingested}
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1))
    stopped = [row for row in rows if row["stopped"]]
    sys.exit(1 if stopped or (ingested and ingested["missing"]) else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="the unpacked set, with its manifest.jsonl")
    parser.add_argument("--rag", default="rag", help="the program (default: %(default)s)")
    parser.add_argument("--no-ingest", action="store_true", help="only look into each file")
    parser.add_argument("--worst", type=int, default=10, help="how many of the slowest and largest to name")
    parser.add_argument("--json", type=Path, help="also write one row for each file there")
    options = parser.parse_args()
    options.rag = shlex.split(options.rag)
    options.rag[0] = shutil.which(options.rag[0]) or sys.exit(f"there is no `{options.rag[0]}`")
    options.folder = options.folder.resolve()
    return options


def told(manifest):
    for n, entry in enumerate(manifest, 1):
        if sys.stderr.isatty():
            print(f"\r{n}/{len(manifest)} {entry['path'][-60:]:60}", end="", file=sys.stderr)
        yield entry
    if sys.stderr.isatty():
        print(file=sys.stderr)


def run(command, environment):
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=HELD_UP)


def looked_into(entry, options, environment):
    """What `rag doctor` makes of one file, as a row."""
    password = ["--password", entry["password"]] if entry.get("password") else []
    command = [*options.rag, "doctor", "--json", *password, "--", str(options.folder / entry["path"])]
    began = time.monotonic()
    # Not `subprocess.run`: what the process and its own children used is only told by wait4.
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read()
    row = {key: entry[key] for key in ("path", "fmt", "class", "expect")}
    row["seconds"] = time.monotonic() - began
    row["peak_mib"] = used.ru_maxrss / 1024
    row["cpu_seconds"] = used.ru_utime + used.ru_stime
    try:
        seen = json.loads(printed)["files"][0]
    except (ValueError, KeyError, IndexError):
        return row | {"status": "none", "stopped": True, "met": False, "why": f"exit code {child.returncode}"}
    error = seen.get("error") or {}
    facts = [warning["fact"] for warning in seen.get("findings", {}).get("warnings", [])]
    said = error.get("message") or "; ".join(facts)
    row |= {
        "status": seen["status"],
        "code": error.get("code"),
        "said": said,
        "chunks": len(seen.get("chunks") or []),
        "stopped": bool(STOPPED.search(error.get("message", ""))),
    }
    why = unmet(entry, seen, row)
    return row | {"met": not why, "why": why}


def unmet(entry, seen, row):
    """Why a file is not what its manifest says; nothing where it is."""
    if row["stopped"]:
        return row["said"]
    expect, status, text = entry["expect"], row["status"], bare(seen.get("text", ""))
    is_read = status in ("read", "partly")
    if expect == "text" or (expect == "encrypted" and entry.get("password")):
        if not is_read:
            return f"{status}: {row['said']}"
        missing = [line for line in entry["must_include"] if bare(line) not in text]
        if missing:
            return f"lacks {missing[0]!r}"
        extra = [line for line in entry["must_not_include"] if bare(line) in text]
        if extra:
            return f"holds {extra[0]!r}"
        if len(text) < (entry.get("min_chars") or 0):
            return f"has {len(text)} characters of {entry['min_chars']}"
    elif expect == "encrypted":
        return "" if row["code"] == "encrypted" else f"{status}: {row['said']}"
    elif expect == "error":
        return "" if not is_read and row["said"] else f"{status} with {len(text)} characters"
    elif expect == "no_text":
        # Empty texts have nothing to say; PDFs without text are scans, and that must be said.
        return "" if text or row["said"] or entry["fmt"] != "pdf" else "empty, and nothing said"
    elif expect == "unsupported":
        return "" if is_read or row["said"] else "no reason"
    return ""


def bare(text):
    return "".join(text.split())


def report(rows, worst):
    print(f"{len(rows)} files")
    print(f"\n{'class':<10} {'expected':<12} {'files':>5} {'met':>5}   came of it")
    groups = defaultdict(list)
    for row in rows:
        groups[row["class"], row["expect"]].append(row)
    for (kind, expect), group in sorted(groups.items()):
        states = Counter(row["status"] for row in group)
        came = ", ".join(f"{count} {status}" for status, count in states.most_common())
        met = sum(row["met"] for row in group)
        print(f"{kind:<10} {expect:<12} {len(group):>5} {met:>5}   {came}")
    print(f"{'all':<23} {len(rows):>5} {sum(row['met'] for row in rows):>5}")
    named("stopped by a limit, or crashed", [row for row in rows if row["stopped"]], "said")
    named("not as expected", [row for row in rows if not row["met"] and not row["stopped"]], "why")
    slowest = sorted(rows, key=lambda row: -row["seconds"])[:worst]
    print("\nslowest (whole process)")
    for row in slowest:
        print(f"  {row['seconds']:7.2f} s  {row['cpu_seconds']:7.2f} s processor  {row['path']}")
    print("\nlargest (one process, resident)")
    for row in sorted(rows, key=lambda row: -row["peak_mib"])[:worst]:
        print(f"  {row['peak_mib']:7.0f} MiB  {row['path']}")


def named(title, rows, key):
    print(f"\n{title}: {len(rows)}")
    for fmt, group in sorted(grouped(rows).items()):
        for row in group:
            print(f"  {fmt:<5} {row['path']}: {row.get(key, '')[:140]}")


def grouped(rows):
    groups = defaultdict(list)
    for row in rows:
        groups[row["fmt"]].append(row)
    return groups


def ingest(manifest, options, environment):
    """Puts everything through one ingest, and says what has no row."""
    with tempfile.TemporaryDirectory(prefix="bad-inputs-") as scratch:
        folder = Path(scratch) / "set"
        shutil.copytree(options.folder, folder, symlinks=True)
        odd = add_odd_files(folder)
        began = time.monotonic()
        watch = Peak()
        child = subprocess.Popen(
            [*options.rag, "ingest", "--json", str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        printed = watch.until_done(child)
        seconds = time.monotonic() - began
        (folder / "odd/locked.md").chmod(0o600)
    found = json.loads(printed)
    rows = {row["source"]: row for row in found["sources"]}
    expected = [entry["path"] for entry in manifest] + odd
    hidden = [path for path in expected if any(part.startswith(".") for part in Path(path).parts)]
    missing = [path for path in expected if path not in rows and path not in hidden]
    stopped = [row for row in found["sources"] if STOPPED.search(row["reason"] or "")]
    print(f"\ningest: exit code {child.returncode}, {seconds:.1f} s, {len(rows)} rows; {found['totals']}")
    print(f"  hidden, and so without a row: {len(hidden)}; without a row: {missing or 'none'}")
    print(f"  largest worker {watch.worker >> 10} MiB resident, the ingest itself {watch.parent >> 10} MiB")
    for path in odd:
        row = rows.get(path, {})
        print(f"  {path}: {row.get('status')}: {row.get('reason')}")
    for row in stopped:
        print(f"  stopped: {row['source']}: {row['reason']}")
    return {
        "seconds": seconds,
        "exit_code": child.returncode,
        "totals": found["totals"],
        "missing": missing,
        "stopped": stopped,
        "worker_kib": watch.worker,
        "parent_kib": watch.parent,
    }


def add_odd_files(folder):
    """What no archive can hold. Gives the names under which reports show it."""
    odd = folder / "odd"
    odd.mkdir()
    (odd / "circle").symlink_to(folder)
    (odd / "itself").symlink_to("itself")
    (odd / "outside").symlink_to("/etc")
    os.mkfifo(odd / "pipe.txt")
    (odd / "locked.md").write_text("Nobody reads me.\n")
    (odd / "locked.md").chmod(0)
    with (odd / "huge.txt").open("wb") as file:
        file.truncate(5_000_000_000)
    (Path(os.fsdecode(os.fsencode(odd) + b"/caf\xe9.md"))).write_text("Coffee.\n")
    names = ["circle", "itself", "outside", "pipe.txt", "locked.md", "huge.txt", "caf\\xE9.md"]
    return [f"odd/{name}" for name in names]


class Peak:
    """Watches the memory of a process and of its workers."""

    worker = 0
    parent = 0

    def until_done(self, child):
        with tempfile.TemporaryFile() as out:
            # A pipe that nobody empties would hold the program up.
            pump = subprocess.Popen(["cat"], stdin=child.stdout, stdout=out)
            while child.poll() is None:
                self.parent = max(self.parent, resident(child.pid))
                for worker in children(child.pid):
                    self.worker = max(self.worker, resident(worker))
                time.sleep(0.1)
            pump.wait()
            out.seek(0)
            return out.read()


def resident(pid):
    """KiB at most so far; 0 where that can't be known."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = re.search(r"VmHWM:\s*(\d+)", status)
    return int(peak[1]) if peak else 0


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            pass
    return found


if __name__ == "__main__":
    main()
