//! The text of a part of a message, decoded by its own bytes: what a message declares of its charset is
//! missing or wrong too often to be believed before them.

use std::borrow::Cow;

use encoding_rs::Encoding;
use mail_parser::{
    Message, MessagePart, MimeHeaders, PartType,
    decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode},
};
use rag_core::{Document, Warning, WarningKind};

use crate::{
    decode::{Decoded, declared_by_html, decode},
    html,
    markup::plain,
};

/// A text in HTML that has so many times more characters than the plain one beside it is the message.
const FAR_MORE: usize = 8;

/// The charset that a part declares.
pub(super) fn declared(part: &MessagePart<'_>) -> Option<&'static Encoding> {
    let charset = part.content_type()?.attribute("charset")?;
    Encoding::for_label(charset.trim_matches(['"', '\'']).as_bytes())
}

/// The characters of a part that is text.
pub(super) fn text(message: &Message<'_>, part: &MessagePart<'_>) -> Decoded {
    let parsed = part.text_contents().unwrap_or_default();
    let named = part
        .content_type()
        .and_then(|kind| kind.attribute("charset"));
    // UTF-7 and a few others are known to the mail parser only.
    let is_foreign = named.is_some() && declared(part).is_none() && !parsed.contains('\u{FFFD}');
    let bytes = (!is_foreign && !part.is_encoding_problem)
        .then(|| bytes(message, part))
        .flatten();
    let Some(bytes) = bytes else {
        return decode(parsed.as_bytes(), None);
    };
    let by_page = || declared_by_html(&bytes).filter(|_| part.is_text_html());
    decode(&bytes, declared(part).or_else(by_page))
}

/// The bytes of a part without the encoding that carried them.
pub(super) fn bytes<'a>(
    message: &'a Message<'_>,
    part: &'a MessagePart<'_>,
) -> Option<Cow<'a, [u8]>> {
    let (from, to) = (part.offset_body as usize, part.offset_end as usize);
    let raw = message.raw_message.get(from..to)?;
    match part.encoding {
        mail_parser::Encoding::None => Some(Cow::Borrowed(raw)),
        mail_parser::Encoding::Base64 => base64_decode(raw).map(Cow::Owned),
        mail_parser::Encoding::QuotedPrintable => quoted_printable_decode(raw).map(Cow::Owned),
    }
}

/// What a person reads in a message: its plain text, or its HTML where there is no other or the plain
/// text only says that there is.
pub(super) fn pieces(message: &Message<'_>) -> Vec<Document> {
    let of = |ids: &[u32]| -> Vec<Document> {
        let parts = ids.iter().filter_map(|id| message.part(*id));
        parts.filter_map(|part| piece(message, part)).collect()
    };
    let length =
        |pieces: &[Document]| -> usize { pieces.iter().map(|p| p.text.trim().len()).sum() };
    let plain = of(&message.text_body);
    if message.text_body == message.html_body {
        return plain;
    }
    let has_page = |id: &u32| message.part(*id).is_some_and(MessagePart::is_text_html);
    if length(&plain) > 400 || !message.html_body.iter().any(has_page) {
        return plain;
    }
    let page = of(&message.html_body);
    if length(&page) > length(&plain) * FAR_MORE {
        return page;
    }
    plain
}

fn piece(message: &Message<'_>, part: &MessagePart<'_>) -> Option<Document> {
    let is_page = match &part.body {
        PartType::Text(_) => false,
        PartType::Html(_) => true,
        _ => return None,
    };
    let decoded = text(message, part);
    if decoded.text.trim().is_empty() {
        return None;
    }
    let mut piece = if is_page {
        html::read_whole(&decoded.text)
    } else {
        plain::read(decoded.text)
    };
    piece.warnings.splice(0..0, decoded.warnings);
    if part.is_encoding_problem {
        let fact = "a part of the message is damaged and may not be whole";
        piece.warnings.push(Warning::new(WarningKind::Lost, fact));
    }
    piece.encoding = Some(decoded.encoding);
    Some(piece)
}
