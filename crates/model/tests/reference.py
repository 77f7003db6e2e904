"""Makes `reference.json`: what transformers gives for the tiny models of this crate's tests; and
`two_tensors.bin`, as torch saves it.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch transformers tokenizers
    /tmp/venv/bin/python crates/model/tests/reference.py

Weights come from the names of tensors by a generator that src/testing.rs has as well, so that no weights
are kept. `unigram.json` is trained once and then kept: both sides read it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig, BertForSequenceClassification, ModernBertConfig,
    ModernBertForSequenceClassification, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM,
    XLMRobertaConfig, XLMRobertaForSequenceClassification,
)

HERE = Path(__file__).parent
MASK = (1 << 64) - 1


def noise(shape, size, seed):
    """As `noise` in src/testing.rs: xorshift64*."""
    state = (seed * 0x9E3779B97F4A7C15 & MASK) | 1
    numbers = np.empty(int(np.prod(shape)), dtype=np.float32)
    for i in range(len(numbers)):
        state ^= state >> 12
        state ^= state << 25 & MASK
        state ^= state >> 27
        bits = (state * 0x2545F4914F6CDD1D & MASK) >> 40
        numbers[i] = np.float32((np.float32(bits) / np.float32(1 << 23) - np.float32(1)) * np.float32(size))
    return torch.from_numpy(numbers.reshape(shape))


def fnv(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def named(name, shape):
    """As `named` in src/testing.rs."""
    is_norm = name.lower().endswith("norm.weight")
    return noise(shape, 0.5, fnv(name)) + (1.0 if is_norm else 0.0)


def filled(model):
    """Weights from names."""
    state = {name: named(name, tuple(t.shape)) for name, t in model.state_dict().items()
             if t.is_floating_point()}
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys, missing
    assert all("position_ids" in k or "inv_freq" in k for k in missing.missing_keys), missing
    return model.eval()


def rounded(tensor):
    return [float(f"{x:.7g}") for x in tensor.flatten().tolist()]


def unit(vector):
    return rounded(vector / vector.norm())


# ---- tokenizer ----

SENTENCES = [
    "the lamp of the lighthouse is lit at dusk", "who keeps the lamp of Port Averill?",
    "query: how long is the Skerry Line", "passage: the line runs along the coast",
    "灯塔的灯在黄昏点亮。", "谁看守灯塔？", "海岸线很长，灯塔很多。", "看守人每晚点灯。",
]


def unigram():
    path = HERE / "unigram.json"
    if not path.exists():
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        specials = ["<s>", "<pad>", "</s>", "<unk>"]
        trainer = trainers.UnigramTrainer(vocab_size=90, special_tokens=specials, unk_token="<unk>")
        tokenizer.train_from_iterator(SENTENCES, trainer)
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
            special_tokens=[("<s>", 0), ("</s>", 2)])
        tokenizer.save(str(path))
    return PreTrainedTokenizerFast(tokenizer_file=str(path), bos_token="<s>", eos_token="</s>",
                                   pad_token="<pad>", unk_token="<unk>", cls_token="<s>",
                                   sep_token="</s>")


QUESTIONS = ["who keeps the lamp?", "谁看守灯塔？"]
PASSAGES = [
    "the lamp is lit at dusk", "看守人每晚点灯。", "灯。",
    "the line runs along the coast and the lamp of the lighthouse is lit at dusk, 灯塔很多。" * 3,
]
TEXTS = ["who keeps the lamp?", "灯塔的灯在黄昏点亮。", "the Skerry Line"]


def xlm_roberta():
    tokenizer = unigram()
    longest = 64
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=48, max_position_embeddings=longest + 2, type_vocab_size=1, pad_token_id=1,
        bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5, num_labels=1)
    model = filled(XLMRobertaForSequenceClassification(config))
    out = {"vocabulary": len(tokenizer), "longest": longest, "mean": [], "cls": [], "scores": []}
    for prompt in ["query: ", "passage: "]:
        for text in TEXTS:
            ids = tokenizer(prompt + text, return_tensors="pt").input_ids
            states = model.roberta(ids).last_hidden_state[0]
            out["mean"].append({"text": text, "prompt": prompt, "vector": unit(states.mean(0))})
            out["cls"].append({"text": text, "prompt": prompt, "vector": unit(states[0])})
    for question in QUESTIONS:
        scores = []
        for passage in PASSAGES:
            ids = tokenizer(question, passage, truncation="only_second", max_length=longest,
                            return_tensors="pt").input_ids
            scores.append(float(model(ids).logits[0, 0]))
        out["scores"].append({"question": question, "passages": PASSAGES, "scores": scores})
    return out


def bert():
    config = BertConfig(
        vocab_size=12, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=20, type_vocab_size=2, layer_norm_eps=1e-12, num_labels=1)
    model = filled(BertForSequenceClassification(config))
    # Words a to g are 4 to 10; [CLS] 2, [SEP] 3.
    ids = lambda words: [4 + "abcdefg".index(w) for w in words.split()]
    out = {"cls": [], "scores": []}
    for text in ["a b c", "g", "a b c d e f g"]:
        states = model.bert(torch.tensor([[2, *ids(text), 3]])).last_hidden_state[0]
        out["cls"].append({"text": text, "vector": unit(states[0])})
    for question, passage in [("a b", "c d e"), ("g", "a"), ("a b", "c d e f g " * 5)]:
        first = [2, *ids(question), 3]
        second = ids(passage)[:20 - len(first) - 1] + [3]
        kinds = [0] * len(first) + [1] * len(second)
        logits = model(torch.tensor([first + second]), token_type_ids=torch.tensor([kinds])).logits
        out["scores"].append({"question": question, "passage": passage, "score": float(logits[0, 0])})
    return out


def modernbert():
    config = ModernBertConfig(
        vocab_size=12, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=300, global_attn_every_n_layers=3, local_attention=8,
        global_rope_theta=160000.0, local_rope_theta=10000.0, norm_eps=1e-5, num_labels=1,
        pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
        classifier_pooling="mean", attn_implementation="eager")
    model = filled(ModernBertForSequenceClassification(config))
    out = {"cls": [], "scores": []}
    for length in [3, 12, 260]:
        ids = [2, *[4 + n * n % 7 for n in range(length - 2)], 3]
        states = model.model(torch.tensor([ids])).last_hidden_state[0]
        out["cls"].append({"length": length, "vector": unit(states[0])})
        out["scores"].append({"length": length, "score": float(model(torch.tensor([ids])).logits[0, 0])})
    return out


# ---- Qwen3, as the GGUF of src/testing.rs has it ----

def byte_letters():
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters, extra = {}, 0
    for byte in range(256):
        if byte in printable:
            letters[byte] = chr(byte)
        else:
            letters[byte] = chr(0x100 + extra)
            extra += 1
    return letters


MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


class Bytes:
    """The vocabulary of `tokens()` in src/testing.rs with `yes` and `no` behind it."""

    def __init__(self):
        self.words = [*MARKS, *byte_letters().values(), "he", "Ġt", "yes", "no"]
        vocabulary = {word: i for i, word in enumerate(self.words)}
        self.tokenizer = Tokenizer(models.BPE(vocabulary, [("h", "e"), ("Ġ", "t")]))
        self.tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False)])

    def encode(self, text):
        return self.tokenizer.encode(text).ids

    def encode_template(self, text):
        ids = []
        while text:
            found = sorted((text.find(mark), i) for i, mark in enumerate(MARKS) if mark in text)
            if not found:
                return ids + self.encode(text)
            at, mark = found[0]
            ids += self.encode(text[:at]) + [mark]
            text = text[at + len(MARKS[mark]):]
        return ids


def qwen3():
    words = Bytes()
    hidden, heads, key_heads, head, inner, layers = 32, 4, 2, 8, 48, 2
    size = len(words.words)
    config = Qwen3Config(
        vocab_size=size, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=key_heads, head_dim=head, intermediate_size=inner, rms_norm_eps=1e-5,
        rope_theta=10000.0, max_position_embeddings=2048, tie_word_embeddings=False,
        attention_bias=False)
    model = Qwen3ForCausalLM(config)
    named = [("model.embed_tokens.weight", (size, hidden)), ("model.norm.weight", (hidden,)),
             ("lm_head.weight", (size, hidden))]
    for n in range(layers):
        layer = f"model.layers.{n}."
        named += [
            (layer + "input_layernorm.weight", (hidden,)),
            (layer + "self_attn.q_proj.weight", (heads * head, hidden)),
            (layer + "self_attn.k_proj.weight", (key_heads * head, hidden)),
            (layer + "self_attn.v_proj.weight", (key_heads * head, hidden)),
            (layer + "self_attn.q_norm.weight", (head,)),
            (layer + "self_attn.k_norm.weight", (head,)),
            (layer + "self_attn.o_proj.weight", (hidden, heads * head)),
            (layer + "post_attention_layernorm.weight", (hidden,)),
            (layer + "mlp.gate_proj.weight", (inner, hidden)),
            (layer + "mlp.up_proj.weight", (inner, hidden)),
            (layer + "mlp.down_proj.weight", (hidden, inner)),
        ]
    state = {}
    for seed, (name, shape) in enumerate(named, start=1):
        state[name] = noise(shape, 0.5, seed) + (1.0 if len(shape) == 1 else 0.0)
    model.load_state_dict(state, strict=True)
    model.eval()
    out = {"vectors": [], "scores": []}
    instruct = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
    for prompt in [instruct, ""]:
        for text in TEXTS + ["the lamp is lit. " * 30]:
            ids = words.encode(prompt + text) + [0]
            states = model.model(torch.tensor([ids])).last_hidden_state[0]
            vector = states[-1]
            out["vectors"].append({"text": text, "prompt": prompt, "vector": unit(vector),
                                   "cut": unit(vector[:16])})
    before = words.encode_template(
        '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and '
        'the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
        '<|im_start|>user\n')
    after = words.encode_template("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
    task = "Given a web search query, retrieve relevant passages that answer the query"
    for question in QUESTIONS:
        scores = []
        for passage in PASSAGES[:3]:
            pair = f"<Instruct>: {task}\n<Query>: {question}\n<Document>: {passage}"
            ids = before + words.encode(pair) + after
            logits = model(torch.tensor([ids])).logits[0, -1]
            scores.append(float(logits[size - 2] - logits[size - 1]))
        out["scores"].append({"question": question, "passages": PASSAGES[:3], "scores": scores})
    return out


torch.save({"x": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "half": torch.tensor([0.5], dtype=torch.float16)},
           HERE / "two_tensors.bin")
with torch.no_grad():
    reference = {"xlm_roberta": xlm_roberta(), "bert": bert(), "modernbert": modernbert(), "qwen3": qwen3()}
with open(HERE / "reference.json", "w", encoding="utf-8") as file:
    lines = json.dumps(reference, ensure_ascii=False, indent=1)
    # One vector a line.
    import re
    lines = re.sub(r"\[\s*(-?[\d.][^\[\]]*?)\s*\]", lambda m: "[" + " ".join(m[1].split()) + "]", lines)
    file.write(lines + "\n")
