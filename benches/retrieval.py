#!/usr/bin/env python3
"""The table of retrieval: question sets x search modes, by `rag eval`.

    benches/retrieval.py --rag target/debug/rag ../shared/eval/en_squad2 ../shared/eval/zh_hant_drcd

Every folder given is a question set (documents with one or more queries*.jsonl at the top). Each is
ingested once; a second run finds it ingested. Questions are asked of the part of the set that holds their
documents, where all lie in one folder of it: the same text in another language or format would be found as
well. --whole asks them of everything, noise included; --halves tells the two halves of each set apart.
Prints a Markdown table; --json the raw figures.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from halves import half

MODES = ["words", "vector", "hybrid"]


def evaluate(rag, folder, queries, modes):
    command = [rag, "eval", str(folder), "--queries", str(queries), "--mode", modes, "--json"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode not in (0, 2):  # 2: a document could not be read, which the report says
        sys.exit(f"{' '.join(command)}: exit {run.returncode}\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])["scores"]


def part(folder, queries):
    """The one folder of a set with all gold documents of these questions, beside others, or None."""
    tops = {doc.split("/")[0] for doc in (json.loads(line).get("doc") for line in queries.open()) if doc}
    inner = [path.name for path in folder.iterdir() if path.is_dir()]
    return tops.pop() if len(inner) > 1 and len(tops) == 1 and tops <= set(inner) else None


def asked(rag, folder, queries, modes, top=None, only=None):
    """As `evaluate`, over `folder/top` where given, and with the questions of one half where given."""
    questions = [json.loads(line) for line in queries.open()]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as chosen:
        for question in questions:
            if only is not None and half(question) != only:
                continue
            if top and question.get("doc"):
                question["doc"] = question["doc"].split("/", 1)[1]
            print(json.dumps(question, ensure_ascii=False), file=chosen)
        chosen.flush()
        return evaluate(rag, folder / top if top else folder, chosen.name, modes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rag", default="rag", help="the binary")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--whole", action="store_true", help="ask every question of the whole set")
    parser.add_argument("--halves", action="store_true", help="two halves of each set, by document")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("sets", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    rows = []
    for folder in args.sets:
        for queries in sorted(folder.glob("queries*.jsonl")):
            top = None if args.whole else part(folder, queries)
            name = f"{folder.name}/{top}" if top else folder.name
            for only in (0, 1) if args.halves else (None,):
                for scores in asked(args.rag, folder, queries, args.modes, top, only):
                    stem = queries.stem if only is None else f"{queries.stem}, {('first', 'second')[only]} half"
                    head = {"set": name, "queries": stem, "mode": scores["mode"]}
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
