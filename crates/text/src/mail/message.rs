//! A message: its headers, its text and what is attached to it.

use std::borrow::Cow;

use mail_parser::{Message, MessageParser, MimeHeaders};
use rag_core::{BlockKind, Document};

use super::{attached, body, headers::value};
use crate::{
    error::Failure,
    flow::Flow,
    nest::{Bundle, Input},
};

/// Headers that are shown, in the order of mail programs.
const SHOWN: [&str; 4] = ["From", "To", "Cc", "Date"];

pub(super) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let bytes = defused(without_length(input.bytes));
    let message = parsed(input, &bytes)?;
    let mut bundle = Bundle::default();
    let head = head_of(&message);
    let title = head.title.clone();
    bundle.add_own(head);
    let mut encoding = None;
    for piece in body::pieces(&message) {
        encoding = encoding.or_else(|| piece.encoding.clone());
        bundle.add_own(piece);
    }
    attached::add(input, &message, &mut bundle);
    Ok(Document {
        title,
        date: date_of(&message),
        encoding,
        ..bundle.finish()
    })
}

/// The message that `bytes` are.
pub(super) fn parsed<'a>(input: &Input<'_>, bytes: &'a [u8]) -> Result<Message<'a>, Failure> {
    let malformed = || Failure::Malformed {
        name: input.name.to_owned(),
        kind: "e-mail",
        cause: "it has no headers".to_owned(),
    };
    MessageParser::default().parse(bytes).ok_or_else(malformed)
}

/// When the message says it was written.
pub(super) fn date_of(message: &Message<'_>) -> Option<String> {
    let date = message
        .date()
        .filter(|date| date.is_valid() && date.year > 1970)?;
    Some(date.to_rfc3339())
}

/// Subject and the lines that say who wrote to whom.
fn head_of(message: &Message<'_>) -> Document {
    let told = message.parts.first().and_then(body::declared);
    let told = told.or_else(|| message.text_bodies().find_map(body::declared));
    let get = |name| value(&message.raw_message, name, told);
    let title = get("Subject");
    let mut flow = Flow::default();
    if let Some(title) = &title {
        flow.begin(BlockKind::Heading(1));
        flow.words(title);
    }
    flow.begin(BlockKind::Paragraph);
    for name in SHOWN {
        if let Some(value) = get(name) {
            flow.separator('\n');
            flow.words(&format!("{name}: {value}"));
        }
    }
    Document {
        title,
        ..flow.finish()
    }
}

/// Apple Mail writes the length of the message before it.
fn without_length(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().take(20).position(|b| *b == b'\n');
    match end.map(|end| bytes.split_at(end + 1)) {
        Some((line, rest)) if line.trim_ascii().iter().all(u8::is_ascii_digit) => rest,
        _ => bytes,
    }
}

/// Messages within each other and parts within parts, beyond numbers that no mail has, made unknown to
/// the parser, which would go as deep as they lie: they remain as plain attachments.
pub(super) fn defused(bytes: &[u8]) -> Cow<'_, [u8]> {
    const MARKS: [(&[u8], usize); 4] = [
        (b"message/rfc822", 100),
        (b"message/global", 100),
        (b"multipart/digest", 100),
        (b"multipart/", 2_000),
    ];
    let mut defused = Cow::Borrowed(bytes);
    for (mark, most) in MARKS {
        let places: Vec<usize> = places_of(bytes, mark).skip(most).collect();
        for at in places {
            defused.to_mut()[at] = b'x';
        }
    }
    defused
}

/// Where `mark` stands, in letters of any case.
fn places_of<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = usize> {
    let slash = mark.iter().position(|b| *b == b'/').unwrap_or_default();
    let slashes = bytes.iter().enumerate().filter(|(_, b)| **b == b'/');
    slashes.filter_map(move |(at, _)| {
        let start = at.checked_sub(slash)?;
        let here = bytes.get(start..start + mark.len())?;
        here.eq_ignore_ascii_case(mark).then_some(start)
    })
}

/// Whether the message is a page with its pictures.
pub(super) fn is_related(message: &Message<'_>) -> bool {
    message.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case("multipart")
            && kind
                .subtype()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("related"))
    })
}
