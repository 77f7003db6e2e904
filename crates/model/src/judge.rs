//! A decoder that judges passages: whether one answers a question, by how much likelier "yes" is than
//! "no" as the next word (Qwen3-Reranker, <https://arxiv.org/abs/2506.05176>).

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::decoder::Decoder;
use crate::fault::{Fault, OfModel, Result};
use crate::gguf::Gguf;
use crate::vocabulary::Vocabulary;

// The three are part of the model as it was trained; from its model card.
const BEFORE: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
const AFTER: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
const INSTRUCTION: &str =
    "Given a web search query, retrieve relevant passages that answer the query";

/// A loaded judge. Reads one passage at a time.
#[derive(Debug)]
pub(crate) struct Judge {
    model: String,
    vocabulary: Vocabulary,
    decoder: Mutex<Decoder>,
    before: Vec<u32>,
    after: Vec<u32>,
    /// Where the scores of "yes" and "no" stand.
    yes: usize,
    no: usize,
    max_tokens: usize,
}

impl Judge {
    /// Loads the GGUF file at `path`, for prompts of at most `max_tokens` tokens.
    pub(crate) fn load(
        path: &Path,
        model: &str,
        max_tokens: usize,
        device: &candle_core::Device,
    ) -> Result<Self> {
        let mut gguf = Gguf::open(path)?;
        let vocabulary = Vocabulary::read(&gguf)?;
        let token = |text: &str| {
            let token = vocabulary.token(text);
            token.ok_or_else(|| gguf.unsound(format!("it has no token `{text}`")))
        };
        let (yes, no) = (token("yes")? as usize, token("no")? as usize);
        let decoder = Decoder::load(&mut gguf, device)?;
        let (yes, no) = if decoder.classifies() {
            classes(&gguf)
        } else {
            (yes, no)
        };
        let shape = decoder.shape();
        if yes.max(no) >= shape.vocabulary {
            return Err(gguf.unsound("it has more tokens than vectors for them"));
        }
        Ok(Self {
            model: model.to_owned(),
            before: vocabulary.encode_template(BEFORE)?,
            after: vocabulary.encode_template(AFTER)?,
            max_tokens: max_tokens.min(shape.context),
            vocabulary,
            decoder: Mutex::new(decoder),
            yes,
            no,
        })
    }

    /// The logarithm of the odds that each passage answers `question`.
    pub(crate) fn scores(
        &self,
        instruction: &str,
        question: &str,
        passages: &[&str],
    ) -> Result<Vec<f32>> {
        let instruction = if instruction.is_empty() {
            INSTRUCTION
        } else {
            instruction
        };
        let asked = format!("<Instruct>: {instruction}\n<Query>: {question}\n<Document>: ");
        let around = self.before.len() + self.after.len();
        let room = self.max_tokens.saturating_sub(around);
        let size = self.vocabulary.encode(&asked)?.len();
        if size >= room {
            return Err(Fault::QuestionTooLong {
                model: self.model.clone(),
                tokens: size,
                limit: room.saturating_sub(1),
            });
        }
        // A decoder's state is whole after every token, so one that panicked can be used again.
        let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        passages
            .iter()
            .map(|passage| {
                let text = self.vocabulary.encode(&format!("{asked}{passage}"))?;
                let text = &text[..text.len().min(room)];
                let prompt = [self.before.as_slice(), text, &self.after].concat();
                let scores = decoder.classify(&prompt).of(&self.model)?;
                Ok(scores[self.yes] - scores[self.no])
            })
            .collect()
    }
}

/// Where "yes" and "no" stand among the classes of a file that has some. Without names, "yes" comes
/// first, as llama.cpp's converter writes them.
fn classes(gguf: &Gguf) -> (usize, usize) {
    let labels = gguf
        .array("qwen3.classifier.output_labels")
        .unwrap_or_default();
    let first = labels.first().and_then(|label| label.to_string().ok());
    if first.is_some_and(|label| label == "no") {
        (1, 0)
    } else {
        (0, 1)
    }
}
