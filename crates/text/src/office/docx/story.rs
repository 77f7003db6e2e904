//! One story of a Word document (its body, a note, a header) as paragraphs and tables.

use std::collections::{HashMap, HashSet};

use rag_core::BlockKind;

use super::{
    fields::Fields,
    look::{self, Look},
    math::Math,
    numbering::Numbering,
    styles::{self, Number, Styles},
};
use crate::hidden::Hidden;
use crate::office::{
    body::Body,
    node::Node,
    package::Relations,
    symbols,
    xml::{Tag, Token, Xml},
};

/// What all stories of a document share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) styles: Styles,
    pub(super) numbering: Numbering,
    /// Notes and comments by the name of their reference and their id; each is taken once.
    pub(super) notes: HashMap<(&'static str, String), Vec<Node>>,
    /// The first paragraph in the style of a title.
    pub(super) title: Option<String>,
    /// Styles whose text is hidden.
    pub(super) hidden_styles: HashSet<String>,
    /// Styles that give their text a ground.
    pub(super) shaded_styles: HashSet<String>,
    /// Whether the page is white.
    pub(super) is_on_white: bool,
    /// What was left out because nobody sees it.
    pub(super) hidden: Hidden,
}

/// Names of the elements that refer to a note, with the notes' own.
pub(super) const NOTES: [(&str, &str); 3] = [
    ("footnoteReference", "footnote"),
    ("endnoteReference", "endnote"),
    ("commentReference", "comment"),
];

#[derive(Debug)]
pub(super) struct Story<'s> {
    shared: &'s mut Shared,
    relations: &'s Relations,
    /// Drawings and diagrams that stand in other members, as nodes, by the id of their relation.
    drawn: &'s mut HashMap<String, Vec<Node>>,
    fields: Fields,
    math: Math,
    /// Paragraphs within each other (text boxes), from the outside inwards.
    open: Vec<Properties>,
    /// How the runs within each other look, from the outside inwards.
    runs: Vec<Look>,
    /// Tables and text boxes around, which may have a ground of their own.
    grounds: usize,
    /// For each choice between drawings, the characters taken before it.
    choices: Vec<usize>,
    /// Members that stand where they are included, by their relations.
    pub(super) included: Vec<String>,
}

/// What a paragraph says of itself.
#[derive(Debug, Default)]
struct Properties {
    style: Option<String>,
    outline: Option<u8>,
    number: Option<Number>,
    /// It has a ground of its own.
    is_shaded: bool,
}

impl<'s> Story<'s> {
    pub(super) fn new(
        shared: &'s mut Shared,
        relations: &'s Relations,
        drawn: &'s mut HashMap<String, Vec<Node>>,
    ) -> Self {
        Self {
            shared,
            relations,
            drawn,
            fields: Fields::default(),
            math: Math::default(),
            open: Vec::new(),
            runs: Vec::new(),
            grounds: 0,
            choices: Vec::new(),
            included: Vec::new(),
        }
    }

    /// Reads up to the end of the element that was just opened, or of the text.
    pub(super) fn read(&mut self, xml: &mut Xml<'_>, body: &mut Body) {
        let mut depth = 1_usize;
        while let Some(token) = xml.next() {
            match token {
                Token::Open(tag) => {
                    if self.opened(&tag, xml, body) {
                        depth += 1;
                    }
                }
                Token::Close(end) => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                    self.closed(end.name(), body);
                }
                Token::Text(_) => {}
            }
        }
        body.end();
    }

    /// Whether the element stays open: what is read or passed over as a whole does not.
    fn opened(&mut self, tag: &Tag<'_>, xml: &mut Xml<'_>, body: &mut Body) -> bool {
        if let Some(sign) = self.math.open(tag) {
            self.words(&sign, body);
        }
        match tag.name() {
            "t" => {
                let words = xml.text();
                let signs = self.math.signs();
                self.words(&signs, body);
                self.words(&words, body);
                return false;
            }
            "instrText" => {
                self.fields.instruct(&xml.text());
                return false;
            }
            "pPr" => {
                let properties = properties(xml);
                if let Some(open) = self.open.last_mut() {
                    *open = properties;
                }
                return false;
            }
            "rPr" => {
                let mut look = Look::default();
                look.read(xml, &self.shared.hidden_styles);
                // Of a run; that of a paragraph's mark stands among its properties.
                if let Some(run) = self.runs.last_mut() {
                    *run = look;
                }
                return false;
            }
            // Taken out by a tracked change, or about looks.
            "del" | "moveFrom" | "sectPr" | "tblPr" | "tblGrid" | "trPr" | "tblPrEx" | "sdtPr"
            | "sdtEndPr" | "smartTagPr" | "customXmlPr" | "rt" | "rubyPr" => {
                xml.skip();
                return false;
            }
            "Choice" | "Fallback" if self.has_chosen(body) => {
                xml.skip();
                return false;
            }
            "p" => {
                body.begin(BlockKind::Paragraph);
                self.open.push(Properties::default());
            }
            "r" => self.runs.push(Look::default()),
            "tbl" => {
                self.grounds += 1;
                body.open_table();
            }
            "tr" => body.open_row(),
            "tc" => body.open_cell(),
            "gridSpan" => body.span(tag.count("val")),
            "txbxContent" => {
                self.grounds += 1;
                body.open_aside();
            }
            "AlternateContent" => self.choices.push(body.taken()),
            name => self.opened_in_run(name, tag, body),
        }
        true
    }

    fn opened_in_run(&mut self, name: &str, tag: &Tag<'_>, body: &mut Body) {
        match name {
            // A tab stop stands among the properties of its paragraph, which were passed over.
            "tab" | "ptab" => self.words("\t", body),
            "br" if tag.attr("type").is_none_or(|t| t == "textWrapping") => body.line_break(),
            "br" | "cr" => body.line_break(),
            "noBreakHyphen" => self.words("-", body),
            "sym" => {
                let font = tag.attr("font").unwrap_or_default();
                let code = tag
                    .attr("char")
                    .and_then(|c| u32::from_str_radix(&c, 16).ok());
                if let Some(c) = code.and_then(|code| symbols::shown(&font, code)) {
                    self.words(c.encode_utf8(&mut [0; 4]), body);
                }
            }
            "hyperlink" => {
                let relation = tag.prefixed("id").and_then(|id| self.relations.get(&id));
                if let Some(relation) = relation.filter(|relation| relation.is_external) {
                    body.open_link(&relation.target);
                }
            }
            "fldSimple" => {
                let instruction = tag.attr("instr").unwrap_or_default();
                let target = self.fields.simple(&instruction);
                if let Some(target) = target {
                    body.open_link(&target);
                }
            }
            "fldChar" => match tag.attr("fldCharType").as_deref() {
                Some("begin") => self.fields.begin(),
                Some("separate") => {
                    if let Some(target) = self.fields.separate() {
                        body.open_link(&target);
                    }
                }
                Some("end") if self.fields.end() => body.close_link(),
                _ => {}
            },
            "altChunk" => self.included.extend(tag.prefixed("id")),
            // A chart and the data of a diagram stand in members of their own.
            "chart" => self.draw(tag.prefixed("id"), body),
            "relIds" => self.draw(tag.attr("dm"), body),
            _ => {
                let note = NOTES.iter().find(|(reference, _)| *reference == name);
                if let (Some((_, kind)), Some(id)) = (note, tag.attr("id"))
                    && let Some(nodes) = self.shared.notes.remove(&(*kind, id))
                {
                    body.note(nodes);
                }
            }
        }
    }

    fn closed(&mut self, name: &str, body: &mut Body) {
        if let Some(sign) = self.math.close(name) {
            self.words(&sign, body);
        }
        match name {
            "p" => self.end_paragraph(body),
            "r" => {
                self.runs.pop();
            }
            "tbl" => {
                self.grounds = self.grounds.saturating_sub(1);
                body.close_table();
            }
            "tc" => body.close_cell(),
            "txbxContent" => {
                self.grounds = self.grounds.saturating_sub(1);
                body.close_aside();
            }
            "hyperlink" => body.close_link(),
            "fldSimple" if self.fields.end() => body.close_link(),
            "AlternateContent" => {
                self.choices.pop();
            }
            _ => {}
        }
    }

    fn words(&mut self, words: &str, body: &mut Body) {
        if !self.fields.is_shown() || words.is_empty() {
            return;
        }
        if self.is_seen() {
            body.text(words);
        } else {
            self.shared.hidden.add(words);
        }
    }

    /// Whether what is written now is seen by readers.
    fn is_seen(&self) -> bool {
        let paragraph = self.open.last();
        let style = paragraph.and_then(|open| open.style.as_ref());
        if style.is_some_and(|id| self.shared.hidden_styles.contains(id)) {
            return false;
        }
        let Some(run) = self.runs.last() else {
            return true;
        };
        let on_white = self.shared.is_on_white
            && self.grounds == 0
            && !run.is_shaded
            && style.is_none_or(|id| !self.shared.shaded_styles.contains(id))
            && paragraph.is_none_or(|open| !open.is_shaded);
        !(run.is_hidden || run.is_white && on_white)
    }

    fn draw(&mut self, id: Option<String>, body: &mut Body) {
        if let Some(nodes) = id.and_then(|id| self.drawn.remove(&id)) {
            body.note(nodes);
        }
    }

    /// Of several drawings of one thing, the first that has text is read.
    fn has_chosen(&self, body: &Body) -> bool {
        self.choices
            .last()
            .is_some_and(|before| body.taken() > *before)
    }

    fn end_paragraph(&mut self, body: &mut Body) {
        let properties = self.open.pop().unwrap_or_default();
        if self.open.is_empty() {
            self.fields.end_paragraph();
        }
        let look = self.shared.styles.look(properties.style.as_deref());
        let number = match (properties.number, look.number.clone()) {
            (Some(own), Some(styled)) => Some(Number {
                list: own.list.or(styled.list),
                level: own.level.or(styled.level),
                style: styled.style,
            }),
            (own, styled) => own.or(styled),
        };
        if !body.has_words() {
            // Word counts only paragraphs that are there to be numbered.
            body.end();
            return;
        }
        if look.is_contents {
            body.drop_open();
            return;
        }
        let outline = properties
            .outline
            .or(look.outline)
            .filter(|level| *level < 9);
        let is_listed = number
            .as_ref()
            .is_some_and(|n| n.list.as_deref() != Some("0"));
        let kind = look.kind(outline, is_listed);
        if look.is_title && self.shared.title.is_none() {
            self.shared.title = body.open_words();
        }
        if let Some(shown) = number
            .filter(|_| is_listed)
            .and_then(|n| self.shared.numbering.next(&n))
        {
            body.prefix(&shown);
        }
        body.make(kind);
        body.end();
    }
}

/// Reads `w:pPr` to its end.
fn properties(xml: &mut Xml<'_>) -> Properties {
    let mut properties = Properties::default();
    let mut depth = 1_usize;
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match tag.name() {
                // How the paragraph was before a tracked change, and looks.
                "pPrChange" | "rPr" | "sectPr" | "tabs" => xml.skip(),
                name => {
                    match name {
                        "pStyle" => properties.style = tag.attr("val"),
                        "shd" => properties.is_shaded |= look::is_shaded(&tag),
                        "outlineLvl" => properties.outline = styles::outline(tag.number("val")),
                        "numPr" => properties.number = Some(Number::default()),
                        "numId" => {
                            if let Some(number) = &mut properties.number {
                                number.list = tag.attr("val");
                            }
                        }
                        "ilvl" => {
                            if let Some(number) = &mut properties.number {
                                number.level = styles::level(tag.number("val"));
                            }
                        }
                        _ => {}
                    }
                    depth += 1;
                }
            },
            Token::Close(_) => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            Token::Text(_) => {}
        }
    }
    properties
}
