#!/usr/bin/env python3
"""What answers are worth, and which weights of their signs would tell best whether a question has one.

    benches/answers.py --rag target/debug/rag --keep DIR ../shared/eval/en_squad2 ../shared/eval/zh_hant_drcd
    benches/answers.py --fit DIR

The first asks every question of every set (`rag eval SET --answers extractive --details`; --by generated for
a language model, --only N for the first N answerable and N unanswerable ones) and prints a Markdown table of
the two halves of each set. --keep writes what was said of each question into a folder. The second fits the
confidence to the first halves kept there and tries it on the other halves: a logistic regression on
`signs`, one for questions whose vectors were asked and one for the others, of whether the question has an
answer among its hits. Questions that were written to look answerable (kind `adversarial_unanswerable`) are
left out of the fit and told apart. Halves are those of `halves.py`.
"""
import argparse
import hashlib
import json
import math
import pathlib
import subprocess
import sys
import tempfile

from halves import half

SIGNS = ["spoken", "first", "words", "agreed", "near"]


def rows_of(rag, folder, by, only):
    """One row for each question: what `rag eval` judged, its half and its kind."""
    questions = [json.loads(line) for line in (folder / "queries.jsonl").open()]
    if only:
        kept = {True: [], False: []}
        for question in sorted(questions, key=lambda q: hashlib.sha256(q["id"].encode()).digest()):
            kept[question.get("answerable", True)].append(question)
        questions = kept[True][:only] + kept[False][:only]
    by_id = {question["id"]: question for question in questions}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as asked:
        for question in questions:
            print(json.dumps(question, ensure_ascii=False), file=asked)
        asked.flush()
        command = [rag, "eval", str(folder), "--queries", asked.name, "--answers", by, "--details"]
        run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode not in (0, 2):  # 2: a document could not be read, which the report says
        sys.exit(f"{' '.join(command)}: exit {run.returncode}\n{run.stderr}")
    rows = []
    for line in run.stdout.splitlines():
        judged = json.loads(line).get("judged")
        if judged:
            question = by_id[judged["id"]]
            rows.append({**judged, "set": folder.name, "half": half(question), "kind": question.get("kind")})
    least = json.loads(run.stdout.splitlines()[-1])["answers"]["least_confidence"]
    return rows, least


def share(some, of):
    some = list(some)
    return sum(map(of, some)) / len(some) if some else float("nan")


def show(name, rows, least, confidence=lambda row: row["confidence"]):
    def given(row):
        return not row["declined"] and confidence(row) >= least

    answerable = [row for row in rows if row["answerable"]]
    found = [row for row in answerable if row["found"]]
    answered = [row for row in answerable if given(row)]
    outside = [row for row in rows if not row["answerable"] and row["kind"] != "adversarial_unanswerable"]
    inside = [row for row in rows if row["kind"] == "adversarial_unanswerable"]
    cited = sum(row["citations"] for row in answered)
    cells = [
        len(answerable),
        share(answerable, given),
        share(answerable, lambda row: given(row) and row["right"]),
        share(answered, lambda row: row["f1"]),
        sum(row["right_citations"] for row in answered) / cited if cited else float("nan"),
        share(answerable, lambda row: given(row) and row["right_citations"] > 0),
        share(found, lambda row: not given(row)),
        len(outside),
        share(outside, lambda row: not given(row)),
        len(inside),
        share(inside, lambda row: not given(row)),
    ]
    print(f"| {name} | " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells) + " |")


HEAD = """| set, half | asked | answered | right | F1 | citations right | cited rightly | refused with evidence | none outside | refused | none inside | refused |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def vector(row):
    signs = row["signs"]
    return [1.0] + [signs[name] for name in SIGNS if signs[name] is not None]


def fit(rows, steps=4000, rate=1.0, ridge=1e-3):
    """Weights (the constant first) by gradient descent; both classes count alike."""
    data = [(vector(row), row["found"]) for row in rows]
    size = len(data[0][0])
    positive = sum(is_found for _, is_found in data)
    counts = {True: 0.5 / max(positive, 1), False: 0.5 / max(len(data) - positive, 1)}
    weights = [0.0] * size
    for _ in range(steps):
        gradient = [ridge * weight for weight in weights]
        for signs, is_found in data:
            sure = 1 / (1 + math.exp(-sum(w * x for w, x in zip(weights, signs))))
            for at in range(size):
                gradient[at] += counts[is_found] * (sure - is_found) * signs[at]
        weights = [weight - rate * slope for weight, slope in zip(weights, gradient)]
    return weights


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rag", default="rag", help="the binary")
    parser.add_argument("--by", default="extractive", choices=["extractive", "generated"])
    parser.add_argument("--only", type=int, help="so many questions of each sort")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--fit", type=pathlib.Path)
    parser.add_argument("sets", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    if args.fit:
        rows = [json.loads(line) for path in sorted(args.fit.glob("*.jsonl")) for line in path.open()]
        usable = [row for row in rows if row["answerable"] or row["kind"] != "adversarial_unanswerable"]
        models = {}
        for asked in (True, False):
            of_kind = [row for row in usable if row["half"] == 0 and (row["signs"]["near"] is not None) == asked]
            if of_kind:
                models[asked] = fit(of_kind)
                names = ["constant", *SIGNS][: len(models[asked])]
                weights = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, models[asked]))
                print(f"{'with' if asked else 'without'} vectors, {len(of_kind)} questions: {weights}\n")

        def confidence(row):
            weights = models[row["signs"]["near"] is not None]
            return 1 / (1 + math.exp(-sum(w * x for w, x in zip(weights, vector(row)))))

        for least in (0.3, 0.4, 0.5, 0.6, 0.7):
            print(f"threshold {least}\n\n{HEAD}")
            for name in sorted({row["set"] for row in rows}):
                for part, label in enumerate(("fitted", "unseen")):
                    some = [row for row in rows if row["set"] == name and row["half"] == part]
                    show(f"{name}, {label}", some, least, confidence)
            print()
        return
    print(HEAD)
    for folder in args.sets:
        rows, least = rows_of(args.rag, folder, args.by, args.only)
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            with (args.keep / f"{folder.name}.jsonl").open("w") as kept:
                for row in rows:
                    print(json.dumps(row, ensure_ascii=False), file=kept)
        for part, label in enumerate(("first", "second")):
            show(f"{folder.name}, {label}", [row for row in rows if row["half"] == part], least)


if __name__ == "__main__":
    main()
