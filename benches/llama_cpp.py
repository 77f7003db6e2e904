#!/usr/bin/env python3
"""Hold the language models' speed and memory against llama.cpp's: same files, same threads, in turns.

    pip install numpy gguf llama-cpp-python    # built with -DGGML_NATIVE=ON -DCMAKE_BUILD_TYPE=Release
    llama_cpp.py                               # all four models: about 15 minutes on two quiet cores
    llama_cpp.py --quick                       # the smaller ones, fewer tokens and rounds: 5 minutes
    llama_cpp.py --model FILE.gguf …           # files of yours

Each run is a process of its own that loads the file, reads a prompt and writes after it; runs of both
programs take turns, and a cell is the best of its rounds. Ratios are ours over llama.cpp's in tokens/s
(more is better), in brackets by the processor's time, which other programs disturb less. Memory is the
most that the process held (VmHWM: a mapped file's pages count), loading until a token can be read.
A Markdown table goes to stdout, what happens to stderr. Files of random weights are made in --dir and
removed again.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHAPES = ["qwen3-0.6b", "qwen3-4b", "llama3-8b"]
# Prompt and depth of each kind of run.
SHORT, LONG = (512, 0), (2048, 2048)


def say(text):
    print(text, file=sys.stderr, flush=True)


# llama.cpp, in a process of its own.


def cpu_seconds():
    times = os.times()
    return times.user + times.system


def theirs_in_child(path, prompt, depth, generate, threads):
    # The folder of this file comes first in the path of a script, and this file has their name.
    sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]
    import ctypes

    import llama_cpp as L

    quiet = L.llama_log_callback(lambda level, text, data: None)
    L.llama_log_set(quiet, ctypes.c_void_p(0))
    L.llama_backend_init()
    started = time.perf_counter()
    model = L.llama_model_load_from_file(path.encode(), L.llama_model_default_params())
    options = L.llama_context_default_params()
    options.n_ctx = max(prompt, depth) + generate
    options.n_threads = options.n_threads_batch = threads
    context = L.llama_init_from_model(model, options)
    load = time.perf_counter() - started
    words = L.llama_vocab_n_tokens(L.llama_model_get_vocab(model))
    batch = options.n_batch

    def run(tokens):
        ids = (L.llama_token * len(tokens))(*tokens)
        code = L.llama_decode(context, L.llama_batch_get_one(ids, len(tokens)))
        if code != 0:
            raise SystemExit(f"llama_decode gave {code}")
        L.llama_get_logits_ith(context, -1)  # waits for the result

    def read(count):
        L.llama_memory_clear(L.llama_get_memory(context), True)
        tokens = [n * 7919 % words for n in range(count)]
        for start in range(0, count, batch):
            run(tokens[start : start + batch])

    def measure(work):
        started, before = time.perf_counter(), cpu_seconds()
        work()
        return {"seconds": time.perf_counter() - started, "cpu_seconds": cpu_seconds() - before}

    prefill = measure(lambda: read(prompt))
    if depth != prompt:
        read(max(depth, 1))
    decode = measure(lambda: [run([n * 7919 % words]) for n in range(generate)])
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    print(json.dumps({"load": load, "prefill": prefill, "decode": decode, "peak": peak}))


def theirs(path, prompt, depth, generate, threads):
    command = [sys.executable, __file__, "--child", str(path)]
    command += [str(n) for n in (prompt, depth, generate, threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"llama.cpp failed on {path}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def ours(rag, path, prompt, depth, generate, threads):
    command = [rag, "bench", "--json", "--skip-embedder", "--model", str(path)]
    command += ["--prompt", str(prompt), "--depth", str(depth)]
    command += ["--generate", str(generate), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"rag bench failed on {path}:\n{done.stderr[-2000:]}")
    figures = json.loads(done.stdout)
    return {
        "load": figures["load_ms"] / 1000,
        "prefill": figures["prefill"][0],
        "decode": figures["decode"][0],
        "peak": figures["peak_memory"],
        "share": figures["decode"][0]["bandwidth_share"],
    }


# The table.


def compare(label, path, rounds, runs, options):
    """Rows of the table for one file."""
    rows, all_pairs = [], []
    warm(path)
    for (prompt, depth), generate in runs:
        pairs = []
        for n in range(rounds):
            both = {}
            for who in ("ours", "theirs") if n % 2 == 0 else ("theirs", "ours"):
                args = (path, prompt, depth, generate, options.threads)
                both[who] = ours(options.rag, *args) if who == "ours" else theirs(*args)
            pairs.append(both)
            a, b = both["ours"], both["theirs"]
            say(
                f"{label}, {prompt} tokens: prefill {prompt / a['prefill']['seconds']:.1f} to "
                f"{prompt / b['prefill']['seconds']:.1f}, decode {generate / a['decode']['seconds']:.2f} to "
                f"{generate / b['decode']['seconds']:.2f} tokens/s"
            )
        for what, tokens, name in (
            ("prefill", prompt, f"prefill {prompt}"),
            ("decode", generate, f"decode {generate} after {depth}"),
        ):
            rows.append(cell(label, name, tokens, what, pairs))
        all_pairs += pairs
    mine, its = (min(pair[who]["load"] for pair in all_pairs) for who in ("ours", "theirs"))
    rows.append(f"| {label} | loading | {mine * 1e3:.0f} ms | {its * 1e3:.0f} ms | {mine / its:.2f}× its time | |")
    mine, its = (max(pair[who]["peak"] for pair in all_pairs) / 1e6 for who in ("ours", "theirs"))
    rows.append(
        f"| {label} | peak memory (file {path.stat().st_size / 1e6:.0f} MB) "
        f"| {mine:.0f} MB | {its:.0f} MB | {mine / its:.2f}× its memory | |"
    )
    return rows


def cell(label, name, tokens, what, pairs):
    def best(who, key):
        return min(pair[who][what][key] for pair in pairs)

    mine, its = (tokens / best(who, "seconds") for who in ("ours", "theirs"))
    processor = best("theirs", "cpu_seconds") / max(best("ours", "cpu_seconds"), 1e-9)
    share = max(pair["ours"]["share"] for pair in pairs) if what == "decode" else None
    shown = f"{share * 100:.0f} %" if share else ""
    return f"| {label} | {name} | {mine:.1f} | {its:.1f} | {mine / its:.2f} ({processor:.2f}) | {shown} |"


def warm(path):
    """Has the system hold the file in memory."""
    with open(path, "rb") as file:
        while file.read(16 << 20):
            pass


def starter():
    home = Path(os.environ.get("RAG_MODELS", Path.home() / ".local/share/rag/models"))
    return home / "smollm2-135m-instruct" / "SmolLM2-135M-Instruct.Q4_1.gguf"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true", help="smaller models, fewer tokens and rounds")
    ap.add_argument("--model", type=Path, action="append", help="a GGUF file instead of the four models")
    ap.add_argument("--shape", action="append", choices=SHAPES, help="only these shapes of random weights")
    ap.add_argument("--rounds", type=int, help="runs of each program for a cell")
    ap.add_argument("--rag", default="rag", help="the program [default: rag of the PATH]")
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--dir", type=Path, default=Path("/tmp"), help="where files of random weights are made")
    options = ap.parse_args()

    cells = [(SHORT, 128), (LONG, 128)]
    files = [(path.stem, path, None) for path in options.model or []]
    if not files:
        shapes = options.shape or (SHAPES[:2] if options.quick else SHAPES)
        files = [] if options.shape else [("SmolLM2-135M Q4_1", starter(), None)]
        files += [(f"{shape} Q4_K_M", options.dir / f"rag-bench-{shape}.gguf", shape) for shape in shapes]
    print("| model | cell | rag | llama.cpp | ratio | of memory's speed |\n|---|---|---|---|---|---|", flush=True)
    for label, path, shape in files:
        try:
            if shape:
                say(f"making {path}")
                subprocess.run([sys.executable, HERE / "shapes.py", shape, path], check=True)
            is_small = path.stat().st_size < 1 << 30
            rounds = options.rounds or (1 if options.quick or not is_small else 3)
            runs = cells
            if options.quick:
                runs = [(SHORT, 64), (LONG, 64)] if is_small else [(SHORT, 32)]
            for row in compare(label, path, rounds, runs, options):
                print(row, flush=True)
        finally:
            if shape:
                path.unlink(missing_ok=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        theirs_in_child(sys.argv[2], *map(int, sys.argv[3:7]))
    else:
        main()
