//! The shape of a decoder: which family it belongs to, and its sizes, from the file's metadata.
//!
//! Families differ in data only ([`ARCHITECTURES`]); what a file holds beyond its family's tensors
//! is refused, since leaving a tensor out gives another model.

use crate::fault::{Fault, Result};
use crate::gguf::Gguf;

/// What distinguishes one family of decoders from another.
#[derive(Debug)]
pub(crate) struct Architecture {
    /// `general.architecture`, also the prefix of the file's keys.
    pub(crate) name: &'static str,
    /// Which components rotary position embedding turns together.
    pub(crate) pairs: Pairs,
    /// Biases of the query, key and value projections.
    pub(crate) biases: Need,
    /// Normalisation of every query and key head before the rotation.
    pub(crate) head_norms: Need,
}

/// Which two components of a head make a rotated pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// 2i with 2i + 1.
    Neighbours,
    /// i with i + half, as in GPT-NeoX.
    Halves,
}

/// Whether a tensor must, may or can't be in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
    Absent,
}

/// The families that can be run. `llama` covers Llama 2 and 3, Mistral, `SmolLM` and the
/// `DeepSeek-R1` distillates of Llama.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "llama",
        pairs: Pairs::Neighbours,
        biases: Need::Optional,
        head_norms: Need::Absent,
    },
    Architecture {
        name: "qwen2",
        pairs: Pairs::Halves,
        biases: Need::Required,
        head_norms: Need::Absent,
    },
    Architecture {
        name: "qwen3",
        pairs: Pairs::Halves,
        biases: Need::Absent,
        head_norms: Need::Required,
    },
];

/// A decoder's sizes.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) architecture: &'static Architecture,
    pub(crate) layers: usize,
    /// Length of a token's vector.
    pub(crate) hidden: usize,
    /// Width of the feed-forward layers.
    pub(crate) inner: usize,
    pub(crate) heads: usize,
    /// Heads of keys and values, each shared by `heads / key_heads` query heads.
    pub(crate) key_heads: usize,
    pub(crate) head: usize,
    /// Rows of the token table.
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    pub(crate) epsilon: f64,
    pub(crate) rope_base: f64,
    /// Positions are divided by this (linear scaling).
    pub(crate) rope_stretch: f64,
}

impl Shape {
    /// Reads and checks the sizes, and that the file's tensors are those of its family.
    pub(crate) fn read(gguf: &Gguf) -> Result<Self> {
        let architecture = architecture(gguf)?;
        let key = |name: &str| format!("{}.{name}", architecture.name);
        if gguf.number(&key("expert_count")).unwrap_or(0) > 0 {
            let found = format!("{} with experts", architecture.name);
            return Err(unsupported(gguf, "architecture", found, known()));
        }
        let hidden = gguf.required_number(&key("embedding_length"))?;
        let heads = gguf.required_number(&key("attention.head_count"))?;
        let key_heads = gguf
            .number(&key("attention.head_count_kv"))
            .unwrap_or(heads);
        let head = gguf
            .number(&key("attention.key_length"))
            .unwrap_or(hidden / heads.max(1));
        let context = gguf.required_number(&key("context_length"))?;
        let window = gguf.number(&key("attention.sliding_window")).unwrap_or(0);
        let table = gguf.content.tensor_infos.get("token_embd.weight");
        let shape = Self {
            architecture,
            layers: gguf.required_number(&key("block_count"))?,
            hidden,
            inner: gguf.required_number(&key("feed_forward_length"))?,
            heads,
            key_heads,
            head,
            vocabulary: table.map_or(0, |info| info.shape.dims()[0]),
            // Beyond its window a sliding attention differs from a full one; inside it does not.
            context: if window == 0 {
                context
            } else {
                context.min(window)
            },
            epsilon: gguf
                .float(&key("attention.layer_norm_rms_epsilon"))
                .ok_or_else(|| gguf.unsound("it does not give the epsilon of its norms"))?,
            rope_base: gguf.float(&key("rope.freq_base")).unwrap_or(10_000.0),
            rope_stretch: stretch(gguf, architecture.name)?,
        };
        shape.check(gguf)?;
        Ok(shape)
    }

    /// The tensors of the family with their dimensions, rows first.
    fn tensors(&self) -> Vec<(String, Vec<usize>, Need)> {
        let (hidden, inner) = (self.hidden, self.inner);
        let (queries, keys) = (self.heads * self.head, self.key_heads * self.head);
        let Architecture {
            biases, head_norms, ..
        } = *self.architecture;
        let required = Need::Required;
        let mut all = vec![
            (
                "token_embd.weight".into(),
                vec![self.vocabulary, hidden],
                required,
            ),
            ("output_norm.weight".into(), vec![hidden], required),
            (
                "output.weight".into(),
                vec![self.vocabulary, hidden],
                Need::Optional,
            ),
            // Scores of "yes" and "no", where a model was made to judge passages.
            ("cls.output.weight".into(), vec![2, hidden], Need::Optional),
            (
                "rope_freqs.weight".into(),
                vec![self.head / 2],
                Need::Optional,
            ),
        ];
        for layer in 0..self.layers {
            let of_layer = [
                ("attn_norm.weight", vec![hidden], required),
                ("attn_q.weight", vec![queries, hidden], required),
                ("attn_k.weight", vec![keys, hidden], required),
                ("attn_v.weight", vec![keys, hidden], required),
                ("attn_q.bias", vec![queries], biases),
                ("attn_k.bias", vec![keys], biases),
                ("attn_v.bias", vec![keys], biases),
                ("attn_q_norm.weight", vec![self.head], head_norms),
                ("attn_k_norm.weight", vec![self.head], head_norms),
                ("attn_output.weight", vec![hidden, queries], required),
                ("ffn_norm.weight", vec![hidden], required),
                ("ffn_gate.weight", vec![inner, hidden], required),
                ("ffn_up.weight", vec![inner, hidden], required),
                ("ffn_down.weight", vec![hidden, inner], required),
            ];
            all.extend(
                of_layer.map(|(name, dims, need)| (format!("blk.{layer}.{name}"), dims, need)),
            );
        }
        all
    }

    fn check(&self, gguf: &Gguf) -> Result<()> {
        let sizes = [
            self.layers,
            self.hidden,
            self.heads,
            self.key_heads,
            self.head,
            self.context,
        ];
        if sizes.contains(&0) || !self.heads.is_multiple_of(self.key_heads) {
            return Err(gguf.unsound("its sizes contradict one another"));
        }
        let prefix = self.architecture.name;
        for name in ["attention.value_length", "rope.dimension_count"] {
            let key = format!("{prefix}.{name}");
            if gguf.number(&key).is_some_and(|n| n != self.head) {
                return Err(unsupported(gguf, "value of", key, self.head.to_string()));
            }
        }
        let infos = &gguf.content.tensor_infos;
        let mut known = 0;
        // Every layer has tensors, so a file can't claim more layers than it has tensors.
        if self.layers > infos.len() {
            return Err(gguf.unsound("layers are missing"));
        }
        for (name, dims, need) in self.tensors() {
            match (infos.get(&name), need) {
                (Some(info), Need::Required | Need::Optional) if info.shape.dims() != dims => {
                    return Err(gguf.unsound(format!(
                        "tensor `{name}` is {:?} and should be {dims:?}",
                        info.shape.dims()
                    )));
                }
                (Some(_), Need::Required | Need::Optional) => known += 1,
                (None, Need::Required) => {
                    return Err(gguf.unsound(format!("tensor `{name}` is missing")));
                }
                (_, Need::Absent) | (None, Need::Optional) => {}
            }
        }
        if known < infos.len() {
            let names: std::collections::HashSet<String> = self
                .tensors()
                .into_iter()
                .filter_map(|(name, _, need)| (need != Need::Absent).then_some(name))
                .collect();
            let extra = infos.keys().filter(|name| !names.contains(*name)).min();
            let extra = extra.cloned().unwrap_or_default();
            let known = format!("the tensors of `{prefix}`");
            return Err(unsupported(gguf, "tensor", extra, known));
        }
        Ok(())
    }
}

fn architecture(gguf: &Gguf) -> Result<&'static Architecture> {
    let found = gguf
        .text("general.architecture")
        .ok_or_else(|| gguf.unsound("it does not name its architecture"))?;
    ARCHITECTURES
        .iter()
        .find(|a| a.name == found)
        .ok_or_else(|| unsupported(gguf, "architecture", found.to_owned(), known()))
}

/// How far the positions are stretched. Tables of factors (Llama 3) are a tensor, not a key.
fn stretch(gguf: &Gguf, architecture: &str) -> Result<f64> {
    let key = |name: &str| format!("{architecture}.rope.scaling.{name}");
    match gguf.text(&key("type")) {
        None | Some("none") => Ok(1.0),
        Some("linear") => gguf
            .float(&key("factor"))
            .filter(|factor| *factor > 0.0)
            .ok_or_else(|| gguf.unsound("its position scaling has no factor")),
        Some(other) => Err(unsupported(
            gguf,
            "position scaling",
            other.to_owned(),
            "none, linear".to_owned(),
        )),
    }
}

fn known() -> String {
    let names: Vec<_> = ARCHITECTURES.iter().map(|a| a.name).collect();
    names.join(", ")
}

fn unsupported(gguf: &Gguf, what: &'static str, found: String, known: String) -> Fault {
    Fault::Unsupported {
        model: gguf.label(),
        what,
        found,
        known,
    }
}
