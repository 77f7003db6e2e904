//! What the styles of an `OpenDocument` file say of its paragraphs, and how its lists are numbered.

use std::collections::HashMap;

use super::numbering::{LEVELS, Level, Scheme};
use crate::office::{
    docx::styles::Look,
    numerals::Numerals,
    xml::{Tag, Token, Xml},
};

/// Styles that are based on each other; a chain that is longer goes in a circle.
const MAX_CHAIN: usize = 24;
/// The name under which the numbers of headings are kept.
pub(super) const OUTLINE: &str = "\0outline";

#[derive(Debug, Default)]
pub(super) struct Styles {
    /// By family and name: a paragraph and a span may have styles of one name.
    styles: HashMap<(Family, String), Style>,
    schemes: HashMap<String, Scheme>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Family {
    Paragraph,
    Text,
    Section,
}

#[derive(Debug, Default)]
struct Style {
    /// As people see it: `Heading 1`, where its name is `Heading_20_1`.
    shown: String,
    parent: Option<String>,
    list: Option<String>,
    is_hidden: Option<bool>,
}

impl Styles {
    /// Takes up the styles that stand in a member.
    pub(super) fn add(&mut self, text: &str) {
        let mut xml = Xml::new(text);
        let mut open: Option<(Family, String)> = None;
        while let Some(token) = xml.next() {
            match token {
                Token::Open(tag) => match tag.name() {
                    // Styles come first, but not in every program.
                    "body" => xml.skip(),
                    "style" => open = self.style(&tag),
                    "text-properties" | "section-properties" => {
                        let shown = tag.attr("display");
                        let style = open.as_ref().and_then(|key| self.styles.get_mut(key));
                        if let (Some(style), Some(shown)) = (style, shown) {
                            style.is_hidden = Some(shown == "none");
                        }
                    }
                    "list-style" => {
                        if let Some(name) = tag.attr("name") {
                            self.schemes.insert(name, scheme(&mut xml));
                        }
                    }
                    "outline-style" => {
                        self.schemes.insert(OUTLINE.to_owned(), scheme(&mut xml));
                    }
                    _ => {}
                },
                Token::Close(end) if end.name() == "style" => open = None,
                Token::Close(_) | Token::Text(_) => {}
            }
        }
    }

    fn style(&mut self, tag: &Tag<'_>) -> Option<(Family, String)> {
        let family = match tag.attr("family")?.as_str() {
            "paragraph" => Family::Paragraph,
            "text" => Family::Text,
            "section" => Family::Section,
            _ => return None,
        };
        let name = tag.attr("name")?;
        let style = Style {
            shown: tag
                .attr("display-name")
                .unwrap_or_else(|| name.replace("_20_", " ")),
            parent: tag.attr("parent-style-name"),
            list: tag.attr("list-style-name"),
            is_hidden: None,
        };
        let key = (family, name);
        self.styles.insert(key.clone(), style);
        Some(key)
    }

    /// From a style to those that it is based on.
    fn chain(&self, family: Family, name: &str) -> impl Iterator<Item = &Style> {
        let get = move |name: &str| self.styles.get(&(family, name.to_owned()));
        let next = move |style: &&Style| style.parent.as_deref().and_then(get);
        std::iter::successors(get(name), next).take(MAX_CHAIN)
    }

    /// What a style makes of a paragraph.
    pub(super) fn look(&self, name: &str) -> Look {
        let mut look = Look::default();
        let mut at = Some(name);
        for _ in 0..MAX_CHAIN {
            let Some(name) = at else { break };
            let style = self.styles.get(&(Family::Paragraph, name.to_owned()));
            // One that is not defined has its name all the same.
            match style {
                Some(style) => look.take_over(None, &style.shown),
                None => look.take_over(None, &name.replace("_20_", " ")),
            }
            at = style.and_then(|style| style.parent.as_deref());
        }
        look
    }

    /// Whether text of that style is not shown.
    pub(super) fn is_hidden(&self, family: Family, name: &str) -> bool {
        let mut chain = self.chain(family, name);
        chain.find_map(|style| style.is_hidden).unwrap_or(false)
    }

    /// The list style that a paragraph style brings with it; empty where it takes the paragraph out of
    /// any.
    pub(super) fn list_of(&self, name: &str) -> Option<&str> {
        let mut chain = self.chain(Family::Paragraph, name);
        chain.find_map(|style| style.list.as_deref())
    }

    pub(super) fn scheme(&self, name: &str) -> Option<&Scheme> {
        self.schemes.get(name)
    }
}

/// A list style whose element was just opened.
fn scheme(xml: &mut Xml<'_>) -> Scheme {
    let mut scheme = Scheme::default();
    let mut depth = 1_usize;
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => {
                depth += 1;
                let numerals = match tag.name() {
                    "list-level-style-number" | "outline-level-style" => {
                        Numerals::of_sample(&tag.attr("num-format").unwrap_or_default())
                    }
                    "list-level-style-bullet" | "list-level-style-image" => Numerals::Bullet,
                    _ => continue,
                };
                let at = tag.count("level").min(LEVELS) - 1;
                let start = tag
                    .number("start-value")
                    .and_then(|n| u32::try_from(n).ok());
                scheme.levels[at] = Level {
                    numerals,
                    before: tag.attr("num-prefix").unwrap_or_default(),
                    after: tag.attr("num-suffix").unwrap_or_default(),
                    shown: tag.count("display-levels").min(LEVELS),
                    start: start.unwrap_or(1),
                };
            }
            Token::Close(_) => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            Token::Text(_) => {}
        }
    }
    scheme
}
