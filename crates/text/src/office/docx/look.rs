//! Whether a run of a Word document is seen: hidden by its properties or its style, too small to be
//! read, or white on white.

use std::collections::{HashMap, HashSet};

use crate::office::xml::{Tag, Token, Xml};

/// Sizes up to this many half points are not read by anybody.
const TOO_SMALL: i64 = 2;
/// Styles that are based on each other; a chain that is longer goes in a circle.
const MAX_CHAIN: usize = 24;

/// How a run looks, as far as it tells whether it is seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Look {
    /// `w:vanish`, or a size of nothing.
    pub(super) is_hidden: bool,
    pub(super) is_white: bool,
    /// It has a ground of its own.
    pub(super) is_shaded: bool,
}

impl Look {
    /// Reads `w:rPr` to its end, on top of what is known.
    pub(super) fn read(&mut self, xml: &mut Xml<'_>, hidden: &HashSet<String>) {
        let mut depth = 1_usize;
        while let Some(token) = xml.next() {
            match token {
                Token::Open(tag) => {
                    // How the run was before a tracked change.
                    if tag.name() == "rPrChange" {
                        xml.skip();
                    } else {
                        self.see(&tag, hidden);
                        depth += 1;
                    }
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
    }

    fn see(&mut self, tag: &Tag<'_>, hidden: &HashSet<String>) {
        match tag.name() {
            "vanish" | "specVanish" => self.is_hidden = is_on(tag),
            "rStyle" => self.is_hidden |= tag.attr("val").is_some_and(|id| hidden.contains(&id)),
            "sz" => self.is_hidden |= tag.number("val").is_some_and(|size| size <= TOO_SMALL),
            "color" => self.is_white = tag.attr("val").is_some_and(|c| is_white(&c)),
            "shd" => self.is_shaded |= is_shaded(tag),
            "highlight" => self.is_shaded |= tag.attr("val").is_some_and(|c| c != "none"),
            _ => {}
        }
    }
}

/// Whether a property that is on or off is on: being there is enough.
fn is_on(tag: &Tag<'_>) -> bool {
    tag.attr("val").is_none() || tag.is_on("val")
}

fn is_white(color: &str) -> bool {
    crate::hidden::is_white(&format!("#{}", color.to_ascii_lowercase()))
}

/// Whether `w:shd` gives another ground than white.
pub(super) fn is_shaded(tag: &Tag<'_>) -> bool {
    let fill = tag.attr("fill").unwrap_or_default();
    let has_pattern = tag
        .attr("val")
        .is_some_and(|val| !matches!(&*val, "clear" | "nil"));
    has_pattern
        || tag.attr("themeFill").is_some()
        || !(fill.is_empty() || fill == "auto" || is_white(&fill))
}

/// Ids of the styles in `styles.xml` that give their text a ground.
pub(super) fn shaded_styles(xml: &str) -> HashSet<String> {
    let mut shaded = HashSet::new();
    let mut open: Option<String> = None;
    let mut xml = Xml::new(xml);
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match (tag.name(), &open) {
                ("style", _) => open = tag.attr("styleId"),
                ("shd", Some(id)) if is_shaded(&tag) => {
                    shaded.insert(id.clone());
                }
                _ => {}
            },
            Token::Close(end) if end.name() == "style" => open = None,
            Token::Close(_) | Token::Text(_) => {}
        }
    }
    shaded
}

/// Ids of the styles in `styles.xml` whose text is hidden, by themselves or by what they are based on.
pub(super) fn hidden_styles(xml: &str) -> HashSet<String> {
    let mut own: HashMap<String, (Option<bool>, Option<String>)> = HashMap::new();
    let mut open: Option<String> = None;
    let mut xml = Xml::new(xml);
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match (tag.name(), &open) {
                ("style", _) => open = tag.attr("styleId"),
                ("vanish", Some(id)) => {
                    own.entry(id.clone()).or_default().0 = Some(is_on(&tag));
                }
                ("basedOn", Some(id)) => own.entry(id.clone()).or_default().1 = tag.attr("val"),
                _ => {}
            },
            Token::Close(end) if end.name() == "style" => open = None,
            Token::Close(_) | Token::Text(_) => {}
        }
    }
    let is_hidden = |id: &&String| {
        let mut at = Some(*id);
        for _ in 0..MAX_CHAIN {
            let Some((hides, base)) = at.and_then(|id| own.get(id)) else {
                break;
            };
            if let Some(hides) = hides {
                return *hides;
            }
            at = base.as_ref();
        }
        false
    };
    own.keys().filter(is_hidden).cloned().collect()
}
