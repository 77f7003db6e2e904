//! The pages of presentations and drawings: a title, what stands on them in the order in which it is
//! read, and the speaker's notes.

use rag_core::BlockKind;

use super::story::Story;
use crate::office::{
    node::Node,
    slides::{Shape, in_reading_order},
    xml::{Tag, Token, Xml},
};

/// Reads the page that was just opened to its end.
pub(super) fn read(story: &mut Story<'_>, xml: &mut Xml<'_>) {
    story.turn_page();
    let mut shapes: Vec<Shape> = Vec::new();
    let mut speech: Vec<Node> = Vec::new();
    let mut in_notes = false;
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match tag.name() {
                "notes" => in_notes = true,
                // Groups are read through, and so are links around shapes.
                "g" | "a" => {}
                "frame" | "custom-shape" | "rect" | "ellipse" | "circle" | "line" | "polyline"
                | "polygon" | "regular-polygon" | "path" | "connector" | "caption" | "measure"
                | "annotation" | "table" => {
                    let role = tag.attr("class").unwrap_or_default();
                    let is_prompt = tag.is_on("placeholder") && tag.attr("placeholder").is_some();
                    if is_prompt || is_margin(&role) {
                        xml.skip();
                        continue;
                    }
                    story.kind = (role == "title").then_some(BlockKind::Heading(2));
                    let place = place(&tag);
                    let nodes = story.nodes(xml);
                    story.kind = None;
                    if in_notes {
                        speech.extend(nodes.into_iter().map(Node::into_prose));
                    } else if !nodes.is_empty() {
                        shapes.push(Shape { role, place, nodes });
                    }
                }
                _ => xml.skip(),
            },
            Token::Close(end) if end.name() == "notes" => in_notes = false,
            Token::Close(end) if end.name() == "page" => break,
            Token::Close(_) | Token::Text(_) => {}
        }
    }
    // A slide with a subtitle is the one that a presentation begins with.
    let is_first = shapes.iter().any(|shape| shape.role == "subtitle");
    for shape in in_reading_order(shapes) {
        let nodes = shape.nodes;
        story.add(if is_first && shape.role == "title" {
            nodes.into_iter().map(Node::into_main_heading).collect()
        } else {
            nodes
        });
    }
    story.add(speech);
}

/// What stands on every slide.
fn is_margin(role: &str) -> bool {
    matches!(
        role,
        "date-time" | "footer" | "header" | "page-number" | "page" | "handout"
    )
}

/// Left, top, right and bottom, where the shape says so itself.
fn place(tag: &Tag<'_>) -> Option<[i64; 4]> {
    let length = |name| tag.attr(name).and_then(|value| micrometres(&value));
    let (left, top) = (length("x")?, length("y")?);
    let (width, height) = (length("width").unwrap_or(0), length("height").unwrap_or(0));
    Some([
        left,
        top,
        left.saturating_add(width),
        top.saturating_add(height),
    ])
}

/// A length with its unit: `2.54cm`, `1in`.
fn micrometres(value: &str) -> Option<i64> {
    let value = value.trim();
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let number: f64 = value.strip_suffix(unit)?.parse().ok()?;
    let size = match unit {
        "cm" => 10_000.0,
        "mm" => 1_000.0,
        "in" => 25_400.0,
        "pt" => 352.8,
        "pc" => 4_233.3,
        "px" => 264.6,
        _ => return None,
    };
    Some((number * size) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_units() {
        assert_eq!(micrometres("2.5cm"), Some(25_000));
        assert_eq!(micrometres("-1in"), Some(-25_400));
        assert_eq!(micrometres("12"), None);
        assert_eq!(micrometres("cm"), None);
    }
}
