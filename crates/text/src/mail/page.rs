//! MHTML: a web page that a browser saved as a message with its pictures (RFC 2557).

use mail_parser::{MessagePart, MimeHeaders, PartType};
use rag_core::{Document, Warning, WarningKind};

use super::{
    body,
    headers::{headers, value},
    message,
};
use crate::{
    error::Failure,
    html,
    nest::{Bundle, Input},
};

/// So many bytes of the text in frames are told apart from advertisements.
const MIN_FRAME: usize = 400;

/// Whether a text starts with the headers that browsers write.
pub(super) fn starts_a_saved_page(text: &[u8]) -> bool {
    let mut by_browser = false;
    let mut is_related = false;
    for (name, value) in headers(text) {
        let value = value.trim_ascii_start();
        by_browser |= name.eq_ignore_ascii_case("Snapshot-Content-Location")
            || name.eq_ignore_ascii_case("From")
                && (value.starts_with(b"<Saved by") || value.starts_with(b"\"Saved by"));
        is_related |= name.eq_ignore_ascii_case("Content-Type")
            && value.to_ascii_lowercase().starts_with(b"multipart/related");
    }
    by_browser && is_related
}

pub(super) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let bytes = message::defused(input.bytes);
    let message = message::parsed(input, &bytes)?;
    let pages = || message.parts.iter().filter(|part| part.is_text_html());
    let Some(root) = pages().next() else {
        // A message that was saved under the name of a page.
        return super::message::read(input);
    };
    let page = body::text(&message, root);
    let mut document = html::read(&page.text);
    document.warnings.splice(0..0, page.warnings);
    let title = document.title.take();
    let title = title.or_else(|| value(&message.raw_message, "Subject", None));
    let date = document.date.take().or_else(|| message::date_of(&message));
    let language = document.language.take();
    let mut bundle = Bundle::starting_with(document);
    for (number, frame) in pages().skip(1).enumerate() {
        add_frame(input, &message, frame, number + 1, &mut bundle);
    }
    if root.is_encoding_problem || !message::is_related(&message) && pages().count() == 0 {
        let fact = "the page is damaged and may not be whole";
        bundle.warn(Warning::new(WarningKind::Lost, fact));
    }
    Ok(Document {
        title,
        date,
        language,
        encoding: Some(page.encoding),
        media_type: super::SAVED_PAGE.media_type.to_owned(),
        ..bundle.finish()
    })
}

/// A frame is a part of its own where it holds more than a word or two.
fn add_frame(
    input: &Input<'_>,
    message: &mail_parser::Message<'_>,
    frame: &MessagePart<'_>,
    number: usize,
    bundle: &mut Bundle,
) {
    let PartType::Html(_) = frame.body else {
        return;
    };
    let decoded = body::text(message, frame);
    if decoded.text.len() < MIN_FRAME {
        return;
    }
    let name = frame
        .content_location()
        .filter(|place| place.len() < 200 && !place.starts_with("cid:"))
        .map_or_else(|| format!("frame {number}"), str::to_owned);
    match input.read_inner("frame.html", decoded.text.as_bytes()) {
        Ok(frame) if frame.text.len() >= MIN_FRAME => bundle.add(&name, frame),
        Ok(_) => {}
        Err(failure) => bundle.miss(&name, &failure),
    }
}
