#!/usr/bin/env python3
"""Compares what `rag` reads of PDFs with what `pdftotext` reads of them.

    benches/pdf_readers.py FOLDER… [--rag 'rag doctor {} --text'] [--worst 8] [--jobs 1] [--json FILE]

Every `*.pdf` below a FOLDER is taken; of a FOLDER with a `manifest.jsonl` (the set of broken and odd
files) only the real files that must give text and need no password. `{}` in the command stands for the
file; what it prints on stdout is the text.

Both texts become tokens: words, and each character of Chinese or Japanese by itself, after NFKC; a
word divided at a line's end is made whole in both. Per file:

    F1        tokens as a multiset: what was lost or made up
    bigrams   pairs of neighbouring tokens: the order of reading, glued and torn words

Running heads and page numbers are text to `pdftotext` and left out by `rag` but for the first; `--heads`
leaves them out of both (lines at the edge of a page that at least three pages and two fifths repeat).
Files whose reference is mostly Chinese or Japanese are reported apart. Speed is pages per second of
processor time, start of the program included, of each file's process by itself.

Needs poppler-utils with poppler-data (without it poppler can't read Chinese by itself). Standard
library only.
"""

import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HAN = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
DIVIDED = re.compile(r"(?<=[^\W\d_])[-\u2010]\s*[\n\f]+\s*(?=[a-zà-ÿ])")
FEW_TOKENS = 20  # of fewer a score says nothing
HELD_UP = 300  # seconds


def main():
    options = arguments()
    files = [file for folder in options.folder for file in pdfs(folder)]
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda file: compared(file, options), files))
    report(rows, options)
    if options.json:
        options.json.write_text(json.dumps(rows, ensure_ascii=False, indent=1))
    sys.exit(1 if any(row["lost"] for row in rows) else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--rag", default="rag doctor {} --text", help="(default: %(default)s)")
    parser.add_argument("--heads", action="store_true", help="leave running heads out of both texts")
    parser.add_argument("--worst", type=int, default=8, help="how many of the worst files to name")
    parser.add_argument("--jobs", type=int, default=1, help="files at once")
    parser.add_argument("--json", type=Path, help="also write one row for each file there")
    return parser.parse_args()


def pdfs(folder):
    """The PDFs of a folder, by name."""
    manifest = folder / "manifest.jsonl"
    entries = [json.loads(line) for line in manifest.open()] if manifest.exists() else []
    if not any("class" in entry for entry in entries):
        return sorted(folder.rglob("*.pdf"))
    wanted = (
        entry
        for entry in entries
        if entry["fmt"] == "pdf"
        and entry["class"] == "real"
        and entry["expect"] == "text"
        and not entry.get("password")
    )
    return sorted(folder / entry["path"] for entry in wanted)


def compared(file, options):
    theirs, their_time = output(["pdftotext", "-enc", "UTF-8", str(file), "-"])
    ours, our_time = output([str(file) if word == "{}" else word for word in shlex.split(options.rag)])
    if options.heads:
        theirs, heads = without_heads(theirs)
        ours = without_lines(ours, heads)
    reference, found = tokens(theirs), tokens(ours)
    han = sum(1 for token in reference if re.match(f"[{HAN}]", token))
    return {
        "file": str(file),
        "pages": pages(file),
        "tokens": len(reference),
        "found": len(found),
        "chinese": han > len(reference) / 2,
        "f1": f1(Counter(reference), Counter(found)),
        "bigrams": f1(Counter(zip(reference, reference[1:])), Counter(zip(found, found[1:]))),
        "lost": bool(reference) and not found,
        "missing": missing(Counter(reference), Counter(found)),
        "added": missing(Counter(found), Counter(reference)),
        "pdftotext_s": their_time,
        "rag_s": our_time,
    }


def output(command):
    """What a command prints, and the processor time of it and all it started."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    begun = time.monotonic()
    chunks = []
    os.set_blocking(process.stdout.fileno(), True)
    while chunk := process.stdout.read(1 << 20):
        chunks.append(chunk)
        if time.monotonic() - begun > HELD_UP:
            process.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    return b"".join(chunks).decode("utf-8", "replace"), usage.ru_utime + usage.ru_stime


def pages(file):
    info = subprocess.run(["pdfinfo", str(file)], capture_output=True, check=False).stdout
    found = re.search(rb"^Pages:\s+(\d+)", info, re.M)
    return int(found[1]) if found else 0


def tokens(text):
    text = unicodedata.normalize("NFKC", text.replace("\u00ad\n", "").replace("\u00ad", ""))
    return TOKEN.findall(DIVIDED.sub("", text).lower())


def f1(reference, found):
    both = sum((reference & found).values())
    all_ = sum(reference.values()) + sum(found.values())
    return 2 * both / all_ if all_ else 1.0


def missing(reference, found):
    return [f"{token}×{count}" for token, count in (reference - found).most_common(12)]


def shape(line):
    return re.sub(r"\d+", "#", re.sub(r"\s", "", line.lower()))


def without_heads(text):
    """The text without lines that stand at the edges of most pages, and their shapes."""
    sheets = [[line for line in page.splitlines() if line.strip()] for page in text.split("\f")]
    edges = Counter(edge for lines in sheets for edge in {shape(line) for line in lines[:3] + lines[-3:]})
    written = sum(1 for lines in sheets if lines)
    heads = {edge for edge, count in edges.items() if count >= max(3, written * 2 / 5)}
    kept = [[line for line in lines if shape(line) not in heads] for lines in sheets]
    return "\n".join("\n".join(lines) for lines in kept), heads


def without_lines(text, heads):
    return "\n".join(line for line in text.splitlines() if shape(line) not in heads)


def report(rows, options):
    scored = [row for row in rows if row["tokens"] >= FEW_TOKENS]
    print(f"{len(rows)} files, {sum(row['pages'] for row in rows)} pages, {len(scored)} with text to compare")
    for name, part in (
        ("ordinary", [row for row in scored if not row["chinese"]]),
        ("Chinese", [row for row in scored if row["chinese"]]),
    ):
        if not part:
            continue
        for score in ("f1", "bigrams"):
            values = sorted(row[score] for row in part)
            print(
                f"{name:9} {score:8} files {len(part):4}  mean {statistics.mean(values):.4f}  "
                f"median {statistics.median(values):.4f}  worst {values[0]:.4f}"
            )
    for name in ("pdftotext", "rag"):
        seconds = sum(row[f"{name}_s"] for row in rows)
        done = sum(row["pages"] for row in rows)
        print(f"{name:9} {done / max(seconds, 1e-9):8.1f} pages per second of one core ({seconds:.1f} s)")
    lost = [row for row in rows if row["lost"]]
    print(f"read by pdftotext and empty here: {len(lost)}")
    for row in lost:
        print(f"  {row['tokens']:6} tokens  {row['file']}")
    for score in ("f1", "bigrams"):
        print(f"worst by {score}:")
        for row in sorted(scored, key=lambda row: row[score])[: options.worst]:
            print(f"  {row[score]:.3f}  {row['tokens']:6} {row['found']:6}  {row['file']}")
            if score == "f1":
                print(f"         missing {' '.join(row['missing'])}\n         added   {' '.join(row['added'])}")


if __name__ == "__main__":
    main()
