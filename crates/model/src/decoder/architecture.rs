//! The families of decoders, as data.
//!
//! A family is what its published models have in common and its files do not say; everything else
//! is read from the file ([`super::shape`]).

/// What distinguishes one family from another.
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
    pub(crate) layout: Layout,
    pub(crate) norms: Norms,
    pub(crate) activation: Activation,
    pub(crate) feed: FeedKind,
    pub(crate) mixing: Mixing,
    /// Of so many layers one looks at everything; the others look at a window, if the file gives one.
    /// 0: none looks at everything.
    pub(crate) window_pattern: usize,
    pub(crate) table: Scale,
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

/// How projections of the same vector are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Each in a tensor of its own.
    Apart,
    /// Queries, keys and values in one tensor, gate and values of the feed-forward layer in another.
    Joined,
}

/// Where norms stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Norms {
    /// Before attention and before the feed-forward network, whose tensor has this name.
    Before(&'static str),
    /// Before both, and on what each gives.
    Around,
}

/// What a feed-forward network does to its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    Silu,
    /// GELU in its approximation by a hyperbolic tangent.
    Gelu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedKind {
    Dense,
    /// Networks of which each token uses some.
    Experts,
    /// The same, and one more that every token uses.
    ExpertsAndOne,
}

/// How a layer lets tokens know of one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mixing {
    Attention,
    /// Attention whose result is gated in some layers, a gated delta net in the others.
    Hybrid(Groups),
}

/// Which key head belongs to value head n of a gated delta net with g key heads and r value heads for
/// each, and how its gates are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Groups {
    /// n mod g; the gates in two tensors.
    Tiled,
    /// n / r; the gates in one tensor, key head by key head.
    Blocks,
}

/// What tokens' vectors are multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    One,
    /// The square root of their length.
    Root,
}

const PLAIN: Architecture = Architecture {
    name: "",
    pairs: Pairs::Halves,
    biases: Need::Absent,
    head_norms: Need::Absent,
    layout: Layout::Apart,
    norms: Norms::Before("ffn_norm.weight"),
    activation: Activation::Silu,
    feed: FeedKind::Dense,
    mixing: Mixing::Attention,
    window_pattern: 0,
    table: Scale::One,
};

const QWEN35: Architecture = Architecture {
    name: "qwen35",
    head_norms: Need::Required,
    norms: Norms::Before("post_attention_norm.weight"),
    mixing: Mixing::Hybrid(Groups::Tiled),
    ..PLAIN
};

/// The families that can be run. `llama` covers Llama 2 and 3, Mistral, `SmolLM` and the
/// `DeepSeek-R1` distillates of Llama; `qwen2` those of Qwen; `phi3` Phi-3 and 4.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "llama",
        pairs: Pairs::Neighbours,
        biases: Need::Optional,
        ..PLAIN
    },
    Architecture {
        name: "qwen2",
        biases: Need::Required,
        ..PLAIN
    },
    Architecture {
        name: "qwen3",
        head_norms: Need::Required,
        ..PLAIN
    },
    Architecture {
        name: "qwen3moe",
        head_norms: Need::Required,
        feed: FeedKind::Experts,
        ..PLAIN
    },
    QWEN35,
    Architecture {
        name: "qwen35moe",
        feed: FeedKind::ExpertsAndOne,
        ..QWEN35
    },
    Architecture {
        name: "qwen3next",
        feed: FeedKind::ExpertsAndOne,
        mixing: Mixing::Hybrid(Groups::Blocks),
        ..QWEN35
    },
    Architecture {
        name: "gemma3",
        head_norms: Need::Required,
        norms: Norms::Around,
        activation: Activation::Gelu,
        window_pattern: 6,
        table: Scale::Root,
        ..PLAIN
    },
    Architecture {
        name: "phi3",
        layout: Layout::Joined,
        ..PLAIN
    },
];
