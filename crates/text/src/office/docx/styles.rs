//! What the styles of a Word document say of its paragraphs: which are headings, titles, listings.

use std::collections::HashMap;

use rag_core::BlockKind;

use crate::office::xml::{Token, Xml};

/// Styles that are based on each other; a chain that is longer goes in a circle.
const MAX_CHAIN: usize = 24;

#[derive(Debug, Default)]
pub(super) struct Styles {
    looks: HashMap<String, Look>,
    /// Of paragraphs that name no style.
    default: Look,
}

/// What a style makes of a paragraph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::office) struct Look {
    /// Outline level from 0; body text has none.
    pub(in crate::office) outline: Option<u8>,
    pub(in crate::office) is_title: bool,
    /// An entry of a table of contents, which repeats a heading.
    pub(in crate::office) is_contents: bool,
    pub(in crate::office) is_code: bool,
    pub(in crate::office) number: Option<Number>,
}

impl Look {
    /// Takes over what `name` says, the name of this style or of one that it is based on, where nothing
    /// has been said nearer by; `outline` is what that style says itself.
    pub(in crate::office) fn take_over(&mut self, outline: Option<u8>, name: &str) {
        let named = look_by_name(name);
        self.outline = self.outline.or(outline).or(named.outline);
        self.is_title |= named.is_title;
        self.is_contents |= named.is_contents;
        self.is_code |= named.is_code;
    }

    /// What a paragraph of this look is, by its outline level from 0 and whether it is in a list.
    pub(in crate::office) fn kind(&self, outline: Option<u8>, is_listed: bool) -> BlockKind {
        match outline {
            Some(level) => BlockKind::Heading((level + 1).min(6)),
            None if self.is_title => BlockKind::Heading(1),
            None if self.is_code => BlockKind::Code,
            None if is_listed => BlockKind::ListItem,
            None => BlockKind::Paragraph,
        }
    }
}

/// The list that a paragraph belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::office) struct Number {
    /// `w:numId`; `0` takes a paragraph out of its list.
    pub(super) list: Option<String>,
    pub(super) level: Option<usize>,
    /// The style that it comes from, by which the level may be found.
    pub(super) style: Option<String>,
}

#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    outline: Option<u8>,
    number: Number,
    is_default: bool,
}

impl Styles {
    pub(super) fn of(xml: &str) -> Self {
        let styles = parsed(xml);
        let mut looks = HashMap::new();
        let mut default = Look::default();
        for (id, style) in &styles {
            let look = look_of(id, &styles);
            if style.is_default {
                default = look.clone();
            }
            looks.insert(id.clone(), look);
        }
        Self { looks, default }
    }

    /// The look of a style; one that is not defined is taken by its id, which is its name without
    /// spaces in most programs.
    pub(super) fn look(&self, id: Option<&str>) -> Look {
        let Some(id) = id else {
            return self.default.clone();
        };
        self.looks
            .get(id)
            .cloned()
            .unwrap_or_else(|| look_by_name(id))
    }
}

/// The paragraph styles of `styles.xml` by their ids.
fn parsed(xml: &str) -> HashMap<String, Style> {
    let mut styles = HashMap::new();
    let mut open: Option<(String, Style)> = None;
    let mut xml = Xml::new(xml);
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match (tag.name(), &mut open) {
                ("style", _) => {
                    let is_paragraph = tag.attr("type").is_none_or(|t| t == "paragraph");
                    open = tag.attr("styleId").filter(|_| is_paragraph).map(|id| {
                        let style = Style {
                            is_default: tag.is_on("default"),
                            ..Style::default()
                        };
                        (id, style)
                    });
                }
                ("name", Some((_, style))) => style.name = tag.attr("val").unwrap_or_default(),
                ("basedOn", Some((_, style))) => style.based_on = tag.attr("val"),
                ("outlineLvl", Some((_, style))) => style.outline = outline(tag.number("val")),
                ("numId", Some((_, style))) => style.number.list = tag.attr("val"),
                ("ilvl", Some((_, style))) => style.number.level = level(tag.number("val")),
                _ => {}
            },
            Token::Close(end) if end.name() == "style" => {
                styles.extend(open.take());
            }
            Token::Close(_) | Token::Text(_) => {}
        }
    }
    styles
}

/// `w:outlineLvl`: 0 to 8, and 9 for body text.
pub(super) fn outline(value: Option<i64>) -> Option<u8> {
    value.and_then(|n| u8::try_from(n).ok())
}

/// `w:ilvl`: 0 to 8.
pub(super) fn level(value: Option<i64>) -> Option<usize> {
    value.map(|n| usize::try_from(n).unwrap_or(0).min(8))
}

/// A style with what it takes over from those that it is based on.
fn look_of(id: &str, styles: &HashMap<String, Style>) -> Look {
    let mut look = Look::default();
    let mut number = Number::default();
    let mut at = Some(id);
    for _ in 0..MAX_CHAIN {
        let Some((id, style)) = at.and_then(|id| Some((id, styles.get(id)?))) else {
            break;
        };
        look.take_over(style.outline, &style.name);
        if number.list.is_none() && style.number.list.is_some() {
            number.list.clone_from(&style.number.list);
            number.style = Some(id.to_owned());
        }
        number.level = number.level.or(style.number.level);
        at = style.based_on.as_deref();
    }
    look.number = number.list.is_some().then_some(number);
    look
}

const HEADINGS: [&str; 16] = [
    "heading",
    "标题",
    "標題",
    "überschrift",
    "titre",
    "título",
    "titulo",
    "titolo",
    "kop",
    "заголовок",
    "nagłówek",
    "rubrik",
    "overskrift",
    "見出し",
    "제목",
    "otsikko",
];
const TITLES: [&str; 12] = [
    "title",
    "标题",
    "標題",
    "titel",
    "titre",
    "título",
    "titolo",
    "название",
    "tytuł",
    "表題",
    "제목",
    "otsikko",
];

/// What the name of a style tells: Word's own names, which it writes in every language, and those that
/// other programs translate.
pub(in crate::office) fn look_by_name(name: &str) -> Look {
    let name = name.to_lowercase();
    let name = name.trim();
    let cut = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let level = name[cut.len()..].parse::<u8>().ok();
    let base: String = cut.chars().filter(|c| !c.is_whitespace()).collect();
    let is_heading = HEADINGS.contains(&&*base);
    Look {
        outline: level
            .filter(|level| is_heading && (1..=9).contains(level))
            .map(|level| level - 1),
        is_title: level.is_none() && TITLES.contains(&&*base),
        is_contents: level.is_some() && matches!(&*base, "toc" | "目录" | "目錄" | "contents"),
        is_code: matches!(
            &*base,
            "sourcecode" | "htmlpreformatted" | "preformattedtext" | "code" | "plaincode"
        ),
        number: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_one_by_its_level_its_name_or_what_it_is_based_on() {
        let xml = r#"<w:styles>
            <w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>
            <w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/><w:basedOn w:val="a"/></w:style>
            <w:style w:type="paragraph" w:styleId="x"><w:name w:val="Chapter"/><w:basedOn w:val="2"/></w:style>
            <w:style w:type="paragraph" w:styleId="y"><w:name w:val="Motto"/>
              <w:pPr><w:numPr><w:numId w:val="3"/></w:numPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
            <w:style w:type="paragraph" w:styleId="z"><w:name w:val="Round"/><w:basedOn w:val="z"/></w:style>
            <w:style w:type="character" w:styleId="c"><w:name w:val="heading 1"/></w:style>
            </w:styles>"#;
        let styles = Styles::of(xml);
        let outline = |id| styles.look(Some(id)).outline;
        let found = ["a", "2", "x", "y", "z"].map(outline);
        assert_eq!(found, [None, Some(1), Some(1), Some(0), None]);
        let number = styles.look(Some("y")).number.unwrap();
        assert_eq!(number.list.as_deref(), Some("3"));
        assert_eq!(number.style.as_deref(), Some("y"));
        assert_eq!(styles.look(None), Look::default());
    }

    #[test]
    fn names_tell_in_many_languages() {
        for name in [
            "Heading 3",
            "Heading3",
            "标题 3",
            "Überschrift 3",
            "見出し 3",
        ] {
            assert_eq!(look_by_name(name).outline, Some(2), "{name}");
        }
        assert!(look_by_name("标题").is_title);
        assert!(look_by_name("TOC 1").is_contents);
        assert_eq!(look_by_name("Subtitle"), Look::default());
        assert_eq!(look_by_name("heading 0"), Look::default());
    }
}
