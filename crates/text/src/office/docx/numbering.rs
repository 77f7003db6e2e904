//! The numbers that Word shows before list items and headings, which no run of text holds.

use std::collections::HashMap;

use super::styles::{self, Number};
use crate::office::{
    numerals::Numerals,
    xml::{Tag, Token, Xml},
};

const LEVELS: usize = 9;

#[derive(Debug, Default)]
pub(super) struct Numbering {
    schemes: HashMap<String, Scheme>,
    lists: HashMap<String, List>,
    /// How far each scheme has been counted, level by level; nothing where a level begins anew.
    counts: HashMap<String, [Option<u32>; LEVELS]>,
}

/// `w:abstractNum`
#[derive(Debug, Default)]
struct Scheme {
    levels: [Level; LEVELS],
    /// A style whose list this is only a name for.
    stands_for: Option<String>,
    /// The style whose list this is.
    is_of: Option<String>,
}

#[derive(Debug, Clone)]
struct Level {
    start: u32,
    numerals: Numerals,
    /// `%1.%2`
    pattern: String,
    /// Nothing stands between the number and the text.
    is_tight: bool,
    style: Option<String>,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            start: 1,
            numerals: Numerals::None,
            pattern: String::new(),
            is_tight: false,
            style: None,
        }
    }
}

/// `w:num`: a scheme with changes.
#[derive(Debug, Default)]
struct List {
    scheme: String,
    starts: [Option<u32>; LEVELS],
    levels: HashMap<usize, Level>,
    /// Whether its own starts have taken effect.
    begun: bool,
}

impl Numbering {
    pub(super) fn of(xml: &str) -> Self {
        let mut numbering = Self::default();
        let mut xml = Xml::new(xml);
        while let Some(token) = xml.next() {
            let Token::Open(tag) = token else { continue };
            match tag.name() {
                "abstractNum" => {
                    let id = tag.attr("abstractNumId").unwrap_or_default();
                    numbering.schemes.insert(id, scheme(&mut xml));
                }
                "num" => {
                    let id = tag.attr("numId").unwrap_or_default();
                    numbering.lists.insert(id, list(&mut xml));
                }
                _ => {}
            }
        }
        numbering.follow_links();
        numbering
    }

    /// Counts one paragraph of a list; its number as it is shown, with the space that follows it.
    /// Nothing for a bullet.
    pub(super) fn next(&mut self, number: &Number) -> Option<String> {
        let list = self.lists.get_mut(number.list.as_ref()?)?;
        let scheme = self.schemes.get(&list.scheme)?;
        let by_style = || {
            let style = number.style.as_deref()?;
            scheme
                .levels
                .iter()
                .position(|level| level.style.as_deref() == Some(style))
        };
        let at = number.level.or_else(by_style).unwrap_or(0).min(LEVELS - 1);
        let level = |at: usize| list.levels.get(&at).unwrap_or(&scheme.levels[at]);
        let counts = self.counts.entry(list.scheme.clone()).or_default();
        if !list.begun {
            for (count, start) in counts.iter_mut().zip(list.starts) {
                if start.is_some() {
                    *count = None;
                }
            }
        }
        let start = |at: usize| list.starts[at].unwrap_or(level(at).start);
        for (above, count) in counts.iter_mut().enumerate().take(at) {
            count.get_or_insert(start(above));
        }
        counts[at] = Some(counts[at].map_or(start(at), |n| n.saturating_add(1)));
        counts[at + 1..].fill(None);
        let here = level(at);
        if matches!(here.numerals, Numerals::Bullet | Numerals::None) {
            list.begun = true;
            return None;
        }
        let mut shown = String::new();
        let mut pattern = here.pattern.chars();
        while let Some(c) = pattern.next() {
            if c != '%' {
                shown.push(c);
                continue;
            }
            let place = pattern.next().and_then(|c| c.to_digit(10)).unwrap_or(0) as usize;
            if let Some(place) = place.checked_sub(1).filter(|place| *place < LEVELS) {
                let n = counts[place].unwrap_or(start(place));
                shown.push_str(&level(place).numerals.shown(n));
            }
        }
        let space = if here.is_tight { "" } else { " " };
        list.begun = true;
        (!shown.trim().is_empty()).then(|| format!("{}{space}", shown.trim_end()))
    }

    /// Lists by name: a scheme that stands for that of a style is that scheme.
    fn follow_links(&mut self) {
        let named: HashMap<String, String> = self
            .schemes
            .iter()
            .filter_map(|(id, scheme)| Some((scheme.is_of.clone()?, id.clone())))
            .collect();
        for list in self.lists.values_mut() {
            let style = self
                .schemes
                .get(&list.scheme)
                .and_then(|s| s.stands_for.as_ref());
            if let Some(scheme) = style.and_then(|style| named.get(style)) {
                list.scheme.clone_from(scheme);
            }
        }
    }
}

fn scheme(xml: &mut Xml<'_>) -> Scheme {
    let mut scheme = Scheme::default();
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match tag.name() {
                "lvl" => {
                    let at = styles::level(tag.number("ilvl")).unwrap_or(0);
                    scheme.levels[at] = level(xml);
                }
                "numStyleLink" => scheme.stands_for = tag.attr("val"),
                "styleLink" => scheme.is_of = tag.attr("val"),
                _ => {}
            },
            Token::Close(end) if end.name() == "abstractNum" => break,
            Token::Close(_) | Token::Text(_) => {}
        }
    }
    scheme
}

fn level(xml: &mut Xml<'_>) -> Level {
    let mut level = Level {
        numerals: Numerals::Decimal,
        ..Level::default()
    };
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match tag.name() {
                "start" => level.start = start(&tag).unwrap_or(1),
                "numFmt" => {
                    let word = tag.attr("val").unwrap_or_default();
                    level.numerals = Numerals::of_word(&word);
                }
                "lvlText" => level.pattern = tag.attr("val").unwrap_or_default(),
                "suff" => level.is_tight = tag.attr("val").as_deref() == Some("nothing"),
                "pStyle" => level.style = tag.attr("val"),
                _ => {}
            },
            Token::Close(end) if end.name() == "lvl" => break,
            Token::Close(_) | Token::Text(_) => {}
        }
    }
    level
}

fn list(xml: &mut Xml<'_>) -> List {
    let mut list = List::default();
    let mut at = 0;
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match tag.name() {
                "abstractNumId" => list.scheme = tag.attr("val").unwrap_or_default(),
                "lvlOverride" => at = styles::level(tag.number("ilvl")).unwrap_or(0),
                "startOverride" => list.starts[at] = start(&tag),
                "lvl" => {
                    list.levels.insert(at, level(xml));
                }
                _ => {}
            },
            Token::Close(end) if end.name() == "num" => break,
            Token::Close(_) | Token::Text(_) => {}
        }
    }
    list
}

fn start(tag: &Tag<'_>) -> Option<u32> {
    tag.number("val").and_then(|n| u32::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(list: &str, level: usize) -> Number {
        Number {
            list: Some(list.to_owned()),
            level: Some(level),
            style: None,
        }
    }

    #[test]
    fn numbers_count_on_and_begin_anew_below_a_higher_level() {
        let xml = r#"<w:numbering>
            <w:abstractNum w:abstractNumId="7">
              <w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
              <w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>
              <w:lvl w:ilvl="2"><w:numFmt w:val="bullet"/><w:lvlText w:val="*"/></w:lvl>
            </w:abstractNum>
            <w:abstractNum w:abstractNumId="8">
              <w:lvl w:ilvl="0"><w:numFmt w:val="chineseCounting"/><w:lvlText w:val="第%1章"/><w:suff w:val="nothing"/></w:lvl>
            </w:abstractNum>
            <w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>
            <w:num w:numId="2"><w:abstractNumId w:val="7"/>
              <w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>
            <w:num w:numId="3"><w:abstractNumId w:val="8"/></w:num>
            </w:numbering>"#;
        let mut numbering = Numbering::of(xml);
        let mut next = |list, level| numbering.next(&number(list, level)).unwrap_or_default();
        let places = [("1", 0), ("1", 1), ("1", 1), ("1", 2), ("1", 0), ("1", 1)];
        let shown = places.map(|(list, level)| next(list, level));
        assert_eq!(shown, ["1. ", "1.a) ", "1.b) ", "", "2. ", "2.a) "]);
        assert_eq!(next("2", 0), "5. ");
        assert_eq!(next("2", 0), "6. ");
        assert_eq!(next("3", 0), "第一章");
        assert_eq!(next("9", 0), "");
    }
}
