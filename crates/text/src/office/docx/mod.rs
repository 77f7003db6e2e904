//! Word documents (OOXML, ECMA-376): the body with its notes, comments and text boxes where they stand,
//! headers and footers at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rag_core::Document;

use self::{
    numbering::Numbering,
    story::{NOTES, Shared, Story},
    styles::Styles,
};
use super::{
    body::Body,
    drawing,
    node::{Node, words_of},
    package::{Package, Relations, related},
    properties::Properties,
    xml::{Token, Xml},
};
use crate::{error::Failure, nest::Input};

pub(super) mod fields;

mod look;
mod math;
mod numbering;
mod story;
pub(super) mod styles;

pub(super) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let mut package = Package::open(input, "Word")?;
    let main = main_part(&mut package)?;
    let relations = package.relations(&main)?;
    let mut shared = Shared::default();
    if let Some(text) = member(&mut package, &relations, "styles")? {
        shared.styles = Styles::of(&text);
        shared.hidden_styles = look::hidden_styles(&text);
        shared.shaded_styles = look::shaded_styles(&text);
    }
    if let Some(text) = member(&mut package, &relations, "numbering")? {
        shared.numbering = Numbering::of(&text);
    }
    for (member, kind) in [
        ("footnotes", "footnote"),
        ("endnotes", "endnote"),
        ("comments", "comment"),
    ] {
        read_notes(&mut package, &relations, member, kind, &mut shared)?;
    }
    let mut body = Body::default();
    let mut drawn = drawing::nodes(&mut package, &relations)?;
    let Some(text) = package.xml(&main)? else {
        return Err(package.malformed("it holds no document"));
    };
    shared.is_on_white = !text.contains("<w:background ");
    let mut xml = Xml::new(&text);
    let mut story = Story::new(&mut shared, &relations, &mut drawn);
    story.read(&mut xml, &mut body);
    let included = std::mem::take(&mut story.included);
    package.note_damage(&main, &xml);
    for id in included {
        let target = relations
            .get(&id)
            .map_or(&*id, |relation| &*relation.target);
        package.lost(format!("`{target}`, a file included in it, was not read"));
    }
    let rest: BTreeSet<(&str, String)> = shared.notes.keys().cloned().collect();
    for key in rest {
        body.add(shared.notes.remove(&key).unwrap_or_default());
    }
    let left: BTreeMap<String, Vec<Node>> = drawn.into_iter().collect();
    body.add(left.into_values().flatten().collect());
    read_margins(&mut package, &relations, &mut shared, &mut body)?;
    let mut document = finished(&mut package, body, shared.title)?;
    document.warnings.extend(shared.hidden.warning());
    Ok(document)
}

/// The document with what the file says of itself.
///
/// # Errors
/// `Malformed` where nothing was read because of damage.
pub(super) fn finished(
    package: &mut Package<'_>,
    body: Body,
    title: Option<String>,
) -> Result<Document, Failure> {
    let top = package.relations("")?;
    let core = related(&top, "core-properties")
        .unwrap_or("docProps/core.xml")
        .to_owned();
    let told = package.xml(&core)?.map(|text| Properties::of(&text));
    let told = told.unwrap_or_default();
    let heading = body.first_heading().map(str::to_owned);
    super::ended(
        package,
        Document {
            title: told.title.or(title).or(heading),
            date: told.date,
            ..body.finish()
        },
    )
}

/// The main part: as the relations of the file say, or under its usual name.
fn main_part(package: &mut Package<'_>) -> Result<String, Failure> {
    let top = package.relations("")?;
    let usual = "word/document.xml";
    let named = related(&top, "officeDocument").filter(|name| package.has(name));
    let main = named
        .or(package.has(usual).then_some(usual))
        .map(str::to_owned);
    main.ok_or_else(|| package.malformed("it holds no document"))
}

/// The text of the member that is related to the main part as `kind`.
fn member(
    package: &mut Package<'_>,
    relations: &Relations,
    kind: &str,
) -> Result<Option<String>, Failure> {
    match related(relations, kind) {
        Some(name) => package.xml(name),
        None => Ok(None),
    }
}

/// Reads all notes of a kind, so that they are there where they are referred to.
fn read_notes(
    package: &mut Package<'_>,
    relations: &Relations,
    member: &str,
    kind: &'static str,
    shared: &mut Shared,
) -> Result<(), Failure> {
    let Some(name) = related(relations, member) else {
        return Ok(());
    };
    let own = package.relations(name)?;
    let Some(text) = package.xml(name)? else {
        return Ok(());
    };
    debug_assert!(NOTES.iter().any(|(_, note)| *note == kind));
    let mut xml = Xml::new(&text);
    while let Some(token) = xml.next() {
        let Token::Open(tag) = token else { continue };
        if tag.name() != kind {
            continue;
        }
        // Lines that part notes from text are notes too, of other types.
        let is_note = tag.attr("type").is_none_or(|t| t == "normal");
        let (Some(id), true) = (tag.attr("id"), is_note) else {
            xml.skip();
            continue;
        };
        let author = tag
            .attr("author")
            .filter(|author| !author.trim().is_empty());
        let mut note = Body::aside();
        let mut undrawn = HashMap::new();
        Story::new(shared, &own, &mut undrawn).read(&mut xml, &mut note);
        let mut nodes = note.take();
        if let Some(author) = author {
            // As Word shows it: who says something stands before what they say.
            Node::say(&mut nodes, &author);
        }
        if !nodes.is_empty() {
            shared.notes.insert((kind, id), nodes);
        }
    }
    package.note_damage(name, &xml);
    Ok(())
}

/// Headers and footers, each text once, where they hold more than page numbers.
fn read_margins(
    package: &mut Package<'_>,
    relations: &Relations,
    shared: &mut Shared,
    body: &mut Body,
) -> Result<(), Failure> {
    let is_margin = |kind: &str| matches!(kind, "header" | "footer");
    let margins: BTreeSet<&str> = relations
        .values()
        .filter(|relation| is_margin(&relation.kind) && !relation.is_external)
        .map(|relation| relation.target.as_str())
        .collect();
    let mut seen = BTreeSet::new();
    for name in margins {
        let own = package.relations(name)?;
        let Some(text) = package.xml(name)? else {
            continue;
        };
        let mut xml = Xml::new(&text);
        let mut undrawn = HashMap::new();
        let mut margin = Body::aside();
        Story::new(shared, &own, &mut undrawn).read(&mut xml, &mut margin);
        package.note_damage(name, &xml);
        let nodes = margin.take();
        let words = words_of(&nodes);
        if !is_page_number(&words) && seen.insert(words) {
            body.add(nodes);
        }
    }
    Ok(())
}

/// Whether these words of a header or footer are there for a page number.
pub(super) fn is_page_number(words: &str) -> bool {
    const WORDS: [&str; 16] = [
        "page",
        "of",
        "pages",
        "p",
        "pg",
        "seite",
        "von",
        "sur",
        "de",
        "página",
        "pagina",
        "第",
        "页",
        "頁",
        "共",
        "ページ",
    ];
    let parted = words.replace(['第', '页', '頁', '共'], " ");
    let mut said = parted
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty());
    said.all(|word| WORDS.contains(&&*word.to_lowercase()))
}

impl Node {
    /// Puts who says it before what the first paragraph of `nodes` says.
    pub(super) fn say(nodes: &mut [Self], who: &str) {
        let first = nodes.iter_mut().find_map(|node| match node {
            Self::Paragraph(paragraph) => Some(paragraph),
            Self::Table(_) => None,
        });
        if let Some(first) = first {
            first.prefix(&format!("{who}: "));
        }
    }
}

#[cfg(test)]
mod tests;
