//! The shape of a decoder: which family it belongs to, and its sizes, from the file's metadata.

use super::architecture::{ARCHITECTURES, Architecture, FeedKind, Layout, Mixing, Scale};
use super::tensors;
use crate::fault::{Fault, Result};
use crate::gguf::Gguf;

/// No size of a real model comes near; products of three sizes stay far from overflowing.
const LARGEST: usize = 1 << 20;
/// The same for the sides of a delta net's state.
const LARGEST_STATE: usize = 1 << 10;

/// A decoder's sizes.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) architecture: &'static Architecture,
    pub(crate) layers: usize,
    /// Layers behind these, which guess at tokens beyond the next and are not run.
    pub(crate) further: usize,
    /// Length of a token's vector.
    pub(crate) hidden: usize,
    /// Width of the dense feed-forward layers.
    pub(crate) inner: usize,
    pub(crate) heads: usize,
    /// Heads of keys and values, each shared by `heads / key_heads` query heads.
    pub(crate) key_heads: usize,
    pub(crate) head: usize,
    /// Rows of the token table.
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    pub(crate) epsilon: f64,
    pub(crate) rotary: Rotary,
    pub(crate) window: Option<Window>,
    pub(crate) experts: Option<ExpertSizes>,
    pub(crate) delta: Option<DeltaSizes>,
    /// Products of queries and keys are multiplied with this.
    pub(crate) attention_scale: f64,
    /// Scores are bent into ± this by a hyperbolic tangent.
    pub(crate) score_cap: Option<f64>,
}

/// How positions turn heads.
#[derive(Debug, Clone)]
pub(crate) struct Rotary {
    /// How many components at the start of a head are turned.
    pub(crate) turned: usize,
    pub(crate) base: f64,
    pub(crate) scaling: Scaling,
}

/// How positions beyond those that a model was first trained on are dealt with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scaling {
    /// Positions are divided by this. Tables of factors (Llama 3) are a tensor, not a key.
    Linear(f64),
    /// `YaRN` (Peng et al., <https://arxiv.org/abs/2309.00071>).
    Yarn {
        factor: f64,
        /// Positions trained on at first.
        original: usize,
        /// Turns over all of them from which on a pair is left as it is, and below which it is divided.
        fast: f64,
        slow: f64,
        magnitude: f64,
    },
    /// One table of factors for short texts, another for longer ones (`LongRoPE`, Ding et al.,
    /// <https://arxiv.org/abs/2402.13753>).
    Tables { original: usize, magnitude: f64 },
}

/// Layers whose tokens only look at the nearest before them.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// How many tokens are looked at, with the own.
    pub(crate) tokens: usize,
    /// For each layer whether it has the window.
    layers: Vec<bool>,
    /// Base of their rotation, which is never scaled, where it is another.
    pub(crate) base: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpertSizes {
    pub(crate) count: usize,
    /// How many of them a token uses.
    pub(crate) used: usize,
    pub(crate) inner: usize,
    /// Width of the one that all tokens use.
    pub(crate) shared_inner: usize,
    /// How gate and values of each are kept.
    pub(crate) layout: Layout,
}

/// Sizes of gated delta nets.
#[derive(Debug, Clone)]
pub(crate) struct DeltaSizes {
    /// Tokens that the convolution looks at, with the own.
    pub(crate) kernel: usize,
    pub(crate) key_heads: usize,
    pub(crate) heads: usize,
    /// Length of keys and values alike.
    pub(crate) head: usize,
    /// For each layer whether it is one.
    layers: Vec<bool>,
}

impl DeltaSizes {
    /// Numbers of a token that go through the convolution: queries, keys and values.
    pub(crate) fn channels(&self) -> usize {
        (2 * self.key_heads + self.heads) * self.head
    }

    pub(crate) fn values(&self) -> usize {
        self.heads * self.head
    }
}

/// How a layer lets tokens know of one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mixer {
    Attention(Sight),
    Delta,
}

/// What a token looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    All,
    /// So many tokens, with the own.
    Near(usize),
}

impl Shape {
    /// Reads and checks the sizes, and that the file's tensors are those of its family.
    pub(crate) fn read(gguf: &Gguf) -> Result<Self> {
        let architecture = architecture(gguf)?;
        let keys = Keys {
            gguf,
            prefix: architecture.name,
        };
        let hidden = keys.required("embedding_length")?;
        let heads = keys.required("attention.head_count")?;
        let head = match keys.optional("attention.key_length")? {
            Some(head) => head,
            None => hidden / heads.max(1),
        };
        let layers = keys.required("block_count")?;
        let further = keys.optional("nextn_predict_layers")?.unwrap_or(0);
        let layers = layers.saturating_sub(further);
        let shape = Self {
            architecture,
            layers,
            further,
            hidden,
            inner: keys.optional("feed_forward_length")?.unwrap_or(0),
            heads,
            key_heads: keys.optional("attention.head_count_kv")?.unwrap_or(heads),
            head,
            vocabulary: gguf
                .dims("token_embd.weight")
                .and_then(|dims| dims.first().copied())
                .unwrap_or(0),
            context: gguf.required_number(&keys.name("context_length"))?,
            epsilon: keys
                .float("attention.layer_norm_rms_epsilon")
                .ok_or_else(|| gguf.unsound("it does not give the epsilon of its norms"))?,
            rotary: rotary(&keys, head)?,
            window: window(&keys, architecture, layers)?,
            experts: experts(&keys, architecture)?,
            delta: delta(&keys, architecture, layers)?,
            attention_scale: attention_scale(&keys, layers, hidden, heads, head),
            score_cap: keys
                .float("final_logit_softcapping")
                .filter(|cap| *cap > 0.0),
        };
        shape.check(gguf)?;
        tensors::check(&shape, gguf)?;
        Ok(shape)
    }

    /// How layer number `n` mixes.
    pub(crate) fn mixer(&self, n: usize) -> Mixer {
        match (&self.delta, &self.window) {
            (Some(delta), _) if delta.layers[n] => Mixer::Delta,
            (_, Some(window)) if window.layers[n] => Mixer::Attention(Sight::Near(window.tokens)),
            _ => Mixer::Attention(Sight::All),
        }
    }

    /// Bytes of the keys and values of `tokens` tokens.
    pub(crate) fn cache_bytes(&self, tokens: usize) -> usize {
        let layers = (0..self.layers).filter(|n| matches!(self.mixer(*n), Mixer::Attention(_)));
        let token = 2 * self.key_heads * self.head * size_of::<f32>();
        layers.count().saturating_mul(token).saturating_mul(tokens)
    }

    /// What tokens' vectors are multiplied with.
    pub(crate) fn table_scale(&self) -> Option<f64> {
        match self.architecture.table {
            Scale::One => None,
            Scale::Root => Some((self.hidden as f64).sqrt()),
        }
    }

    /// Whether attention's results are gated: each query head then has as many gates as numbers.
    pub(crate) fn is_gated(&self) -> bool {
        self.delta.is_some()
    }

    fn check(&self, gguf: &Gguf) -> Result<()> {
        let sizes = [
            self.layers,
            self.hidden,
            self.heads,
            self.key_heads,
            self.head,
            self.context,
            self.vocabulary,
            self.rotary.turned,
        ];
        let contradicts = sizes.contains(&0)
            || !self.heads.is_multiple_of(self.key_heads)
            || self.rotary.turned > self.head
            || !self.rotary.turned.is_multiple_of(2);
        if contradicts {
            return Err(gguf.unsound("its sizes contradict one another"));
        }
        let prefix = self.architecture.name;
        let key = format!("{prefix}.attention.value_length");
        if gguf.number(&key).is_some_and(|n| n != self.head) {
            return Err(unsupported(gguf, "value of", key, self.head.to_string()));
        }
        let listed = gguf.array("tokenizer.ggml.tokens").map_or(0, <[_]>::len);
        let claimed = gguf.number(&format!("{prefix}.vocab_size")).unwrap_or(0);
        if listed.max(claimed) > self.vocabulary {
            return Err(gguf.unsound(format!(
                "it has more tokens than vectors for them: {} and {}",
                listed.max(claimed),
                self.vocabulary
            )));
        }
        Ok(())
    }
}

/// The keys of a file's own family.
struct Keys<'a> {
    gguf: &'a Gguf,
    prefix: &'static str,
}

impl Keys<'_> {
    fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn optional(&self, name: &str) -> Result<Option<usize>> {
        let key = self.name(name);
        match self.gguf.number(&key) {
            Some(size) if size > LARGEST => Err(self
                .gguf
                .unsound(format!("`{key}` is {size}; no model is that large"))),
            None if self.gguf.has(&key) => Err(unsupported(
                self.gguf,
                "value of",
                key,
                "one whole number for all layers".to_owned(),
            )),
            size => Ok(size),
        }
    }

    fn required(&self, name: &str) -> Result<usize> {
        let size = self.optional(name)?;
        size.map_or_else(|| self.gguf.required_number(&self.name(name)), Ok)
    }

    /// A list of yes and no, one for each layer.
    fn flags(&self, name: &str, layers: usize) -> Result<Option<Vec<bool>>> {
        let key = self.name(name);
        let Ok(list) = self.gguf.array(&key) else {
            return Ok(None);
        };
        let flags = list.iter().map(|value| value.to_bool().ok());
        let flags: Option<Vec<bool>> = flags.collect();
        match flags.filter(|flags| flags.len() >= layers) {
            Some(flags) => Ok(Some(flags)),
            None => Err(self
                .gguf
                .unsound(format!("`{key}` is not yes or no for each layer"))),
        }
    }

    fn float(&self, name: &str) -> Option<f64> {
        self.gguf.float(&self.name(name)).filter(|x| x.is_finite())
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

fn rotary(keys: &Keys, head: usize) -> Result<Rotary> {
    let base = keys.float("rope.freq_base").unwrap_or(10_000.0);
    if base <= 1.0 {
        return Err(keys
            .gguf
            .unsound("the base of its positions is not above 1"));
    }
    Ok(Rotary {
        turned: keys.optional("rope.dimension_count")?.unwrap_or(head),
        base,
        scaling: scaling(keys)?,
    })
}

fn scaling(keys: &Keys) -> Result<Scaling> {
    let gguf = keys.gguf;
    let factor = || {
        let factor = keys.float("rope.scaling.factor");
        // Files written before 2024 have another name for it.
        factor
            .or_else(|| keys.float("rope.scale_linear"))
            .filter(|factor| *factor > 0.0)
    };
    let missing = || gguf.unsound("its position scaling has no factor");
    let original = match keys.optional("rope.scaling.original_context_length")? {
        Some(original) => original,
        None => gguf.required_number(&keys.name("context_length"))?,
    };
    let magnitude = keys.float("rope.scaling.attn_factor").unwrap_or(1.0);
    match gguf.text(&keys.name("rope.scaling.type")) {
        _ if gguf.dims("rope_factors_short.weight").is_some() => Ok(Scaling::Tables {
            original,
            magnitude,
        }),
        Some("none") => Ok(Scaling::Linear(1.0)),
        None => Ok(Scaling::Linear(factor().unwrap_or(1.0))),
        Some("linear") => factor().map(Scaling::Linear).ok_or_else(missing),
        Some("yarn") => {
            let factor = factor().ok_or_else(missing)?;
            let beta =
                |name: &str, usual| keys.float(&format!("rope.scaling.{name}")).unwrap_or(usual);
            if keys
                .float("rope.scaling.yarn_log_multiplier")
                .is_some_and(|x| x != 0.0)
            {
                let key = keys.name("rope.scaling.yarn_log_multiplier");
                return Err(unsupported(gguf, "value of", key, "none".to_owned()));
            }
            Ok(Scaling::Yarn {
                factor,
                original,
                fast: beta("yarn_beta_fast", 32.0),
                slow: beta("yarn_beta_slow", 1.0),
                // Longer texts spread attention, which longer vectors make up for.
                magnitude: magnitude * (0.1 * factor.max(1.0).ln() + 1.0),
            })
        }
        Some(other) => Err(unsupported(
            gguf,
            "position scaling",
            other.to_owned(),
            "none, linear, yarn, longrope with its tables".to_owned(),
        )),
    }
}

fn window(keys: &Keys, architecture: &Architecture, layers: usize) -> Result<Option<Window>> {
    let tokens = keys.optional("attention.sliding_window")?.unwrap_or(0);
    if tokens == 0 {
        return Ok(None);
    }
    let key = "attention.sliding_window_pattern";
    let layers = match keys.flags(key, layers)? {
        Some(flags) => flags,
        None => all_but_each(
            keys.optional(key)?.unwrap_or(architecture.window_pattern),
            layers,
        ),
    };
    // Only families that mix both kinds of layers turn them by different bases.
    let mixes = architecture.window_pattern > 0;
    let base = mixes.then(|| keys.float("rope.freq_base_swa").unwrap_or(10_000.0));
    Ok(Some(Window {
        tokens,
        layers,
        base: base.filter(|base| *base > 1.0),
    }))
}

/// All of `layers` layers but the last of each `count`; all where that is 0.
fn all_but_each(count: usize, layers: usize) -> Vec<bool> {
    (0..layers)
        .map(|n| count == 0 || n % count != count - 1)
        .collect()
}

fn experts(keys: &Keys, architecture: &Architecture) -> Result<Option<ExpertSizes>> {
    let count = keys.optional("expert_count")?.unwrap_or(0);
    match (architecture.feed, count) {
        (FeedKind::Dense, 0) => Ok(None),
        (FeedKind::Dense, _) => {
            let found = format!("{} with experts", architecture.name);
            Err(unsupported(keys.gguf, "architecture", found, known()))
        }
        (FeedKind::Experts | FeedKind::ExpertsAndOne, _) => {
            let used = keys.required("expert_used_count")?;
            if used == 0 || used > count {
                return Err(keys
                    .gguf
                    .unsound(format!("a token uses {used} of its {count} experts")));
            }
            let inner = keys.required("expert_feed_forward_length")?;
            let shared = keys.optional("expert_shared_feed_forward_length")?;
            Ok(Some(ExpertSizes {
                count,
                used,
                inner,
                shared_inner: shared.unwrap_or(inner),
                layout: match keys.gguf.dims("blk.0.ffn_gate_up_exps.weight") {
                    Some(_) => Layout::Joined,
                    None => Layout::Apart,
                },
            }))
        }
    }
}

fn delta(keys: &Keys, architecture: &Architecture, layers: usize) -> Result<Option<DeltaSizes>> {
    if architecture.mixing == Mixing::Attention {
        return Ok(None);
    }
    let every = keys.optional("full_attention_interval")?.unwrap_or(4);
    let delta = DeltaSizes {
        kernel: keys.required("ssm.conv_kernel")?,
        key_heads: keys.required("ssm.group_count")?,
        heads: keys.required("ssm.time_step_rank")?,
        head: keys.required("ssm.state_size")?,
        layers: match keys.flags("attention.recurrent_layers", layers)? {
            Some(flags) => flags,
            None => all_but_each(every, layers),
        },
    };
    let sizes = [delta.kernel, delta.key_heads, delta.heads, delta.head];
    let inner = keys.required("ssm.inner_size")?;
    if sizes.contains(&0)
        // The state of a head is a square, so its side is not bounded by the file's length.
        || delta.head > LARGEST_STATE
        || delta.kernel > LARGEST_STATE
        || !delta.heads.is_multiple_of(delta.key_heads)
        || inner != delta.values()
    {
        return Err(keys
            .gguf
            .unsound("the sizes of its delta nets contradict one another"));
    }
    Ok(Some(delta))
}

fn attention_scale(keys: &Keys, layers: usize, hidden: usize, heads: usize, head: usize) -> f64 {
    /// Of the one Gemma 3 whose scale is not that of its heads (27B), which its file does not say.
    const LAYERS: usize = 62;
    let width = if keys.prefix == "gemma3" && layers == LAYERS {
        hidden as f64 / heads.max(1) as f64
    } else {
        head as f64
    };
    keys.float("attention.scale")
        .filter(|scale| *scale > 0.0)
        .unwrap_or_else(|| 1.0 / width.sqrt())
}

fn known() -> String {
    let names: Vec<_> = ARCHITECTURES.iter().map(|a| a.name).collect();
    names.join(", ")
}

pub(super) fn unsupported(gguf: &Gguf, what: &'static str, found: String, known: String) -> Fault {
    Fault::Unsupported {
        model: gguf.label(),
        what,
        found,
        known,
    }
}
