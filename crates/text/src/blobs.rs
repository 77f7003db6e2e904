//! Encoded data within a text (a picture in base64, a key, a certificate): nothing that anybody looks
//! for, and megabytes of it in one line.

use rag_core::{Block, Document, Span, Warning, WarningKind};

/// So many characters without a blank, with letters of both cases and digits among them, are data.
const MIN_LENGTH: usize = 1024;

/// Takes stretches of encoded data out of the blocks of `document`, and says so.
pub(crate) fn leave_out(document: &mut Document) {
    let mut left_out = 0;
    let blocks = std::mem::take(&mut document.blocks);
    for block in blocks {
        if block.span.len() < MIN_LENGTH {
            document.blocks.push(block);
            continue;
        }
        let blobs = blobs(block.span.slice(&document.text));
        left_out += blobs.len();
        let mut at = block.span.start;
        let ends = blobs.iter().map(|blob| blob.shifted(block.span.start));
        for blob in ends.chain([Span::new(block.span.end, block.span.end)]) {
            let span = crate::lines::trimmed(&document.text, Span::new(at, blob.start));
            if !span.is_empty() {
                document.blocks.push(Block {
                    span,
                    ..block.clone()
                });
            }
            at = blob.end;
        }
    }
    if left_out > 0 {
        let fact = format!("left out {left_out} stretches of encoded data");
        document
            .warnings
            .push(Warning::new(WarningKind::Guessed, fact));
    }
}

/// Runs of the characters of base64 and hexadecimal numbers.
fn blobs(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut run: Option<Run> = None;
    for (at, b) in text.bytes().chain([b' ']).enumerate() {
        let is_code = b.is_ascii_alphanumeric() || b"+/=_-".contains(&b);
        if is_code {
            run.get_or_insert(Run::new(at)).see(b);
        } else if let Some(run) = run.take()
            && run.is_data(at)
        {
            found.push(Span::new(run.start, at));
        }
    }
    found
}

#[derive(Debug, Clone, Copy)]
struct Run {
    start: usize,
    digits: usize,
    upper: usize,
    lower: usize,
    marks: usize,
}

impl Run {
    fn new(start: usize) -> Self {
        Self {
            start,
            digits: 0,
            upper: 0,
            lower: 0,
            marks: 0,
        }
    }

    fn see(&mut self, b: u8) {
        match b {
            b'0'..=b'9' => self.digits += 1,
            b'A'..=b'Z' => self.upper += 1,
            b'a'..=b'z' => self.lower += 1,
            _ => self.marks += 1,
        }
    }

    /// Words that were written together have hardly any digits, numbers no letters, a rule no other
    /// character.
    fn is_data(self, end: usize) -> bool {
        let length = end - self.start;
        let letters = self.upper.max(self.lower);
        length >= MIN_LENGTH
            && self.digits * 20 >= length
            && letters * 10 >= length
            && self.marks * 8 <= length
    }
}

#[cfg(test)]
mod tests {
    use rag_core::BlockKind;

    use super::*;

    fn document(text: &str) -> Document {
        Document {
            text: text.to_owned(),
            blocks: vec![Block::new(BlockKind::Paragraph, Span::new(0, text.len()))],
            ..Document::default()
        }
    }

    #[test]
    fn a_picture_in_a_line_is_left_out_and_the_words_around_it_stay() {
        let data = "iVBORw0KGgo1AAAANSUhEUgAB/9a8".repeat(60);
        let text = format!("前 ![x](data:image/png;base64,{data}) after");
        let mut document = document(&text);
        leave_out(&mut document);
        let texts: Vec<&str> = document
            .blocks
            .iter()
            .map(|b| b.span.slice(&text))
            .collect();
        assert_eq!(texts, ["前 ![x](data:image/png;base64,", ") after"]);
        assert_eq!(
            document.warnings[0].fact,
            "left out 1 stretches of encoded data"
        );
    }

    #[test]
    fn long_words_and_rules_are_no_data() {
        for text in [
            "x".repeat(5000),
            "-=".repeat(2000),
            "1234567890".repeat(400),
            "AnotherWordAndNext".repeat(100),
        ] {
            let mut document = document(&text);
            leave_out(&mut document);
            assert_eq!(document.blocks.len(), 1);
            assert!(document.warnings.is_empty());
        }
    }
}
