//! Byte-level BPE: text is split by a pattern of the model's family, then pairs of bytes are merged
//! (`tokenizer.ggml.model` is `gpt2`).

use std::collections::{HashMap, HashSet};

use tokenizers::Tokenizer;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

/// How a family of models splits text before merging (`tokenizer.ggml.pre`).
#[derive(Debug)]
pub(crate) struct Splitter {
    pub(crate) name: &'static str,
    split: Splitting,
    /// Whether text is composed to Unicode NFC first.
    composes: bool,
    /// Whether a piece that is a token as a whole is taken whole, merges or not.
    whole_first: bool,
}

#[derive(Debug)]
enum Splitting {
    /// GPT-2's pattern.
    Gpt2,
    /// Every digit alone, then GPT-2's pattern.
    DigitsThenGpt2,
    Pattern(&'static str),
}

// The patterns are part of their models' published tokenizer.json.
const LLAMA3: Splitting = Splitting::Pattern(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
const QWEN2: Splitting = Splitting::Pattern(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
// Letters with their accents as one word.
const QWEN35: Splitting = Splitting::Pattern(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
// Words end where a capital follows a small letter.
const TEKKEN: Splitting = Splitting::Pattern(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
const GPT4O: Splitting = Splitting::Pattern(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

pub(super) const SPLITTERS: &[Splitter] = &[
    Splitter {
        name: "smollm",
        split: Splitting::DigitsThenGpt2,
        composes: false,
        whole_first: false,
    },
    Splitter {
        name: "llama-bpe",
        split: LLAMA3,
        composes: false,
        whole_first: true,
    },
    Splitter {
        name: "qwen2",
        split: QWEN2,
        composes: true,
        whole_first: false,
    },
    Splitter {
        name: "deepseek-r1-qwen",
        split: QWEN2,
        composes: true,
        whole_first: false,
    },
    Splitter {
        name: "gpt-2",
        split: Splitting::Gpt2,
        composes: false,
        whole_first: false,
    },
    Splitter {
        name: "qwen35",
        split: QWEN35,
        composes: true,
        whole_first: false,
    },
    Splitter {
        name: "tekken",
        split: TEKKEN,
        composes: false,
        whole_first: true,
    },
    Splitter {
        name: "gpt-4o",
        split: GPT4O,
        composes: false,
        whole_first: false,
    },
    Splitter {
        name: "dbrx",
        split: LLAMA3,
        composes: false,
        whole_first: false,
    },
];

impl Splitter {
    fn pre_tokenizer(&self) -> tokenizers::Result<PreTokenizerWrapper> {
        let (first, bytes): (PreTokenizerWrapper, _) = match self.split {
            Splitting::Gpt2 => return Ok(ByteLevel::new(false, true, true).into()),
            Splitting::DigitsThenGpt2 => {
                (Digits::new(true).into(), ByteLevel::new(false, true, true))
            }
            Splitting::Pattern(pattern) => {
                let pattern = SplitPattern::Regex(pattern.to_owned());
                let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?;
                (split.into(), ByteLevel::new(false, true, false))
            }
        };
        Ok(Sequence::new(vec![first, bytes.into()]).into())
    }

    /// A tokenizer that can't produce a mark: they are not in its vocabulary.
    pub(super) fn tokenizer(
        &self,
        tokens: &[String],
        merges: Vec<String>,
        marks: &HashSet<&str>,
    ) -> tokenizers::Result<Tokenizer> {
        let merges: Vec<(String, String)> = merges
            .into_iter()
            .map(|merge| {
                merge
                    .split_once(' ')
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))
                    .ok_or_else(|| format!("`{merge}` is not a merge of two tokens").into())
            })
            .collect::<tokenizers::Result<Vec<_>>>()?;
        let vocabulary: Vocab = tokens
            .iter()
            .enumerate()
            .filter(|(_, text)| !marks.contains(text.as_str()))
            .map(|(id, text)| (text.clone(), id as u32))
            .collect();
        // The builder of tokenizers 0.23.2 has only room for the longest token.
        let longest = vocabulary.keys().map(String::len).max().unwrap_or(0);
        if let Some((a, b)) = merges.iter().find(|(a, b)| a.len() + b.len() > longest) {
            return Err(format!("`{a}` and `{b}` make no token").into());
        }
        let model = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .ignore_merges(self.whole_first)
            .build()?;
        let mut tokenizer = Tokenizer::new(model);
        if self.composes {
            tokenizer.with_normalizer(Some(NFC))?;
        }
        tokenizer.with_pre_tokenizer(Some(self.pre_tokenizer()?));
        Ok(tokenizer)
    }
}

/// The letter that stands for a byte in byte-level BPE: itself where it is printable, else one
/// from U+0100 on (GPT-2's `bytes_to_unicode`).
pub(crate) fn byte_letter(byte: u8) -> char {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|b| !printable(*b)).count();
    char::from_u32(0x100 + before as u32).unwrap_or_default()
}

pub(super) fn letter_byte(letter: char) -> Option<u8> {
    static BYTES: std::sync::LazyLock<HashMap<char, u8>> =
        std::sync::LazyLock::new(|| (0..=255).map(|b| (byte_letter(b), b)).collect());
    BYTES.get(&letter).copied()
}
