//! MBOX: messages one after the other, each behind a line that starts with `From ` (RFC 4155).

use std::borrow::Cow;

use rag_core::{Document, Warning, WarningKind};

use super::{headers, message};
use crate::{
    error::Failure,
    nest::{Bundle, Input},
};

/// So many messages that could not be read are named.
const MAX_NAMED: usize = 40;

/// Whether a text starts with the first line of a mailbox and the headers of a message.
pub(super) fn starts_a_mailbox(text: &[u8]) -> bool {
    let end = text.iter().position(|b| *b == b'\n');
    let Some((line, rest)) = end.map(|end| text.split_at(end + 1)) else {
        return false;
    };
    // A patch of git has such a line too, with a date that says so; it stays the text it is.
    let is_patch = line
        .trim_ascii_end()
        .ends_with(b" Mon Sep 17 00:00:00 2001");
    is_separator(line) && !is_patch && headers::headers(rest).next().is_some()
}

/// `From keeper@averill.example Fri Nov 21 09:15:00 2026`
fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else {
        return false;
    };
    let words: Vec<&[u8]> = rest
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .take(12)
        .collect();
    let is_time = |word: &&[u8]| matches!(word, [a, b, b':', c, d, ..] if [a, b, c, d].iter().all(|d| d.is_ascii_digit()));
    let is_year = |word: &&[u8]| {
        word.len() == 4 && word.iter().all(u8::is_ascii_digit) && matches!(word[0], b'1' | b'2')
    };
    words.iter().any(is_time) && words.iter().any(is_year)
}

pub(super) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let messages = messages(input.bytes);
    if let [only] = &messages[..] {
        let bytes = unescaped(only);
        return message::read(&Input {
            bytes: &bytes,
            ..*input
        });
    }
    if messages.is_empty() {
        return message::read(input);
    }
    let mut bundle = Bundle::default();
    let mut missed = 0;
    for (index, raw) in messages.iter().enumerate() {
        let bytes = unescaped(raw);
        let number = index + 1;
        let name = match headers::value(&bytes, "subject", None) {
            Some(subject) => format!("{number}. {subject}"),
            None => format!("{number}."),
        };
        match input.read_inner(&format!("{number}.eml"), &bytes) {
            Ok(document) => bundle.add(&name, document),
            Err(failure) => {
                missed += 1;
                if missed <= MAX_NAMED {
                    bundle.miss(&name, &failure);
                }
                if matches!(failure, Failure::TooMuch { .. }) {
                    missed += messages.len() - number;
                    break;
                }
            }
        }
    }
    if missed > MAX_NAMED {
        let fact = format!("{} more messages were not read", missed - MAX_NAMED);
        bundle.warn(Warning::new(WarningKind::Lost, fact));
    }
    Ok(bundle.finish())
}

/// The messages without the lines between them.
fn messages(bytes: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    let mut after_blank = true;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if after_blank && is_separator(line) {
            if let Some(start) = start {
                messages.push(&bytes[start..at]);
            }
            start = Some(at + line.len());
        }
        after_blank = line.trim_ascii().is_empty();
        at += line.len();
    }
    if let Some(start) = start {
        messages.push(&bytes[start..]);
    }
    messages
}

/// A message in which lines that were written as `>From ` are `From ` again.
fn unescaped(message: &[u8]) -> Cow<'_, [u8]> {
    let is_escaped = |line: &[u8]| {
        let bare = line.iter().position(|b| *b != b'>').unwrap_or_default();
        bare > 0 && line[bare..].starts_with(b"From ")
    };
    let lines = || message.split_inclusive(|b| *b == b'\n');
    if !lines().any(is_escaped) {
        return Cow::Borrowed(message);
    }
    let lines = lines().map(|line| &line[usize::from(is_escaped(line))..]);
    Cow::Owned(lines.flatten().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "From a@a.example Fri Nov 21 09:15:00 2026\nFrom: a@a.example\nSubject: One\n\n\
        >From here on\nFrom now on we count.\n\nFrom b@b.example Sat Nov 22 10:00:00 2026\n\
        From: b@b.example\nSubject: Two\n\nBody.\n";

    #[test]
    fn a_mailbox_is_parted_at_its_lines_and_nowhere_else() {
        assert!(starts_a_mailbox(TWO.as_bytes()));
        assert!(!starts_a_mailbox(
            b"From here we saw 2026 at 09:15 the lamp.\n\nIt burned."
        ));
        assert!(!starts_a_mailbox(b"From the keeper\nSubject: x\n"));
        let found = messages(TWO.as_bytes());
        assert_eq!(found.len(), 2);
        let first = unescaped(found[0]);
        assert!(first.ends_with(b"\n\nFrom here on\nFrom now on we count.\n\n"));
    }
}
