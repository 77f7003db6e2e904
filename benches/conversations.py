#!/usr/bin/env python3
"""Follow-ups: how many last questions of fixtures/conversations.jsonl (or of another list) are answered from
the right file with the fact in a cited quote, asked alone and asked in their conversation.

    benches/conversations.py RAG [--list FILE] [RAG'S OWN OPTIONS…]      e.g. ~/.cache/rag/target/debug/rag -x

The knowledge base must hold fixtures/kb (`make demo`: add --kb demo)."""

import json
import pathlib
import subprocess
import sys
from collections import defaultdict


def chat(rag, options, lines):
    run = subprocess.run(
        [rag, "chat", "--json", "--no-history", *options],
        input="\n".join(lines) + "\n", capture_output=True, text=True, check=False,
    )
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    if len(rows) != sum(not line.startswith("/") for line in lines):
        sys.exit(run.stderr[-2000:])
    return rows


def squeezed(text):
    return "".join(text.split())


def holds(row, talk, place):
    facts = [squeezed(fact) for fact in talk["answers"]]
    return row["source"] == talk["doc"] and any(fact in squeezed(row[place]) for fact in facts)


def main():
    rag, options = sys.argv[1], sys.argv[2:]
    path = pathlib.Path(__file__).parent.parent / "fixtures/conversations.jsonl"
    if "--list" in options:
        at = options.index("--list")
        path = options[at + 1]
        options = options[:at] + options[at + 2:]
    show = "--show" in options
    options = [option for option in options if option != "--show"]
    with open(path, encoding="utf-8") as lines:
        talks = [json.loads(line) for line in lines]
    alone = chat(rag, options, [line for talk in talks for line in (talk["turns"][-1], "/new")])
    asked = iter(chat(rag, options, [line for talk in talks for line in (*talk["turns"], "/new")]))
    within = [[next(asked) for _ in talk["turns"]][-1] for talk in talks]
    table = defaultdict(lambda: [0] * 8)
    for talk, *pair in zip(talks, alone, within):
        for name in (f"{talk['id'][:2]} {talk['kind']}", f"{talk['id'][:2]} all"):
            row = table[name]
            row[0] += 1
            for column, answer in enumerate(pair):
                row[1 + column] += any(holds(c, talk, "quote") for c in answer["citations"])
                row[3 + column] += any(holds(h, talk, "text") for h in answer["hits"][:1])
                row[5 + column] += any(holds(h, talk, "text") for h in answer["hits"])
            row[7] += "rewritten" in pair[1]
        if show:
            right = any(holds(c, talk, "quote") for c in pair[1]["citations"])
            meant = (pair[1].get("rewritten") or {}).get("text", "–")
            print("+" if right else "-", talk["id"], talk["turns"][-1], "→", meant)
            if not right:
                print("     ", pair[1]["answer"] or pair[1]["refusal"])
    print("| follow-ups | n | cited rightly: alone | in conversation | first hit: alone | in conversation "
          "| 5 hits: alone | in conversation | rewritten |\n|---|---|---|---|---|---|---|---|---|")
    for name, row in sorted(table.items()):
        print("|", name, "|", " | ".join(map(str, row)), "|")


if __name__ == "__main__":
    main()
