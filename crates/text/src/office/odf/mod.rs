//! `OpenDocument` (ISO/IEC 26300): texts, presentations and drawings, as packages and as single flat
//! files, which `LibreOffice` and its kin write.

use std::collections::{HashMap, HashSet};

use file_format::FileFormat;
use rag_core::{Document, Warning, WarningKind};

use self::{
    story::{Object, Story},
    styles::Styles,
};
use super::{
    docx::is_page_number,
    ended,
    node::{Node, words_of},
    package::Package,
    properties::Properties,
    xml::{Token, Xml},
};
use crate::{
    error::Failure,
    format::{Format, Parser},
    nest::Input,
};

mod numbering;
mod pages;
mod story;
mod styles;
#[cfg(test)]
mod tests;

static TEXT: Format = Format {
    name: "OpenDocument text",
    media_type: "application/vnd.oasis.opendocument.text",
    magic: &[
        FileFormat::OpendocumentText,
        FileFormat::OpendocumentTextTemplate,
        FileFormat::OpendocumentTextMaster,
    ],
    marks: None,
    extensions: &["odt", "ott", "odm"],
    parser: Parser::Bytes(read),
};

static SLIDES: Format = Format {
    name: "OpenDocument presentation",
    media_type: "application/vnd.oasis.opendocument.presentation",
    magic: &[
        FileFormat::OpendocumentPresentation,
        FileFormat::OpendocumentPresentationTemplate,
    ],
    marks: None,
    extensions: &["odp", "otp"],
    parser: Parser::Bytes(read),
};

static DRAWING: Format = Format {
    name: "OpenDocument drawing",
    media_type: "application/vnd.oasis.opendocument.graphics",
    magic: &[
        FileFormat::OpendocumentGraphics,
        FileFormat::OpendocumentGraphicsTemplate,
    ],
    marks: None,
    extensions: &["odg", "otg"],
    parser: Parser::Bytes(read),
};

static FLAT_TEXT: Format = Format {
    name: "flat OpenDocument text",
    media_type: "application/vnd.oasis.opendocument.text-flat-xml",
    magic: &[],
    marks: Some(|head| is_flat(head, "text")),
    extensions: &["fodt"],
    parser: Parser::Text(|_, text| Ok(read_flat(&text))),
};

static FLAT_SLIDES: Format = Format {
    name: "flat OpenDocument presentation",
    media_type: "application/vnd.oasis.opendocument.presentation-flat-xml",
    magic: &[],
    marks: Some(|head| is_flat(head, "presentation") || is_flat(head, "graphics")),
    extensions: &["fodp", "fodg"],
    parser: Parser::Text(|_, text| Ok(read_flat(&text))),
};

pub(crate) static FORMATS: [&Format; 5] = [&TEXT, &SLIDES, &DRAWING, &FLAT_TEXT, &FLAT_SLIDES];

/// Whether this is the start of a flat file of that kind.
fn is_flat(head: &[u8], kind: &str) -> bool {
    let head = head.trim_ascii_start();
    if !head.starts_with(b"<") {
        return false;
    }
    let head = String::from_utf8_lossy(&head[..head.len().min(16 * 1024)]);
    let Some((_, root)) = head.split_once("<office:document") else {
        return false;
    };
    let root = root.split('>').next().unwrap_or_default();
    let named = format!("\"application/vnd.oasis.opendocument.{kind}");
    root.contains("mimetype=") && root.replace('\'', "\"").contains(&named)
}

fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let mut package = Package::open(input, "OpenDocument")?;
    if package.is_encrypted()? {
        return Err(Failure::Encrypted {
            name: input.name.to_owned(),
        });
    }
    let Some(content) = package.xml("content.xml")? else {
        return Err(package.malformed("it holds no document"));
    };
    let defined = package.xml("styles.xml")?.unwrap_or_default();
    let mut styles = Styles::default();
    styles.add(&defined);
    styles.add(&content);
    let objects = objects(&mut package, &styles)?;
    let mut xml = Xml::new(&content);
    let mut story = Story::new(&styles, objects);
    story.read(&mut xml);
    package.note_damage("content.xml", &xml);
    if !story.has_pages() {
        add_margins(&defined, &styles, &mut story);
    }
    let meta = package.xml("meta.xml")?.unwrap_or_default();
    let document = finished(story, &meta);
    ended(&mut package, document)
}

fn read_flat(text: &str) -> Document {
    let mut styles = Styles::default();
    styles.add(text);
    let mut xml = Xml::new(text);
    let mut story = Story::new(&styles, HashMap::new());
    story.read(&mut xml);
    if !story.has_pages() {
        add_margins(text, &styles, &mut story);
    }
    let meta = between(text, "<office:meta", "</office:meta>").unwrap_or_default();
    let mut document = finished(story, meta);
    if let Some(damage) = xml.damage() {
        let fact = format!("it is damaged: {damage}");
        document
            .warnings
            .push(Warning::new(WarningKind::Lost, fact));
    }
    document
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let text = &text[text.find(from)?..];
    text.get(..text.find(to)? + to.len())
}

fn finished(mut story: Story<'_>, meta: &str) -> Document {
    let told = Properties::of(meta);
    let styled = story.title.take();
    let body = story.finish();
    let heading = body.first_heading().map(str::to_owned);
    Document {
        title: told.title.or(styled).or(heading),
        date: told.date,
        ..body.finish()
    }
}

/// What is embedded in members of its own, by the folder: charts as the tables they show, formulas.
fn objects(package: &mut Package<'_>, styles: &Styles) -> Result<HashMap<String, Object>, Failure> {
    let mut objects = HashMap::new();
    for name in package.names() {
        let Some(folder) = name.strip_suffix("/content.xml") else {
            continue;
        };
        let Some(text) = package.xml(&name)? else {
            continue;
        };
        let mut xml = Xml::new(&text);
        let object = if text.contains("http://www.w3.org/1998/Math/MathML") {
            Object::Formula(formula(&mut xml))
        } else {
            let mut story = Story::aside(styles);
            story.read(&mut xml);
            Object::Nodes(story.take())
        };
        package.note_damage(&name, &xml);
        objects.insert(folder.to_owned(), object);
    }
    Ok(objects)
}

/// The signs of a formula in their order.
fn formula(xml: &mut Xml<'_>) -> String {
    let mut signs = String::new();
    while let Some(token) = xml.next() {
        match token {
            // The same once more, in another language.
            Token::Open(tag) if tag.name() == "annotation" => xml.skip(),
            Token::Text(words) => signs.push_str(words.trim()),
            Token::Open(_) | Token::Close(_) => {}
        }
    }
    signs
}

/// Headers and footers, each text once, where they hold more than page numbers.
fn add_margins(text: &str, styles: &Styles, story: &mut Story<'_>) {
    let Some(masters) = between(text, "<office:master-styles", "</office:master-styles>") else {
        return;
    };
    let mut seen = HashSet::new();
    let mut xml = Xml::new(masters);
    while let Some(token) = xml.next() {
        let Token::Open(tag) = token else { continue };
        let is_margin = matches!(
            tag.name(),
            "header" | "header-left" | "header-first" | "footer" | "footer-left" | "footer-first"
        );
        if is_margin {
            let mut margin = Story::aside(styles);
            margin.read_element(&mut xml);
            let nodes: Vec<Node> = margin.take();
            let words = words_of(&nodes);
            if !is_page_number(&words) && seen.insert(words) {
                story.add(nodes);
            }
        }
    }
}
