#!/usr/bin/env python3
"""Make GGUF language models of known shapes with random weights, quantised as Q4_K_M files are.

Speed and memory do not depend on what the weights are. Tokens are numbers: such a model reads and
writes nothing.

    pip install gguf numpy
    shapes.py qwen3-4b out.gguf
"""
import sys

import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf import GGUFWriter, TokenType

# architecture, layers, hidden, heads, key heads, head, feed-forward, vocabulary, tied output, rope base
SHAPES = {
    "qwen3-0.6b": ("qwen3", 28, 1024, 16, 8, 128, 3072, 151936, True, 1e6),
    "qwen3-4b": ("qwen3", 36, 2560, 32, 8, 128, 9728, 151936, True, 1e6),
    "llama3-8b": ("llama", 32, 4096, 32, 8, 128, 14336, 128256, False, 5e5),
}

# Bytes of a block of 256 weights, and where its half-precision factors lie (offset, divisor).
BLOCKS = {Q.Q4_K: (144, [(0, 160), (2, 21)]), Q.Q6_K: (210, [(208, 1400)])}

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


class Weights:
    """Random blocks, of which each matrix takes as many as it needs."""

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.pools = {}

    def matrix(self, rows, columns, kind):
        size, factors = BLOCKS[kind]
        key = (kind, columns)
        if key not in self.pools:
            pool = self.rng.integers(0, 256, (4096, size), dtype=np.uint8)
            for offset, divisor in factors:
                factor = np.array([0.6 / np.sqrt(columns) / divisor], dtype=np.float16)
                pool[:, offset : offset + 2] = factor.view(np.uint8)
            self.pools[key] = pool
        count = rows * (columns // 256)
        blocks = np.resize(self.pools[key], (count, size))
        return blocks.reshape(rows, -1)


def make(name, path):
    arch, layers, hidden, heads, key_heads, head, inner, words, tied, base = SHAPES[name]
    w = GGUFWriter(path, arch)
    w.add_name(f"random {name}")
    w.add_context_length(32768)
    w.add_embedding_length(hidden)
    w.add_block_count(layers)
    w.add_feed_forward_length(inner)
    w.add_head_count(heads)
    w.add_head_count_kv(key_heads)
    w.add_key_length(head)
    w.add_value_length(head)
    w.add_rope_dimension_count(head)
    w.add_rope_freq_base(base)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_vocab_size(words)
    # The 256 bytes as byte-level BPE writes them, marks, and words that nobody uses.
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden_bytes = [n for n in range(256) if n not in shown]
    letters = [chr(n) for n in shown] + [chr(256 + n) for n in range(len(hidden_bytes))]
    tokens = ["<s>", "</s>", *letters, "ab"]
    kinds = [TokenType.CONTROL] * 2 + [TokenType.NORMAL] * 257
    tokens += [f"<unused_{n}>" for n in range(len(tokens), words)]
    kinds += [TokenType.UNUSED] * (words - len(kinds))
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types([int(kind) for kind in kinds])
    w.add_token_merges(["a b"])
    w.add_bos_token_id(0)
    w.add_eos_token_id(1)
    w.add_chat_template(TEMPLATE)

    weights = Weights()
    low, high = Q.Q4_K, Q.Q6_K

    def put(name, rows, columns, kind):
        w.add_tensor(name, weights.matrix(rows, columns, kind), raw_dtype=kind)

    def ones(name, count):
        w.add_tensor(name, np.ones(count, dtype=np.float32))

    put("token_embd.weight", words, hidden, high if tied else low)
    ones("output_norm.weight", hidden)
    if not tied:
        put("output.weight", words, hidden, high)
    for n in range(layers):
        at = f"blk.{n}."
        # llama.cpp's rule for Q4_K_M: the first and last eighth, and every third between.
        is_first_or_last = n < layers // 8 or n >= 7 * layers // 8
        more = high if is_first_or_last or (n - layers // 8) % 3 == 2 else low
        ones(at + "attn_norm.weight", hidden)
        ones(at + "ffn_norm.weight", hidden)
        put(at + "attn_q.weight", heads * head, hidden, low)
        put(at + "attn_k.weight", key_heads * head, hidden, low)
        put(at + "attn_v.weight", key_heads * head, hidden, more)
        put(at + "attn_output.weight", hidden, heads * head, low)
        if arch == "qwen3":
            ones(at + "attn_q_norm.weight", head)
            ones(at + "attn_k_norm.weight", head)
        put(at + "ffn_gate.weight", inner, hidden, low)
        put(at + "ffn_up.weight", inner, hidden, low)
        put(at + "ffn_down.weight", hidden, inner, more)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
        raise SystemExit(f"{__doc__}\nshapes: {', '.join(SHAPES)}")
    make(sys.argv[1], sys.argv[2])
