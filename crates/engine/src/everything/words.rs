//! The words of an English question, taken one behind the other. Pure.

use rag_core::Span;

/// A word of the question, without the marks around it.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

/// The words of a question from some place on.
#[derive(Debug, Clone)]
pub(super) struct Words<'q> {
    pub(super) question: &'q str,
    pub(super) all: Vec<Word>,
    pub(super) at: usize,
}

impl<'q> Words<'q> {
    pub(super) fn of(question: &'q str) -> Self {
        let mut all = Vec::new();
        let mut from = 0;
        for piece in question.split_whitespace() {
            let start = from + question[from..].find(piece).unwrap_or_default();
            from = start + piece.len();
            let text = piece
                .trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase();
            let span = Span::new(start, from);
            // A mark by itself belongs to the word before it.
            match all.last_mut() {
                Some(Word { span: before, .. }) if text.is_empty() => before.end = from,
                _ if text.is_empty() => {}
                _ => all.push(Word { text, span }),
            }
        }
        Self {
            question,
            all,
            at: 0,
        }
    }

    pub(super) fn rest(&self) -> impl Iterator<Item = &Word> {
        self.all[self.at..].iter()
    }

    pub(super) fn left(&self) -> usize {
        self.all.len() - self.at
    }

    pub(super) fn eat(&mut self, any: &[&str]) -> Option<String> {
        let word = self.all.get(self.at)?.text.clone();
        any.contains(&word.as_str()).then(|| {
            self.at += 1;
            word
        })
    }

    pub(super) fn eat_all(&mut self, words: &[&str]) -> bool {
        let is_next = self.left() >= words.len()
            && self
                .rest()
                .zip(words)
                .all(|(have, want)| have.text == *want);
        if is_next {
            self.at += words.len();
        }
        is_next
    }

    /// The words up to the last one of `any`; none where there is no such word behind the first.
    pub(super) fn until(&self, any: &[&str]) -> Option<Self> {
        let at = self
            .all
            .iter()
            .rposition(|word| any.contains(&word.text.as_str()))?;
        (at > self.at).then(|| {
            let mut words = self.clone();
            words.all.truncate(at);
            while words.left() > 1 && words.all.last().is_some_and(|word| word.text == "been") {
                words.all.pop();
            }
            words
        })
    }
}
