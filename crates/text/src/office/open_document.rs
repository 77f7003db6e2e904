//! Texts and presentations in `OpenDocument` (ISO/IEC 26300): headings by their outline level, lists,
//! tables, notes where they stand, slides as pages. What a tracked change took out is not read.

use rag_core::{BlockKind, Document};

use super::{
    body::Body,
    ended,
    package::Package,
    properties::Properties,
    xml::{Tag, Token, Xml},
};
use crate::{error::Failure, nest::Input};

const CONTENT: &str = "content.xml";

pub(super) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let mut package = Package::open(input, "OpenDocument")?;
    if package.is_encrypted()? {
        return Err(Failure::Encrypted {
            name: input.name.to_owned(),
        });
    }
    let Some(text) = package.xml(CONTENT)? else {
        return Err(package.malformed("it holds no document"));
    };
    let mut xml = Xml::new(&text);
    let mut content = Content::default();
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => content.opened(&tag, &mut xml),
            Token::Close(end) => content.closed(end.name()),
            Token::Text(words) if content.body.is_open() => content.body.text(&words),
            Token::Text(_) => {}
        }
    }
    package.note_damage(CONTENT, &xml);
    let told = package.xml("meta.xml")?.map(|text| Properties::of(&text));
    let told = told.unwrap_or_default();
    let heading = content.body.first_heading().map(str::to_owned);
    let document = content.body.finish();
    ended(
        &mut package,
        Document {
            title: told.title.or(content.title).or(heading),
            date: told.date,
            ..document
        },
    )
}

#[derive(Debug, Default)]
struct Content {
    body: Body,
    title: Option<String>,
    pages: u32,
    /// Lists within each other.
    lists: usize,
    /// The frame that is open holds the title of a slide.
    is_title: bool,
}

impl Content {
    fn opened(&mut self, tag: &Tag<'_>, xml: &mut Xml<'_>) {
        let body = &mut self.body;
        match tag.name() {
            // Looks, what was taken out, what only repeats headings, numbers of pages and notes.
            "automatic-styles" | "font-face-decls" | "scripts" | "forms" | "tracked-changes"
            | "table-of-content" | "note-citation" | "page-number" | "page-count" | "ruby-text"
            | "title" | "desc" | "event-listeners" | "settings" | "object" | "decls" => xml.skip(),
            // Of who wrote a note and when; in a paragraph these are fields that are shown.
            "creator" | "date" | "date-string" | "creator-initials" if !body.is_open() => {
                xml.skip();
            }
            "page" => {
                self.pages += 1;
                body.flow().page(self.pages);
            }
            "h" => {
                let level = tag.count("outline-level").min(6) as u8;
                body.begin(BlockKind::Heading(level));
            }
            "p" => {
                let style = tag.attr("style-name").unwrap_or_default();
                body.begin(match &*style {
                    _ if self.is_title => BlockKind::Heading(2),
                    "Title" => BlockKind::Heading(1),
                    "Preformatted_20_Text" | "Source_20_Text" => BlockKind::Code,
                    _ if self.lists > 0 => BlockKind::ListItem,
                    _ => BlockKind::Paragraph,
                });
            }
            "list" => self.lists += 1,
            "s" => body.text(" "),
            "tab" => body.text("\t"),
            "line-break" => body.line_break(),
            "a" => {
                let target = tag.attr("href").filter(|target| !target.starts_with('#'));
                if let Some(target) = target.filter(|_| body.is_open()) {
                    body.open_link(&target);
                }
            }
            "table" => body.open_table(),
            "table-row" => body.open_row(),
            "table-cell" | "covered-table-cell" => {
                body.open_cell();
                // The cells that this one covers are there, and empty.
                body.span(tag.count("number-columns-repeated"));
            }
            "frame" => {
                self.is_title = tag.attr("class").as_deref() == Some("title");
            }
            "note-body" | "annotation" | "text-box" | "custom-shape" => body.open_aside(),
            _ => {}
        }
    }

    fn closed(&mut self, name: &str) {
        let body = &mut self.body;
        match name {
            "h" | "p" => {
                if name == "h" && self.title.is_none() {
                    self.title = body.open_words();
                }
                body.end();
            }
            "list" => self.lists = self.lists.saturating_sub(1),
            "a" => body.close_link(),
            "table" => body.close_table(),
            "table-cell" | "covered-table-cell" => body.close_cell(),
            "frame" => self.is_title = false,
            "note-body" | "annotation" | "text-box" | "custom-shape" => body.close_aside(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Document {
        let mut xml = Xml::new(xml);
        let mut content = Content::default();
        while let Some(token) = xml.next() {
            match token {
                Token::Open(tag) => content.opened(&tag, &mut xml),
                Token::Close(end) => content.closed(end.name()),
                Token::Text(words) if content.body.is_open() => content.body.text(&words),
                Token::Text(_) => {}
            }
        }
        content.body.finish()
    }

    #[test]
    fn notes_follow_and_deletions_are_left_out() {
        let document = read(
            "<office:text><text:tracked-changes><text:p>gone</text:p></text:tracked-changes>\
             <text:h text:outline-level='2'>Storms</text:h>\n\
             <text:p>The keeper<text:note><text:note-citation>1</text:note-citation>\
             <text:note-body><text:p>Of Port Averill.</text:p></text:note-body></text:note> \
             <text:s text:c='2'/>counted.</text:p>\
             <text:list><text:list-item><text:p>wind</text:p></text:list-item></text:list>\
             <table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>\
             <table:table-cell table:number-columns-repeated='16000'/></table:table-row>\
             </table:table></office:text>",
        );
        let blocks: Vec<_> = document
            .blocks
            .iter()
            .map(|block| (block.kind, block.span.slice(&document.text)))
            .collect();
        assert_eq!(
            blocks[..4],
            [
                (BlockKind::Heading(2), "Storms"),
                (BlockKind::Paragraph, "The keeper counted."),
                (BlockKind::Paragraph, "Of Port Averill."),
                (BlockKind::ListItem, "wind"),
            ]
        );
        assert_eq!(blocks[4].1.trim_end(), "a");
        assert!(document.text.len() < 200);
    }
}
