//! What is attached to a message: each file a part, read by the parser of its kind.

use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};
use rag_core::{Warning, WarningKind};

use super::{
    body,
    headers::{decoded, value},
};
use crate::{
    error::Failure,
    nest::{Bundle, Input},
};

/// So many attachments of kinds that are not read are named.
const MAX_NAMED: usize = 5;

/// Adds the attachments of a message to it.
pub(super) fn add(input: &Input<'_>, message: &Message<'_>, bundle: &mut Bundle) {
    let mut others: Vec<String> = Vec::new();
    for (index, id) in message.attachments.iter().enumerate() {
        let Some(part) = message.part(*id) else {
            continue;
        };
        let name = name_of(message, part, index + 1);
        let failure = match read(input, message, part, &name) {
            Ok(None) => continue,
            Ok(Some(document)) => {
                bundle.add(&name, document);
                continue;
            }
            Err(failure) => failure,
        };
        if matches!(failure, Failure::Unsupported { .. }) {
            others.push(name);
            continue;
        }
        bundle.miss(&name, &failure);
        if matches!(failure, Failure::TooMuch { .. }) {
            break;
        }
    }
    if !others.is_empty() {
        let more = others.len().saturating_sub(MAX_NAMED);
        others.truncate(MAX_NAMED);
        if more > 0 {
            others.push(format!("and {more} more"));
        }
        let fact = format!(
            "attachments of kinds that are not read: {}",
            others.join(", ")
        );
        bundle.warn(Warning::new(WarningKind::Guessed, fact));
    }
}

fn read(
    input: &Input<'_>,
    message: &Message<'_>,
    part: &MessagePart<'_>,
    name: &str,
) -> Result<Option<rag_core::Document>, Failure> {
    let subtype = part.content_type().and_then(|kind| kind.subtype());
    if subtype.is_some_and(|kind| kind.contains("pkcs7-mime") || kind == "pgp-encrypted") {
        return Err(Failure::Encrypted {
            name: name.to_owned(),
        });
    }
    match &part.body {
        PartType::Multipart(_) => Ok(None),
        PartType::Message(inner) => {
            let own = (part.offset_body as usize, part.offset_end as usize);
            let bytes = match part.encoding {
                Encoding::None => message.raw_message.get(own.0..own.1).unwrap_or_default(),
                _ => &inner.raw_message,
            };
            input.read_inner(&format!("{name}.eml"), bytes).map(Some)
        }
        PartType::Text(_) | PartType::Html(_) => {
            let decoded = body::text(message, part);
            if decoded.text.trim().is_empty() {
                return Ok(None);
            }
            let mut document = input.read_inner(name, decoded.text.as_bytes())?;
            document.warnings.splice(0..0, decoded.warnings);
            Ok(Some(document))
        }
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) if bytes.is_empty() => Ok(None),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            let mut document = input.read_inner(name, bytes)?;
            if part.is_encoding_problem {
                let fact = "the attachment is damaged and may not be whole";
                document
                    .warnings
                    .push(Warning::new(WarningKind::Lost, fact));
            }
            Ok(Some(document))
        }
    }
}

/// What an attachment is called, or what it would be called if it had a name.
fn name_of(message: &Message<'_>, part: &MessagePart<'_>, number: usize) -> String {
    if let PartType::Message(inner) = &part.body {
        let own = (part.offset_body as usize, part.offset_end as usize);
        let bytes = match part.encoding {
            Encoding::None => message.raw_message.get(own.0..own.1).unwrap_or_default(),
            _ => &inner.raw_message,
        };
        return value(bytes, "subject", None).unwrap_or_else(|| format!("message {number}"));
    }
    let named = part.attachment_name().map(decoded);
    let named = named.map(|name| {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        last.chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect::<String>()
    });
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let subtype = part.content_type().and_then(|kind| kind.subtype());
        let extension = match subtype.map(str::to_ascii_lowercase).as_deref() {
            Some("html") => ".html",
            Some("csv") => ".csv",
            Some("markdown") => ".md",
            Some("calendar") => ".ics",
            _ => "",
        };
        format!("attachment {number}{extension}")
    })
}
