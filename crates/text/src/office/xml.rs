//! The XML inside office files as a stream of tags and text, known by their local names.
//!
//! Prefixes and namespaces are left out of account: the strict and the transitional dialect of one
//! format differ in nothing else. Nothing is resolved but numbered characters and the five entities
//! that XML knows; what a document declares itself stays unread.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use quick_xml::{
    XmlVersion,
    events::{BytesEnd, BytesStart, Event},
    reader::Reader,
};

/// A stream of tokens. It ends at the end of the text, or where the text stops being XML.
#[derive(Debug)]
pub(super) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    damage: Option<String>,
}

#[derive(Debug)]
pub(super) enum Token<'a> {
    /// `<name …>`; of `<name/>` as well, followed by its [`Token::Close`].
    Open(Tag<'a>),
    Close(End<'a>),
    Text(Cow<'a, str>),
}

#[derive(Debug)]
pub(super) struct Tag<'a>(BytesStart<'a>);

#[derive(Debug)]
pub(super) struct End<'a>(BytesEnd<'a>);

impl<'a> Xml<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        Self {
            reader,
            damage: None,
        }
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        if self.damage.is_some() {
            return None;
        }
        loop {
            match self.reader.read_event() {
                Ok(Event::Start(tag) | Event::Empty(tag)) => return Some(Token::Open(Tag(tag))),
                Ok(Event::End(end)) => return Some(Token::Close(End(end))),
                Ok(Event::Text(text)) => return Some(Token::Text(text.into_inner())),
                Ok(Event::CData(text)) => return Some(Token::Text(text.into_inner())),
                Ok(Event::GeneralRef(reference)) => {
                    let known = match reference.resolve_char_ref() {
                        Ok(Some(c)) => Some(c),
                        _ => predefined(&reference),
                    };
                    if let Some(c) = known {
                        return Some(Token::Text(Cow::Owned(c.to_string())));
                    }
                }
                Ok(Event::Eof) => return None,
                Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
                Err(error) => {
                    let at = self.reader.error_position();
                    self.damage = Some(format!("{error} (at byte {at})"));
                    return None;
                }
            }
        }
    }

    /// Passes over all that stands in the element that was just opened.
    pub(super) fn skip(&mut self) {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next() {
                Some(Token::Open(_)) => depth += 1,
                Some(Token::Close(_)) => depth -= 1,
                Some(Token::Text(_)) => {}
                None => return,
            }
        }
    }

    /// The text in the element that was just opened, without its tags.
    pub(super) fn text(&mut self) -> String {
        let mut text = String::new();
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next() {
                Some(Token::Open(_)) => depth += 1,
                Some(Token::Close(_)) => depth -= 1,
                Some(Token::Text(words)) => text.push_str(&words),
                None => break,
            }
        }
        text
    }

    /// Why the stream ended before the end of the text, if it did.
    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }
}

impl Tag<'_> {
    pub(super) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of the first attribute of this local name.
    pub(super) fn attr(&self, local: &str) -> Option<String> {
        self.find(|name, _| name == local)
    }

    /// The same, of an attribute that has a prefix: `r:id` where there is an `id` as well.
    pub(super) fn prefixed(&self, local: &str) -> Option<String> {
        self.find(|name, has_prefix| has_prefix && name == local)
    }

    pub(super) fn number(&self, local: &str) -> Option<i64> {
        self.attr(local)?.trim().parse().ok()
    }

    /// How many of something there are: at least one.
    pub(super) fn count(&self, local: &str) -> usize {
        let count = self.number(local).and_then(|n| usize::try_from(n).ok());
        count.unwrap_or(1).max(1)
    }

    /// Whether an on-off attribute is there and on.
    pub(super) fn is_on(&self, local: &str) -> bool {
        self.attr(local).is_some_and(|value| is_on(&value))
    }

    fn find(&self, wanted: impl Fn(&str, bool) -> bool) -> Option<String> {
        let mut attributes = self.0.attributes();
        let found = attributes
            .with_checks(false)
            .flatten()
            .find(|a| wanted(a.key.local_name().into_inner(), a.key.prefix().is_some()))?;
        let value = found.normalized_value(XmlVersion::Implicit1_0);
        Some(value.map_or_else(|_| found.value.clone().into_owned(), Cow::into_owned))
    }
}

impl End<'_> {
    pub(super) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }
}

/// `1`, `true` and `on` in all the ways in which they are written.
pub(super) fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "off" | "none")
}

/// The text of an XML file: UTF-8 unless a byte order mark or the declaration says otherwise.
pub(super) fn decoded(bytes: Vec<u8>) -> String {
    let by_mark = Encoding::for_bom(&bytes).map(|(encoding, _)| encoding);
    let encoding = by_mark.or_else(|| match bytes.get(..4) {
        Some([b'<', 0, _, 0]) => Some(UTF_16LE),
        Some([0, b'<', 0, _]) => Some(UTF_16BE),
        _ => declared(&bytes),
    });
    match encoding {
        None => match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        },
        Some(encoding) => encoding.decode(&bytes).0.into_owned(),
    }
}

/// The encoding in `<?xml version="1.0" encoding="…"?>`, where it is not UTF-8.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    let declaration = head.strip_prefix("<?xml")?.split_once("?>")?.0;
    let value = declaration.split_once("encoding")?.1;
    let value = value.trim_start_matches([' ', '=']);
    let label = value
        .trim_start_matches(['"', '\''])
        .split(['"', '\''])
        .next()?;
    Encoding::for_label(label.as_bytes())
        // What could be read so far as single bytes is not of two.
        .filter(|encoding| *encoding != UTF_8 && encoding.is_ascii_compatible())
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        "nbsp" => '\u{A0}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_text(xml: &str) -> (String, bool) {
        let mut xml = Xml::new(xml);
        let mut text = String::new();
        while let Some(token) = xml.next() {
            if let Token::Text(words) = token {
                text.push_str(&words);
            }
        }
        (text, xml.damage().is_some())
    }

    #[test]
    fn references_are_resolved_and_entities_are_not() {
        let xml =
            "<!DOCTYPE a [<!ENTITY x 'boom'>]><a>1 &lt; 2 &#x4E2D;&x; A&amp;B<![CDATA[ <c>]]></a>";
        assert_eq!(all_text(xml), ("1 < 2 中 A&B <c>".to_owned(), false));
    }

    #[test]
    fn what_stands_before_the_damage_is_read() {
        assert_eq!(
            all_text("<a><b>one</b><c>two</d></a>"),
            ("onetwo".to_owned(), true)
        );
    }

    #[test]
    fn a_part_in_utf16_is_decoded() {
        let utf16: Vec<u8> = "<?xml version='1.0' encoding='UTF-16'?><a>灯塔</a>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(decoded(utf16).contains("<a>灯塔</a>"));
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE9</a>".to_vec();
        assert!(decoded(latin).contains("<a>é</a>"));
    }

    #[test]
    fn attributes_are_found_by_their_local_names() {
        let mut xml = Xml::new("<p:sldId id='256' r:id='rId2' name='A &amp; B'/>");
        let Some(Token::Open(tag)) = xml.next() else {
            panic!("no tag")
        };
        assert_eq!(tag.name(), "sldId");
        assert_eq!(tag.attr("id").as_deref(), Some("256"));
        assert_eq!(tag.prefixed("id").as_deref(), Some("rId2"));
        assert_eq!(tag.attr("name").as_deref(), Some("A & B"));
    }
}
