"""Makes `decoders.json`: what llama.cpp gives for a tiny model of each family of decoders.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install llama-cpp-python gguf numpy
    /tmp/venv/bin/python crates/model/tests/decoders.py

A model is its metadata and the names and dimensions of its tensors; weights come from the names by a
generator that src/decoder/parity.rs has as well, so that no weights are kept. The fixture holds the
models, the tokens that follow a prompt greedily, the logarithms of the probabilities of the prompt's
tokens, and all scores after the prompt and after the last token, in thousandths.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

HERE = Path(__file__).parent
MASK = (1 << 64) - 1
PROMPT, STEPS, CONTEXT = 200, 50, 512
HIDDEN, HEADS, KEY_HEADS, HEAD, INNER, LAYERS = 64, 4, 2, 16, 96, 4


def mixed(state):
    """splitmix64's output function (Vigna, https://prng.di.unimi.it/splitmix64.c), on arrays."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def fnv(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def weights(name, dims, size, middle):
    """Numbers within `size` of `middle`."""
    with np.errstate(over="ignore"):
        counter = np.arange(1, int(np.prod(dims)) + 1, dtype=np.uint64)
        state = np.uint64(fnv(name)) + counter * np.uint64(0x9E3779B97F4A7C15)
        bits = mixed(state) >> np.uint64(40)
    unit = bits.astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    return (unit * np.float32(size) + np.float32(middle)).reshape(dims)


def tokens():
    """The vocabulary of src/testing.rs."""
    printable = [*range(33, 127), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters, spare = {}, 0
    for byte in range(256):
        if byte not in printable:
            letters[byte], spare = chr(256 + spare), spare + 1
        else:
            letters[byte] = chr(byte)
    return ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(letters[b] for b in range(256)), "he", "Ġt"]


class Model:
    """A model's metadata and tensors: [name, dims (rows first), size, middle]."""

    def __init__(self, architecture, layers=LAYERS, head=HEAD, rope=HEAD, **keys):
        self.architecture, self.layers, self.head = architecture, layers, head
        self.keys = {
            "embedding_length": HIDDEN, "block_count": layers, "context_length": CONTEXT,
            "feed_forward_length": INNER, "attention.head_count": HEADS,
            "attention.head_count_kv": KEY_HEADS, "attention.key_length": head,
            "attention.value_length": head, "attention.layer_norm_rms_epsilon": 1e-6,
            "rope.dimension_count": rope, "rope.freq_base": 10000.0,
        } | {key.replace("__", "."): value for key, value in keys.items()}
        self.tensors = []
        self.matrix("token_embd.weight", len(tokens()), HIDDEN, 4.0)
        self.norm("output_norm.weight", HIDDEN)

    def add(self, name, dims, size, middle=0.0):
        self.tensors.append([name, list(dims), size, middle])

    def matrix(self, name, rows, columns, gain=1.0):
        self.add(name, (rows, columns), round(float(1.7 * gain / np.sqrt(columns)), 4))

    def norm(self, name, width):
        self.add(name, (width,), 0.5, 1.0)

    def untied(self):
        self.matrix("output.weight", len(tokens()), HIDDEN, 3.0)
        return self

    def attention(self, p, biases=False, norms=False, gated=False):
        queries, keys = HEADS * self.head, KEY_HEADS * self.head
        asked = 2 * queries if gated else queries
        self.matrix(p + "attn_q.weight", asked, HIDDEN, 1.5)
        self.matrix(p + "attn_k.weight", keys, HIDDEN, 1.5)
        self.matrix(p + "attn_v.weight", keys, HIDDEN)
        self.matrix(p + "attn_output.weight", HIDDEN, queries)
        if biases:
            for name, rows in (("q", asked), ("k", keys), ("v", keys)):
                self.add(f"{p}attn_{name}.bias", (rows,), 0.5)
        if norms:
            self.norm(p + "attn_q_norm.weight", self.head)
            self.norm(p + "attn_k_norm.weight", self.head)

    def dense(self, p, suffix="", inner=INNER):
        self.matrix(f"{p}ffn_gate{suffix}.weight", inner, HIDDEN)
        self.matrix(f"{p}ffn_up{suffix}.weight", inner, HIDDEN)
        self.matrix(f"{p}ffn_down{suffix}.weight", HIDDEN, inner)

    def experts(self, p, shared=False, joined=False, count=8, inner=32):
        self.keys |= {"expert_count": count, "expert_used_count": 2, "expert_feed_forward_length": inner}
        self.matrix(p + "ffn_gate_inp.weight", count, HIDDEN, 2.0)
        gates = [("gate_up", 2 * inner, HIDDEN)] if joined else [("gate", inner, HIDDEN), ("up", inner, HIDDEN)]
        for name, rows, columns in (*gates, ("down", HIDDEN, inner)):
            self.add(f"{p}ffn_{name}_exps.weight", (count, rows, columns), round(float(1.7 / np.sqrt(columns)), 4))
        if shared:
            self.keys["expert_shared_feed_forward_length"] = 48
            self.add(p + "ffn_gate_inp_shexp.weight", (HIDDEN,), 0.3)
            self.dense(p, "_shexp", 48)

    def delta(self, p, joined=False, heads=4, key_heads=2, head=16, kernel=4):
        self.keys |= {"ssm.conv_kernel": kernel, "ssm.state_size": head, "ssm.group_count": key_heads,
                      "ssm.time_step_rank": heads, "ssm.inner_size": heads * head}
        channels, values = (2 * key_heads + heads) * head, heads * head
        self.matrix(p + "attn_qkv.weight", channels, HIDDEN)
        self.matrix(p + "attn_gate.weight", values, HIDDEN)
        self.add(p + "ssm_conv1d.weight", (channels, kernel), 0.7)
        self.add(p + "ssm_dt.bias", (heads,), 0.5)
        self.add(p + "ssm_a", (heads,), 0.1, -0.15)
        if joined:
            self.matrix(p + "ssm_ba.weight", 2 * heads, HIDDEN)
        else:
            self.matrix(p + "ssm_beta.weight", heads, HIDDEN)
            self.matrix(p + "ssm_alpha.weight", heads, HIDDEN)
        self.norm(p + "ssm_norm.weight", head)
        self.matrix(p + "ssm_out.weight", HIDDEN, values)


def plain(architecture, biases=False, norms=False, experts=False, **keys):
    model = Model(architecture, **keys)
    for n in range(model.layers):
        p = f"blk.{n}."
        model.norm(p + "attn_norm.weight", HIDDEN)
        model.attention(p, biases, norms)
        model.norm(p + "ffn_norm.weight", HIDDEN)
        model.experts(p) if experts else model.dense(p)
    return model


def llama3():
    model = plain("llama", rope__freq_base=500000.0).untied()
    model.add("rope_freqs.weight", (HEAD // 2,), 3.0, 4.0)
    return model


def hybrid(architecture, experts=False):
    model = Model(architecture, rope=8, full_attention_interval=4)
    joined = architecture == "qwen3next"
    if not joined:
        model.keys["rope.dimension_sections"] = [2, 1, 1, 0]
    for n in range(model.layers):
        p = f"blk.{n}."
        model.norm(p + "attn_norm.weight", HIDDEN)
        if n % 4 == 3:
            model.attention(p, norms=True, gated=True)
        else:
            model.delta(p, joined)
        model.norm(p + "post_attention_norm.weight", HIDDEN)
        if experts:
            model.experts(p, shared=True, joined=architecture == "qwen35moe")
        else:
            model.dense(p)
    return model.untied()


def gemma3(**keys):
    model = Model("gemma3", layers=7, attention__sliding_window=48, rope__freq_base=1000000.0, **keys)
    for n in range(model.layers):
        p = f"blk.{n}."
        for name in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            model.norm(f"{p}{name}.weight", HIDDEN)
        model.attention(p, norms=True)
        model.dense(p)
    return model


def phi3(original):
    model = Model("phi3", rope=12, rope__scaling__original_context_length=original,
                  rope__scaling__attn_factor=1.19, rope__scaling__type="longrope")
    width = (HEADS + 2 * KEY_HEADS) * HEAD
    for n in range(model.layers):
        p = f"blk.{n}."
        model.norm(p + "attn_norm.weight", HIDDEN)
        model.matrix(p + "attn_qkv.weight", width, HIDDEN, 1.3)
        model.matrix(p + "attn_output.weight", HIDDEN, HEADS * HEAD)
        model.norm(p + "ffn_norm.weight", HIDDEN)
        model.matrix(p + "ffn_up.weight", 2 * INNER, HIDDEN)
        model.matrix(p + "ffn_down.weight", HIDDEN, INNER)
    model.add("rope_factors_short.weight", (6,), 0.4, 1.5)
    model.add("rope_factors_long.weight", (6,), 5.0, 7.0)
    return model.untied()


def scaled(architecture, kind, **keys):
    return plain(architecture, biases=architecture == "qwen2", rope__scaling__type=kind,
                 rope__scaling__factor=4.0, **keys)


MODELS = {
    "Llama 2, Mistral (tied output)": plain("llama"),
    "Llama 3.x (rope_freqs)": llama3(),
    "Llama, linear scaling": scaled("llama", "linear"),
    "Qwen2, Qwen2.5": plain("qwen2", biases=True, rope__freq_base=1000000.0),
    "Qwen2.5, YaRN": scaled("qwen2", "yarn", rope__scaling__original_context_length=64),
    "Qwen3": plain("qwen3", norms=True, head=32, rope=32),
    "Qwen3-MoE": plain("qwen3moe", norms=True, experts=True),
    "Qwen3-Next": hybrid("qwen3next", experts=True),
    "Qwen3.5": hybrid("qwen35"),
    "Qwen3.5-MoE": hybrid("qwen35moe", experts=True),
    "Gemma 3 (windows)": gemma3(),
    "Gemma 3, linear scaling": gemma3(rope__scaling__type="linear", rope__scaling__factor=8.0,
                                      final_logit_softcapping=30.0),
    "Phi-3, Phi-4 (short factors)": phi3(CONTEXT),
    "Phi-3, Phi-4 (long factors)": phi3(128),
}


def write(model, path):
    out = GGUFWriter(path, model.architecture)
    for key, value in model.keys.items():
        key = f"{model.architecture}.{key}"
        if isinstance(value, list):
            out.add_array(key, value)
        elif isinstance(value, str):
            out.add_string(key, value)
        elif isinstance(value, float):
            out.add_float32(key, value)
        else:
            out.add_uint32(key, value)
    words = tokens()
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("smollm")
    out.add_token_list(words)
    out.add_token_types([3 if n < 3 else 1 for n in range(len(words))])
    out.add_token_merges(["h e", "Ġ t"])
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    for name, dims, size, middle in model.tensors:
        out.add_tensor(name, weights(name, dims, size, middle))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def prompt():
    with np.errstate(over="ignore"):
        bits = mixed(np.arange(1, PROMPT + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return [int(3 + n % 256) for n in bits]


def rounded(numbers):
    return [int(round(float(x) * 1e3)) for x in numbers]


def run(path):
    import llama_cpp

    llm = llama_cpp.Llama(str(path), n_ctx=CONTEXT, n_batch=CONTEXT, logits_all=True, verbose=False,
                          type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32,
                          flash_attn=False, n_threads=2, n_gpu_layers=0)
    text = prompt()
    llm.eval(text)
    scores = np.array(llm.scores[:PROMPT], dtype=np.float64)
    shares = scores - np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1, keepdims=True)) - scores.max(1, keepdims=True)
    likelihood = [shares[n, text[n + 1]] for n in range(PROMPT - 1)]
    last, greedy, margins = scores[-1], [], []
    for _ in range(STEPS):
        order = np.sort(last)
        margins.append(order[-1] - order[-2])
        greedy.append(int(last.argmax()))
        llm.eval([greedy[-1]])
        last = np.array(llm.scores[llm.n_tokens - 1], dtype=np.float64)
    return {"likelihood": rounded(likelihood), "greedy": greedy, "after_prompt": rounded(scores[-1]),
            "after_all": rounded(last)}, min(margins), len(set(greedy)), float(np.std(last))


def by_layers(tensors):
    """Tensors that several layers have alike, once: [name, dims, size, middle, layers]."""
    all_layers = {}
    for name, dims, size, middle in tensors:
        layer, part = (int(name.split(".")[1]), name.split(".", 2)[2]) if name.startswith("blk.") else (None, name)
        layers = all_layers.setdefault((part, tuple(dims), size, middle), [])
        if layer is not None:
            layers.append(layer)
    return [[part, list(dims), size, middle, layers] for (part, dims, size, middle), layers in all_layers.items()]


def main():
    import llama_cpp

    fixture = {"reference": f"llama-cpp-python {llama_cpp.__version__}", "models": {}}
    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tiny.gguf"
            write(model, path)
            result, margin, distinct, spread = run(path)
        print(f"{name}: closest choice {margin:.4f}, {distinct} different tokens, spread {spread:.2f}")
        fixture["models"][name] = {"architecture": model.architecture, "keys": model.keys,
                                   "tensors": by_layers(model.tensors)} | result
    # One line for each field of each model: diffs stay readable, the file stays small.
    lines = [f'{{"reference": {json.dumps(fixture["reference"])}, "models": {{']
    for n, (name, model) in enumerate(fixture["models"].items()):
        fields = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in model.items())
        lines.append(f"{json.dumps(name)}: {{\n{fields}\n}}" + ("," if n + 1 < len(fixture["models"]) else ""))
    (HERE / "decoders.json").write_text("\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main()
