//! Presentations (OOXML): each slide is a page with its title, its text, and the speaker's notes after it.

use std::collections::HashMap;

use rag_core::{BlockKind, Document};

use super::{
    body::Body,
    docx, drawing,
    node::Node,
    package::{Package, Relations, related},
    xml::{Tag, Token, Xml},
};
use crate::{error::Failure, nest::Input};

/// More shapes than this on one slide stay in the order of the file.
const MAX_ORDERED: usize = 300;

pub(super) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let mut package = Package::open(input, "PowerPoint")?;
    let top = package.relations("")?;
    let usual = "ppt/presentation.xml";
    let main = related(&top, "officeDocument").filter(|name| package.has(name));
    let main = main.unwrap_or(usual).to_owned();
    let relations = package.relations(&main)?;
    let Some(text) = package.xml(&main)? else {
        return Err(package.malformed("it holds no presentation"));
    };
    let mut xml = Xml::new(&text);
    let mut slides = Vec::new();
    while let Some(token) = xml.next() {
        if let Token::Open(tag) = token
            && tag.name() == "sldId"
        {
            slides.extend(tag.prefixed("id").and_then(|id| relations.get(&id)));
        }
    }
    package.note_damage(&main, &xml);
    let mut body = Body::default();
    for (index, slide) in slides.into_iter().enumerate() {
        body.flow().page(index as u32 + 1);
        read_slide(&mut package, &slide.target, &mut body)?;
    }
    docx::finished(&mut package, body, None)
}

fn read_slide(package: &mut Package<'_>, name: &str, body: &mut Body) -> Result<(), Failure> {
    let relations = package.relations(name)?;
    let mut drawn = drawing::nodes(package, &relations)?;
    let Some(text) = package.xml(name)? else {
        package.lost(format!("the slide `{name}` is missing"));
        return Ok(());
    };
    let mut xml = Xml::new(&text);
    let shapes = shapes(&mut xml, &relations, &mut drawn);
    package.note_damage(name, &xml);
    for shape in in_reading_order(shapes) {
        body.add(shape.nodes);
    }
    for (kind, wanted) in [("notesSlide", "body"), ("comments", "")] {
        let Some(member) = related(&relations, kind) else {
            continue;
        };
        let own = package.relations(member)?;
        let Some(text) = package.xml(member)? else {
            continue;
        };
        let mut xml = Xml::new(&text);
        if wanted.is_empty() {
            body.add(comments(&mut xml));
        } else {
            let said = shapes_of_notes(&mut xml, &own, wanted);
            body.add(said);
        }
        package.note_damage(member, &xml);
    }
    Ok(())
}

/// Something on a slide that is read as one: a box of text, a table, a group.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// What it is a placeholder for: `title`, `body`, `sldNum`.
    pub(super) role: String,
    /// Left, top, right and bottom, where the slide says so itself.
    pub(super) place: Option<[i64; 4]>,
    pub(super) nodes: Vec<Node>,
}

/// The text of the speaker's notes: their own box, not the picture of the slide or its number.
fn shapes_of_notes(xml: &mut Xml<'_>, relations: &Relations, wanted: &str) -> Vec<Node> {
    let shapes = shapes(xml, relations, &mut HashMap::new());
    let said = shapes.into_iter().filter(|shape| shape.role == wanted);
    said.flat_map(|shape| shape.nodes)
        .map(Node::into_prose)
        .collect()
}

fn comments(xml: &mut Xml<'_>) -> Vec<Node> {
    let mut body = Body::aside();
    while let Some(token) = xml.next() {
        if let Token::Open(tag) = token
            && tag.name() == "text"
        {
            body.begin(BlockKind::Paragraph);
            body.text(&xml.text());
            body.end();
        }
    }
    body.take()
}

/// The shapes of a slide in the order of the file.
fn shapes(
    xml: &mut Xml<'_>,
    relations: &Relations,
    drawn: &mut HashMap<String, Vec<Node>>,
) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut reader = ShapeReader {
        relations,
        drawn,
        body: Body::aside(),
        shape: Shape::default(),
        groups: 0,
        level: 0,
        is_bulleted: true,
        choices: Vec::new(),
    };
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => reader.opened(&tag, xml),
            Token::Close(end) => {
                if let Some(shape) = reader.closed(end.name()) {
                    shapes.push(shape);
                }
            }
            Token::Text(_) => {}
        }
    }
    // What was open where a damaged slide ends.
    shapes.extend(reader.taken());
    shapes
}

#[derive(Debug)]
struct ShapeReader<'r> {
    relations: &'r Relations,
    drawn: &'r mut HashMap<String, Vec<Node>>,
    body: Body,
    shape: Shape,
    /// Groups within each other; a group is read as one shape.
    groups: usize,
    level: usize,
    is_bulleted: bool,
    choices: Vec<usize>,
}

impl ShapeReader<'_> {
    fn opened(&mut self, tag: &Tag<'_>, xml: &mut Xml<'_>) {
        match tag.name() {
            "grpSp" => self.groups += 1,
            "ph" => {
                let role = tag.attr("type").unwrap_or_else(|| "body".to_owned());
                self.shape.role = role;
            }
            "off" if self.shape.place.is_none() => {
                if let (Some(x), Some(y)) = (tag.number("x"), tag.number("y")) {
                    self.shape.place = Some([x, y, x, y]);
                }
            }
            "ext" => {
                if let (Some([x, y, right, bottom]), Some(width), Some(height)) =
                    (&mut self.shape.place, tag.number("cx"), tag.number("cy"))
                    && right == x
                    && bottom == y
                {
                    *right = x.saturating_add(width);
                    *bottom = y.saturating_add(height);
                }
            }
            "AlternateContent" => self.choices.push(self.body.taken()),
            "Choice" | "Fallback"
                if self.choices.last().is_some_and(|n| self.body.taken() > *n) =>
            {
                xml.skip();
            }
            "tbl" => self.body.open_table(),
            "tr" => self.body.open_row(),
            "tc" => {
                // The cells that a merged one covers are there, and empty.
                self.body.open_cell();
            }
            "p" => {
                self.level = 0;
                self.is_bulleted = true;
                self.body.begin(BlockKind::Paragraph);
            }
            "pPr" => self.level = usize::from(tag.number("lvl").is_some_and(|level| level > 0)),
            "buNone" => self.is_bulleted = false,
            "t" => self.body.text(&xml.text()),
            "br" => self.body.line_break(),
            // The number of the slide, the day on which it is shown.
            "fld" if tag.attr("type").is_some_and(|t| t != "text") => xml.skip(),
            "hlinkClick" => self.link(tag),
            "chart" => self.draw(tag.prefixed("id")),
            "relIds" => self.draw(tag.attr("dm")),
            _ => {}
        }
    }

    fn closed(&mut self, name: &str) -> Option<Shape> {
        match name {
            "r" => self.body.close_link(),
            "p" => self.end_paragraph(),
            "tbl" => self.body.close_table(),
            "tc" => self.body.close_cell(),
            "AlternateContent" => {
                self.choices.pop();
            }
            "grpSp" => self.groups = self.groups.saturating_sub(1),
            _ => {}
        }
        let ends = matches!(name, "sp" | "graphicFrame" | "grpSp" | "cxnSp" | "pic");
        if ends && self.groups == 0 {
            return self.taken();
        }
        None
    }

    fn taken(&mut self) -> Option<Shape> {
        let shape = std::mem::take(&mut self.shape);
        let nodes = self.body.take();
        let is_margin = matches!(&*shape.role, "sldNum" | "dt" | "ftr" | "hdr");
        (!nodes.is_empty() && !is_margin).then_some(Shape { nodes, ..shape })
    }

    fn end_paragraph(&mut self) {
        let kind = match &*self.shape.role {
            "ctrTitle" => BlockKind::Heading(1),
            "title" => BlockKind::Heading(2),
            "body" | "obj" if self.is_bulleted => BlockKind::ListItem,
            _ if self.level > 0 => BlockKind::ListItem,
            _ => BlockKind::Paragraph,
        };
        self.body.make(kind);
        self.body.end();
    }

    /// The run whose properties these are points somewhere.
    fn link(&mut self, tag: &Tag<'_>) {
        let relation = tag.prefixed("id").and_then(|id| self.relations.get(&id));
        if let Some(relation) = relation.filter(|r| r.is_external && self.body.is_open()) {
            self.body.open_link(&relation.target);
        }
    }

    fn draw(&mut self, id: Option<String>) {
        if let Some(nodes) = id.and_then(|id| self.drawn.remove(&id)) {
            self.body.add(nodes);
        }
    }
}

/// Shapes as they are read: the title first, then as in the file, but none before one that stands
/// wholly above it, or wholly to its left beside it.
pub(super) fn in_reading_order(shapes: Vec<Shape>) -> Vec<Shape> {
    let (mut ordered, mut rest): (Vec<Shape>, Vec<Shape>) = shapes
        .into_iter()
        .partition(|shape| matches!(&*shape.role, "title" | "ctrTitle"));
    if rest.len() > MAX_ORDERED {
        ordered.extend(rest);
        return ordered;
    }
    while !rest.is_empty() {
        let is_first = |shape: &Shape| !rest.iter().any(|other| comes_before(other, shape));
        // Shapes that lie around each other have no first one.
        let at = rest.iter().position(is_first).unwrap_or(0);
        ordered.push(rest.remove(at));
    }
    ordered
}

fn comes_before(one: &Shape, other: &Shape) -> bool {
    let (Some(a), Some(b)) = (one.place, other.place) else {
        return false;
    };
    let beside = |from: usize, to: usize| a[from] < b[to] && b[from] < a[to];
    let is_above = a[3] <= b[1] && beside(0, 2);
    let is_left = a[2] <= b[0] && beside(1, 3);
    is_above || is_left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::office::node::words_of;

    fn shape(text: &str, role: &str, place: Option<[i64; 4]>) -> Shape {
        let mut body = Body::aside();
        body.text(text);
        Shape {
            role: role.to_owned(),
            place,
            nodes: body.take(),
        }
    }

    #[test]
    fn shapes_are_read_from_above_and_columns_stay_together() {
        let shapes = vec![
            shape("foot", "", Some([0, 80, 100, 90])),
            shape("left head", "", Some([0, 20, 40, 30])),
            shape("left text", "", Some([0, 30, 40, 70])),
            shape("right head", "", Some([60, 20, 100, 30])),
            shape("right text", "", Some([60, 30, 100, 70])),
            shape("unplaced", "body", None),
            shape("title", "title", Some([0, 50, 100, 60])),
        ];
        let texts: Vec<String> = in_reading_order(shapes)
            .iter()
            .map(|shape| words_of(&shape.nodes))
            .collect();
        let expected = [
            "title",
            "left head",
            "left text",
            "right head",
            "right text",
            "foot",
            "unplaced",
        ];
        assert_eq!(texts, expected);
    }
}
