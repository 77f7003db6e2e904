//! HTML: what a reader of the page reads, in blocks.

use std::borrow::Cow;

use rag_core::{Document, Warning, WarningKind};
use scraper::Html;

use crate::language;

mod alt;
mod chrome;
mod listing;
mod meta;
mod nesting;
mod sight;
mod table;
mod tree;
mod walk;

use walk::walk;

/// A page that gives less text than this without its chrome may be all chrome.
const LITTLE_TEXT: usize = 200;

/// Whether an HTML page starts here: white space, comments and an XML declaration may come first.
pub(crate) fn starts_a_page(bytes: &[u8]) -> bool {
    let mut rest = &bytes[..bytes.len().min(4096)];
    rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
    loop {
        rest = rest.trim_ascii_start();
        let end: &[u8] = match rest {
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?', ..] => b"?>",
            _ => break,
        };
        let Some(at) = rest.windows(end.len()).position(|window| window == end) else {
            return false;
        };
        rest = &rest[at + end.len()..];
    }
    let starts = |mark: &str| {
        rest.len() > mark.len()
            && rest[..mark.len()].eq_ignore_ascii_case(mark.as_bytes())
            && !rest[mark.len()].is_ascii_alphanumeric()
    };
    ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|mark| starts(mark))
}

/// The document of a decoded HTML page, without its navigation.
pub(crate) fn read(page: &str) -> Document {
    let (html, is_too_deep) = parsed(page);
    let chrome = chrome::of(&html);
    let mut read = walk(&html, Some(&chrome));
    // Losing the matter is worse than keeping a menu.
    if read.text.len() < LITTLE_TEXT && !chrome.is_empty() {
        let by_elements = walk(&html, Some(&chrome::Chrome::default()));
        if by_elements.text.len() > read.text.len() * 2 {
            read = by_elements;
        }
    }
    if read.text.len() < LITTLE_TEXT {
        let whole = walk(&html, None);
        if whole.text.len() > read.text.len() * 4 {
            read = whole;
        }
    }
    with_meta(&html, read, is_too_deep)
}

/// The document of a page that is a chapter or a message: nothing of it is navigation.
pub(crate) fn read_whole(page: &str) -> Document {
    let (html, is_too_deep) = parsed(page);
    with_meta(&html, walk(&html, None), is_too_deep)
}

fn parsed(page: &str) -> (Html, bool) {
    let (page, is_too_deep): (Cow<'_, str>, bool) = nesting::bounded(page);
    (Html::parse_document(&page), is_too_deep)
}

fn with_meta(html: &Html, read: Document, is_too_deep: bool) -> Document {
    let root = html.root_element();
    let declared = root.attr("lang").or_else(|| root.attr("xml:lang"));
    let meta = meta::of(html);
    let mut document = Document {
        title: meta.title,
        date: meta.date,
        language: declared.and_then(language::normal_tag),
        ..read
    };
    if is_too_deep {
        let fact = "elements nested too deeply were taken as one";
        let warning = Warning::new(WarningKind::Guessed, fact);
        document.warnings.push(warning);
    }
    document
}

#[cfg(test)]
mod tests;
