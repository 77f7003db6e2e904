//! Text to tokens for models that read a text as a whole: embedders and rerankers.

use std::path::Path;

use tokenizers::{Encoding, PostProcessor, Tokenizer, TruncationDirection};

use crate::encoder::Sequence;
use crate::fault::{Fault, Result};
use crate::gguf::Gguf;
use crate::model_files::ModelFiles;
use crate::vocabulary::Vocabulary;

/// The token that ends a text for embedders made of Qwen3. Their files often name another one, which
/// ends a turn in a conversation.
const END: &str = "<|endoftext|>";

/// A tokenizer, with the special tokens that its model wants around a text.
#[derive(Debug)]
pub(crate) enum TextTokens {
    /// Of a `tokenizer.json`.
    File { model: String, tokenizer: Tokenizer },
    /// Of a GGUF file.
    Gguf { vocabulary: Vocabulary, end: u32 },
}

impl TextTokens {
    /// Opens the tokenizer of a model's files; `model` is what people call it.
    pub(crate) fn open(files: &ModelFiles, model: &str) -> Result<Self> {
        match files {
            ModelFiles::Encoder { tokenizer, .. } => Ok(Self::File {
                model: model.to_owned(),
                tokenizer: read(tokenizer)?,
            }),
            ModelFiles::Gguf(path) => Self::of_gguf(&Gguf::open(path)?),
        }
    }

    /// The vocabulary of an open GGUF file.
    pub(crate) fn of_gguf(gguf: &Gguf) -> Result<Self> {
        let vocabulary = Vocabulary::read(gguf)?;
        let end = vocabulary.token(END).or(vocabulary.end);
        let end = end.ok_or_else(|| gguf.unsound("it names no token that ends a text"))?;
        Ok(Self::Gguf { vocabulary, end })
    }

    /// Number of tokens of `text` without special tokens.
    pub(crate) fn count(&self, text: &str) -> usize {
        let counted = match self {
            Self::File { tokenizer, .. } => tokenizer
                .encode_fast(text, false)
                .ok()
                .map(|encoding| encoding.len()),
            Self::Gguf { vocabulary, .. } => vocabulary.encode(text).ok().map(|ids| ids.len()),
        };
        // A token has at least one byte.
        counted.unwrap_or(text.len())
    }

    /// Number of special tokens around one text.
    pub(crate) fn special(&self) -> usize {
        match self {
            Self::File { tokenizer, .. } => added(tokenizer, false),
            Self::Gguf { vocabulary, .. } => 1 + usize::from(vocabulary.begins),
        }
    }

    /// The tokens of one text with the special ones around it.
    pub(crate) fn one(&self, text: &str) -> Result<Sequence> {
        match self {
            Self::File { model, tokenizer } => {
                let encoding = tokenizer
                    .encode_fast(text, true)
                    .map_err(|source| failed(model, source))?;
                Ok(Sequence::one(encoding.get_ids().to_vec()))
            }
            Self::Gguf { vocabulary, end } => {
                let begin = vocabulary.begin.filter(|_| vocabulary.begins);
                let mut ids: Vec<u32> = begin.into_iter().collect();
                ids.extend(vocabulary.encode(text)?);
                ids.push(*end);
                Ok(Sequence::one(ids))
            }
        }
    }
}

/// A tokenizer that sets two texts behind one another, as cross-encoders want them.
#[derive(Debug)]
pub(crate) struct PairTokens {
    model: String,
    tokenizer: Tokenizer,
    /// Tokens that both texts may have together.
    room: usize,
}

/// A question whose pairs are to be made.
#[derive(Debug)]
pub(crate) struct Question(Encoding);

impl PairTokens {
    /// Opens a `tokenizer.json` for pairs of at most `max_tokens` tokens, special ones included.
    pub(crate) fn open(path: &Path, model: &str, max_tokens: usize) -> Result<Self> {
        let tokenizer = read(path)?;
        Ok(Self {
            room: max_tokens.saturating_sub(added(&tokenizer, true)),
            model: model.to_owned(),
            tokenizer,
        })
    }

    /// The tokens of a question, refused where it leaves no room for a passage.
    pub(crate) fn question(&self, text: &str) -> Result<Question> {
        let encoding = self.encode(text)?;
        if encoding.len() < self.room {
            return Ok(Question(encoding));
        }
        Err(Fault::QuestionTooLong {
            model: self.model.clone(),
            tokens: encoding.len(),
            limit: self.room.saturating_sub(1),
        })
    }

    /// The tokens of a question and a passage, whose end is left out where it is too long.
    pub(crate) fn pair(&self, question: &Question, passage: &str) -> Result<Sequence> {
        let mut passage = self.encode(passage)?;
        let room = self.room - question.0.len();
        passage.truncate(room, 0, TruncationDirection::Right);
        passage.take_overflowing();
        // Some post-processors leave the kinds as they are.
        passage.set_type_ids(vec![1; passage.len()]);
        let encoding = self
            .tokenizer
            .post_process(question.0.clone(), Some(passage), true)
            .map_err(|source| failed(&self.model, source))?;
        Ok(Sequence {
            ids: encoding.get_ids().to_vec(),
            second: encoding.get_type_ids().iter().position(|kind| *kind == 1),
        })
    }

    fn encode(&self, text: &str) -> Result<Encoding> {
        self.tokenizer
            .encode_fast(text, false)
            .map_err(|source| failed(&self.model, source))
    }
}

fn failed(model: &str, source: tokenizers::Error) -> Fault {
    Fault::Tokenizer {
        model: model.to_owned(),
        source,
    }
}

fn added(tokenizer: &Tokenizer, is_pair: bool) -> usize {
    tokenizer
        .get_post_processor()
        .map_or(0, |processor| processor.added_tokens(is_pair))
}

fn read(path: &Path) -> Result<Tokenizer> {
    let fault = |source| Fault::Format {
        path: path.to_owned(),
        format: "tokenizer",
        source,
    };
    let bytes = std::fs::read(path).map_err(|source| Fault::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(fault)?;
    // Files may ask for cutting and filling up; nothing is cut here, and nothing needs filling.
    tokenizer.with_truncation(None).map_err(fault)?;
    tokenizer.with_padding(None);
    // `[SEP]` in a text is text: special tokens are set by the post-processor alone.
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}
