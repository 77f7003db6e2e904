//! `SentencePiece` vocabularies: text becomes characters, with `▁` for spaces, and neighbours merge to
//! the piece with the best score; what has no piece is written as bytes (Kudo and Richardson,
//! <https://arxiv.org/abs/1808.06226>; `tokenizer.ggml.model` is `llama`).

use std::collections::{HashMap, HashSet};

use candle_core::quantized::gguf_file::Value;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{NormalizerWrapper, Prepend, Replace, Sequence};
use tokenizers::{AddedToken, Tokenizer};

use super::TokenKind;

/// Stands for a space.
pub(super) const SPACE: char = '▁';

/// What a file says of its pieces.
pub(super) struct Pieces<'a> {
    pub(super) tokens: &'a [String],
    pub(super) kinds: &'a [TokenKind],
    pub(super) scores: &'a [f32],
    /// Whether a text is read as if a space stood before it.
    pub(super) prefixes_space: bool,
}

/// Bytes that are compared to find the pairs that pieces are made of. Those of real vocabularies are
/// some millions.
const MOST_COMPARED: usize = 1 << 30;

impl Pieces<'_> {
    /// Says what makes a vocabulary unusable.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.scores.len() != self.tokens.len() {
            return Err("its vocabulary has tokens without a score");
        }
        let compared = self.tokens.iter().map(|text| text.len().saturating_pow(2));
        if compared.fold(0, usize::saturating_add) > MOST_COMPARED {
            return Err("its vocabulary has tokens that are too long");
        }
        let all = self.tokens.iter().zip(self.kinds);
        let bytes = all.filter(|(_, kind)| **kind == TokenKind::Byte);
        let bytes: HashSet<u8> = bytes.filter_map(|(text, _)| byte_of(text)).collect();
        if (0..=u8::MAX).any(|byte| !bytes.contains(&byte)) {
            return Err("its vocabulary has no tokens for bytes");
        }
        Ok(())
    }

    /// A tokenizer that can't produce a mark: only plain pieces, bytes and runs of white space are in
    /// its vocabulary.
    pub(super) fn tokenizer(&self) -> tokenizers::Result<Tokenizer> {
        let mut vocabulary = Vocab::default();
        let mut runs = Vec::new();
        for (id, (text, kind)) in self.tokens.iter().zip(self.kinds).enumerate() {
            let is_run = *kind == TokenKind::Own && is_blank(text);
            if is_run {
                // Normalised as all text is, which leaves it as it is.
                runs.push(AddedToken::from(text.clone(), false).normalized(true));
            }
            if is_run || matches!(kind, TokenKind::Plain | TokenKind::Byte) {
                vocabulary.insert(text.clone(), id as u32);
            }
        }
        let model = BPE::builder()
            .vocab_and_merges(vocabulary, self.merges())
            .byte_fallback(true)
            .build()?;
        let mut tokenizer = Tokenizer::new(model);
        let mut steps: Vec<NormalizerWrapper> = Vec::new();
        if self.prefixes_space {
            steps.push(Prepend::new(SPACE.to_string()).into());
        }
        steps.push(Replace::new(" ", SPACE.to_string())?.into());
        tokenizer.with_normalizer(Some(Sequence::new(steps)))?;
        // With a prefix they would get one as well; no such vocabulary has them.
        if !self.prefixes_space {
            tokenizer.add_tokens(runs)?;
        }
        Ok(tokenizer)
    }

    /// Every way to put a piece together from two others, best pieces first.
    fn merges(&self) -> Vec<(String, String)> {
        let plain = || {
            let all = self.tokens.iter().zip(self.kinds).zip(self.scores);
            all.filter(|((_, kind), _)| **kind == TokenKind::Plain)
                .map(|((text, _), score)| (text.as_str(), *score))
        };
        let scores: HashMap<&str, f32> = plain().collect();
        let mut pieces: Vec<(&str, f32)> = plain().collect();
        // Stable, so that of equals the one with the lower number comes first.
        pieces.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut merges = Vec::new();
        for (piece, _) in pieces {
            for (at, _) in piece.char_indices().skip(1) {
                let (left, right) = piece.split_at(at);
                if scores.contains_key(left) && scores.contains_key(right) {
                    merges.push((left.to_owned(), right.to_owned()));
                }
            }
        }
        merges
    }
}

/// The byte that a token like `<0x0A>` stands for.
pub(super) fn byte_of(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_byte = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_byte.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// The scores of a list of values, none where one is no float.
pub(super) fn scores(values: &[Value]) -> Option<Vec<f32>> {
    values
        .iter()
        .map(|value| value.to_f32().ok().filter(|score| !score.is_nan()))
        .collect()
}

/// Whether a token is only white space, as in vocabularies that have a token for every run of it.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c == SPACE || c.is_whitespace())
}
