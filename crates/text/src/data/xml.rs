//! XML. A text with marked words in it (an article, a book) is read as its text; records and settings
//! stay the file that they are, cut at their elements.
//!
//! Nothing is resolved: no entity but the five that XML knows and numbered characters, no external file.
//! What is not well-formed is read as far as it can be told.

use rag_core::{Document, Span};

use super::prose;
use crate::{
    code,
    items::{Item, MAX_DEPTH, MAX_ITEMS},
};

/// Attributes that name an element.
const NAMING: [&str; 5] = ["id", "name", "key", "title", "xml:id"];

/// Longest name of an element with its naming attribute.
const MAX_NAME: usize = 60;

/// Whether an XML document starts here.
pub(super) fn starts_a_document(text: &[u8]) -> bool {
    let start = text.trim_ascii_start();
    start.starts_with(b"<?xml ") || start.starts_with(b"<?xml\t") || start.starts_with(b"<?xml\n")
}

/// The document of a decoded XML text.
pub(super) fn read(text: String) -> Document {
    if prose::is_prose(&text) {
        return prose::read(&text);
    }
    code::document(text, Some("xml"), "application/xml")
}

/// A piece of an XML text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `<name …>` or `<name …/>`: what stands between the brackets, without the slash.
    Open { inner: &'a str, is_empty: bool },
    /// `</name>`
    Close { name: &'a str },
    /// Characters between tags, references and all.
    Text(&'a str),
    /// Characters that are taken as they stand.
    Data(&'a str),
}

/// The tokens of `text` with their spans, comments, instructions and the document type left out.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = (Span, Token<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = &text[at..];
            if rest.is_empty() {
                return None;
            }
            let start = at;
            let (length, token) = token(rest);
            at += length;
            if let Some(token) = token {
                return Some((Span::new(start, at), token));
            }
        }
    })
}

/// The token at the start of `rest` and its length in bytes.
fn token(rest: &str) -> (usize, Option<Token<'_>>) {
    let through = |mark: &str| rest.find(mark).map_or(rest.len(), |at| at + mark.len());
    if !rest.starts_with('<') {
        let length = rest.find('<').unwrap_or(rest.len());
        return (length, Some(Token::Text(&rest[..length])));
    }
    if rest.starts_with("<!--") {
        return (through("-->"), None);
    }
    if let Some(data) = rest.strip_prefix("<![CDATA[") {
        let data = &data[..data.find("]]>").unwrap_or(data.len())];
        return (through("]]>"), Some(Token::Data(data)));
    }
    if rest.starts_with("<?") {
        return (through("?>"), None);
    }
    if rest.starts_with("<!") {
        return (end_of_declaration(rest), None);
    }
    let is_name = |c: char| c.is_alphabetic() || c == '_' || c == ':';
    if let Some(name) = rest.strip_prefix("</") {
        let end = name.find('>').unwrap_or(name.len());
        let length = (2 + end + 1).min(rest.len());
        return (
            length,
            Some(Token::Close {
                name: name[..end].trim(),
            }),
        );
    }
    if !rest[1..].starts_with(is_name) {
        // A bracket that is only a character.
        let length = rest[1..].find('<').map_or(rest.len(), |at| at + 1);
        return (length, Some(Token::Text(&rest[..length])));
    }
    let length = end_of_tag(rest);
    let inner = rest[1..length].trim_end_matches('>');
    let is_empty = inner.ends_with('/');
    let inner = inner.trim_end_matches('/');
    (length, Some(Token::Open { inner, is_empty }))
}

/// A tag ends at a bracket outside of quotes; one that is never closed at the next tag.
fn end_of_tag(rest: &str) -> usize {
    let mut quote = None;
    for (at, b) in rest.bytes().enumerate().skip(1) {
        match (quote, b) {
            (None, b'>') => return at + 1,
            (None, b'<') => return at,
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), b) if b == open => quote = None,
            // No attribute is this long without its quote.
            (Some(_), b'<') if at > 1 << 16 => return at,
            _ => {}
        }
    }
    rest.len()
}

/// `<!DOCTYPE name [ … ]>` with all that is declared inside.
fn end_of_declaration(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (at, b) in rest.bytes().enumerate() {
        match b {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'>' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The name in what stands between the brackets of a tag.
pub(crate) fn name_of(inner: &str) -> &str {
    inner.split_whitespace().next().unwrap_or_default()
}

/// Elements, each from its tag to the tag that closes it.
pub(crate) fn items(text: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut deeper = 0_usize;
    for (span, token) in tokens(text) {
        match token {
            Token::Open { inner, is_empty } => {
                if items.len() >= MAX_ITEMS {
                    break;
                }
                if open.len() >= MAX_DEPTH {
                    deeper += usize::from(!is_empty);
                    continue;
                }
                let name = Span::new(span.start + 1, span.start + 1 + named(inner).len());
                items.push(Item::new(span, name, open.len()));
                if !is_empty {
                    open.push((items.len() - 1, name_of(inner)));
                }
            }
            Token::Close { .. } if deeper > 0 => deeper -= 1,
            Token::Close { name } => {
                // A tag that was forgotten is closed with the one around it.
                if let Some(depth) = open.iter().rposition(|(_, open)| *open == name) {
                    for (index, _) in open.drain(depth..) {
                        items[index].end_at(span.end);
                    }
                }
            }
            Token::Text(_) | Token::Data(_) => {}
        }
    }
    for (index, _) in open {
        items[index].end_at(text.len());
    }
    items
}

/// An element's name, with its first attribute where that names it too.
fn named(inner: &str) -> &str {
    let name = name_of(inner);
    let rest = &inner[name.len()..];
    let after = || {
        let (key, value) = rest.split_once('=')?;
        NAMING.contains(&key.trim()).then_some(())?;
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let end = value[1..].find(quote)? + 2;
        Some(inner.len() - value.len() + end)
    };
    let length = after().filter(|length| *length <= MAX_NAME);
    length.map_or(name, |length| &inner[..length])
}

/// `text` with its references to characters as these; others stay as they stand.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|b| b == b';');
        let character = end.and_then(|end| referred(&rest[1..end]));
        if let (Some(c), Some(end)) = (character, end) {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn referred(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control() || c.is_whitespace());
    }
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{A0}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let name = |item: &Item| format!("{}{}", item.depth(), item.name().slice(text));
        items(text).iter().map(name).collect()
    }

    #[test]
    fn elements_are_items_with_what_names_them() {
        let text = "<?xml version='1.0'?>\n<!-- <x> --><ports>\n <port id=\"a>b\" depth='7'><name>A</name></port><port/><![CDATA[<y>]]></ports>";
        assert_eq!(
            names(text),
            ["0ports", "1port id=\"a>b\"", "2name", "1port"]
        );
        let whole = items(text)[0].span();
        assert_eq!(whole.end, text.len());
    }

    #[test]
    fn damaged_and_hostile_documents_are_bounded() {
        assert_eq!(names("<a><b></a><c>"), ["0a", "1b", "0c"]);
        assert_eq!(names("1 < 2 <"), Vec::<String>::new());
        assert_eq!(names("<a b='<c>"), ["0a"]);
        let deep = "<a>".repeat(200_000);
        assert_eq!(items(&deep).len(), MAX_DEPTH);
        for damaged in [
            "<",
            "</",
            "<!",
            "<!--",
            "<![CDATA[",
            "<?",
            "<a",
            "<é>文</é",
            "</>",
        ] {
            for (span, _) in tokens(damaged) {
                assert!(damaged.get(span.start..span.end).is_some(), "{damaged}");
            }
        }
    }

    #[test]
    fn no_entity_grows() {
        let bomb = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><l>&b; &#20013;&#x6587;&amp;</l>";
        let document = read(bomb.to_owned());
        assert_eq!(document.text, bomb);
        assert_eq!(
            unescaped("&b; &#20013;&#x6587;&amp; &#0; &"),
            "&b; 中文& &#0; &"
        );
    }
}
