#!/usr/bin/env python3
"""The table of retrieval: question sets x search modes, by `rag eval`.

    benches/retrieval.py --rag target/debug/rag ../shared/eval/en_squad2 ../shared/eval/zh_hant_drcd

Every folder given is a question set (documents with one or more queries*.jsonl at the top). Each is
ingested once; a second run finds it ingested. Prints a Markdown table; --json the raw figures.
"""
import argparse
import json
import pathlib
import subprocess
import sys

MODES = ["words", "vector", "hybrid"]


def evaluate(rag, folder, queries, modes):
    command = [rag, "eval", str(folder), "--queries", str(queries), "--mode", modes, "--json"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode not in (0, 2):  # 2: a document could not be read, which the report says
        sys.exit(f"{' '.join(command)}: exit {run.returncode}\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])["scores"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rag", default="rag", help="the binary")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("sets", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    rows = []
    for folder in args.sets:
        for queries in sorted(folder.glob("queries*.jsonl")):
            for scores in evaluate(args.rag, folder, queries, args.modes):
                head = {"set": folder.name, "queries": queries.stem, "mode": scores["mode"]}
                rows.append({**head, **scores["metrics"], "groups": scores["groups"]})
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    print("| set | questions | mode | n | R@1 | R@5 | R@10 | MRR | zero | ms median |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        figures = [f"{row[key]:.3f}" for key in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "zero")]
        head = [row["set"], row["queries"], row["mode"], str(row["questions"])]
        print("| " + " | ".join([*head, *figures, f"{row['p50_ms']:.0f}"]) + " |")


if __name__ == "__main__":
    main()
