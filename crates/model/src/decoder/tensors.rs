//! The tensors that a decoder of a given shape consists of.
//!
//! A file that lacks one can't be run; one that holds more is refused as well, since leaving a tensor
//! out gives another model.

use std::collections::HashSet;

use super::architecture::{Architecture, FeedKind, Groups, Layout, Mixing, Need, Norms};
use super::shape::{DeltaSizes, Mixer, Scaling, Shape, unsupported};
use crate::fault::Result;
use crate::gguf::Gguf;

/// A tensor's name, its dimensions (rows first) and whether it must be there.
type Expected = (String, Vec<usize>, Need);

/// Checks that the file has the tensors of its shape and no others.
pub(super) fn check(shape: &Shape, gguf: &Gguf) -> Result<()> {
    let found = gguf.tensor_names().len();
    // Every layer has tensors, so a file can't claim more layers than it has tensors.
    if shape.layers > found {
        return Err(gguf.unsound("layers are missing"));
    }
    let mut known = HashSet::new();
    for (name, dims, need) in expected(shape) {
        match gguf.dims(&name) {
            Some(_) if need == Need::Absent => {}
            Some(found) if found != dims => {
                return Err(gguf.unsound(format!(
                    "tensor `{name}` is {found:?} and should be {dims:?}"
                )));
            }
            None if need == Need::Required => {
                return Err(gguf.unsound(format!("tensor `{name}` is missing")));
            }
            _ => {}
        }
        if need != Need::Absent {
            known.insert(name);
        }
    }
    let extra = gguf
        .tensor_names()
        .filter(|name| !known.contains(*name) && !is_beyond(name, shape))
        .min();
    match extra {
        None => Ok(()),
        Some(extra) => {
            let known = format!("the tensors of `{}`", shape.architecture.name);
            Err(unsupported(gguf, "tensor", extra.to_owned(), known))
        }
    }
}

/// Whether a tensor belongs to a layer behind the last, which guesses at further tokens.
fn is_beyond(name: &str, shape: &Shape) -> bool {
    name.strip_prefix("blk.")
        .and_then(|rest| rest.split_once('.'))
        .and_then(|(number, _)| number.parse::<usize>().ok())
        .is_some_and(|number| (shape.layers..shape.layers + shape.further).contains(&number))
}

fn expected(shape: &Shape) -> Vec<Expected> {
    use Need::{Absent, Optional, Required};
    let hidden = shape.hidden;
    let turned = vec![shape.rotary.turned / 2];
    let tables = match shape.rotary.scaling {
        Scaling::Tables { .. } => Required,
        Scaling::Linear(_) | Scaling::Yarn { .. } => Absent,
    };
    let mut all: Vec<Expected> = [
        (
            "token_embd.weight",
            vec![shape.vocabulary, hidden],
            Required,
        ),
        ("output_norm.weight", vec![hidden], Required),
        ("output.weight", vec![shape.vocabulary, hidden], Optional),
        // Scores of "yes" and "no", where a model was made to judge passages.
        ("cls.output.weight", vec![2, hidden], Optional),
        ("rope_freqs.weight", turned.clone(), Optional),
        ("rope_factors_short.weight", turned.clone(), tables),
        ("rope_factors_long.weight", turned, tables),
    ]
    .map(|(name, dims, need)| (name.to_owned(), dims, need))
    .into();
    for layer in 0..shape.layers {
        let mut parts = norms(shape);
        match (shape.mixer(layer), &shape.delta) {
            (Mixer::Delta, Some(delta)) => parts.extend(delta_net(shape, delta)),
            _ => parts.extend(attention(shape)),
        }
        parts.extend(feed(shape));
        all.extend(
            parts
                .into_iter()
                .map(|(name, dims, need)| (format!("blk.{layer}.{name}"), dims, need)),
        );
    }
    all
}

type Part = (&'static str, Vec<usize>, Need);

fn norms(shape: &Shape) -> Vec<Part> {
    let inner = match shape.architecture.norms {
        Norms::Before(name) => vec![name],
        Norms::Around => vec![
            "post_attention_norm.weight",
            "ffn_norm.weight",
            "post_ffw_norm.weight",
        ],
    };
    let all = std::iter::once("attn_norm.weight").chain(inner);
    all.map(|name| (name, vec![shape.hidden], Need::Required))
        .collect()
}

fn attention(shape: &Shape) -> Vec<Part> {
    use Need::Required;
    let (hidden, head) = (shape.hidden, shape.head);
    let (queries, keys) = (shape.heads * head, shape.key_heads * head);
    let asked = if shape.is_gated() {
        2 * queries
    } else {
        queries
    };
    let Architecture {
        biases, head_norms, ..
    } = *shape.architecture;
    let mut all = vec![
        ("attn_output.weight", vec![hidden, queries], Required),
        ("attn_q_norm.weight", vec![head], head_norms),
        ("attn_k_norm.weight", vec![head], head_norms),
    ];
    match shape.architecture.layout {
        Layout::Joined => all.push((
            "attn_qkv.weight",
            vec![queries + 2 * keys, hidden],
            Required,
        )),
        Layout::Apart => all.extend([
            ("attn_q.weight", vec![asked, hidden], Required),
            ("attn_k.weight", vec![keys, hidden], Required),
            ("attn_v.weight", vec![keys, hidden], Required),
            ("attn_q.bias", vec![asked], biases),
            ("attn_k.bias", vec![keys], biases),
            ("attn_v.bias", vec![keys], biases),
        ]),
    }
    all
}

fn delta_net(shape: &Shape, delta: &DeltaSizes) -> Vec<Part> {
    use Need::Required;
    let (hidden, heads) = (shape.hidden, delta.heads);
    let (channels, values) = (delta.channels(), delta.values());
    let mut all = vec![
        ("attn_qkv.weight", vec![channels, hidden], Required),
        ("attn_gate.weight", vec![values, hidden], Required),
        ("ssm_conv1d.weight", vec![channels, delta.kernel], Required),
        ("ssm_dt.bias", vec![heads], Required),
        ("ssm_a", vec![heads], Required),
        ("ssm_norm.weight", vec![delta.head], Required),
        ("ssm_out.weight", vec![hidden, values], Required),
    ];
    match shape.architecture.mixing {
        Mixing::Hybrid(Groups::Blocks) => {
            all.push(("ssm_ba.weight", vec![2 * heads, hidden], Required));
        }
        Mixing::Hybrid(Groups::Tiled) | Mixing::Attention => all.extend([
            ("ssm_beta.weight", vec![heads, hidden], Required),
            ("ssm_alpha.weight", vec![heads, hidden], Required),
        ]),
    }
    all
}

fn feed(shape: &Shape) -> Vec<Part> {
    use Need::Required;
    let (hidden, inner) = (shape.hidden, shape.inner);
    let Some(experts) = shape.experts else {
        let down = ("ffn_down.weight", vec![hidden, inner], Required);
        return match shape.architecture.layout {
            Layout::Joined => vec![down, ("ffn_up.weight", vec![2 * inner, hidden], Required)],
            Layout::Apart => vec![
                down,
                ("ffn_gate.weight", vec![inner, hidden], Required),
                ("ffn_up.weight", vec![inner, hidden], Required),
            ],
        };
    };
    let (count, inner) = (experts.count, experts.inner);
    let mut all = vec![
        ("ffn_gate_inp.weight", vec![count, hidden], Required),
        ("ffn_down_exps.weight", vec![count, hidden, inner], Required),
    ];
    match experts.layout {
        Layout::Joined => {
            all.push((
                "ffn_gate_up_exps.weight",
                vec![count, 2 * inner, hidden],
                Required,
            ));
        }
        Layout::Apart => all.extend([
            ("ffn_gate_exps.weight", vec![count, inner, hidden], Required),
            ("ffn_up_exps.weight", vec![count, inner, hidden], Required),
        ]),
    }
    if shape.architecture.feed == FeedKind::ExpertsAndOne {
        let inner = experts.shared_inner;
        all.extend([
            ("ffn_gate_inp_shexp.weight", vec![hidden], Required),
            ("ffn_gate_shexp.weight", vec![inner, hidden], Required),
            ("ffn_up_shexp.weight", vec![inner, hidden], Required),
            ("ffn_down_shexp.weight", vec![hidden, inner], Required),
        ]);
    }
    all
}
