//! Books: EPUB 2 and 3, chapter by chapter in the order in which they are read.

use std::collections::HashMap;

use file_format::FileFormat;
use rag_core::{BlockKind, Document, Warning, WarningKind};

use crate::{
    archive::zipped::Zipped,
    decode::{declared_by_html, decode},
    error::Failure,
    flow::Flow,
    format::{Format, Parser},
    html, language,
    markup::front::iso_date,
    nest::{Bundle, Input},
};

mod contents;
mod package;
mod path;

use package::{Item, Package};

/// The member of an archive that makes it a book.
pub(crate) const CONTAINER: &str = "META-INF/container.xml";

static EPUB: Format = Format {
    name: "EPUB",
    media_type: "application/epub+zip",
    magic: &[FileFormat::ElectronicPublication],
    marks: None,
    extensions: &[],
    parser: Parser::Bytes(|input| read_from(input, &mut Zipped::open(input)?)),
};

pub(crate) static FORMATS: [&Format; 1] = [&EPUB];

/// So many chapters that are missing are named.
const MAX_NAMED: usize = 40;

/// The document of a book in an archive.
pub(crate) fn read_from(input: &Input<'_>, archive: &mut Zipped<'_>) -> Result<Document, Failure> {
    let place = package_place(archive).ok_or_else(|| malformed(input, "it names no package"))?;
    let text = text_of(archive, &place)
        .ok_or_else(|| malformed(input, "its package document can't be read"))?;
    let package = Package::of(&text, &place);
    if package.spine.is_empty() {
        return Err(malformed(input, "its package document lists no chapters"));
    }
    if is_protected(archive, &package) {
        return Err(Failure::Encrypted {
            name: input.name.to_owned(),
        });
    }
    let labels = contents::labels(&package, |place| text_of(archive, place));
    let mut book = Book {
        bundle: Bundle::starting_with(front_matter(&package)),
        chapter: String::new(),
        missing: 0,
        guide: package.guide.clone(),
        by_lower_case: archive
            .names()
            .map(|(index, name)| (name.to_ascii_lowercase(), index))
            .collect(),
    };
    for item in &package.spine {
        // A list of chapters is no chapter.
        if item.is_contents && package.spine.len() > 1 {
            continue;
        }
        book.read(input, archive, item, labels.get(&item.place));
    }
    if book.missing > MAX_NAMED {
        let fact = format!("{} more chapters are missing", book.missing - MAX_NAMED);
        book.bundle.warn(Warning::new(WarningKind::Lost, fact));
    }
    let language = package.language.as_deref();
    Ok(Document {
        title: package.title,
        language: language.and_then(language::normal_tag),
        date: package.date.as_deref().and_then(iso_date),
        media_type: EPUB.media_type.to_owned(),
        ..book.bundle.finish()
    })
}

struct Book {
    bundle: Bundle,
    /// Name of the chapter before, which goes on in files that have none.
    chapter: String,
    missing: usize,
    /// Where an EPUB 2 says that its list of chapters is.
    guide: Option<String>,
    /// Members, for authors whose system doesn't tell case apart.
    by_lower_case: HashMap<String, usize>,
}

impl Book {
    fn read(
        &mut self,
        input: &Input<'_>,
        archive: &mut Zipped<'_>,
        item: &Item,
        label: Option<&String>,
    ) {
        let file = item.place.rsplit('/').next().unwrap_or(&item.place);
        let lower_case = || item.place.to_ascii_lowercase();
        let index = archive.find(&item.place);
        let Some(index) = index.or_else(|| self.by_lower_case.get(&lower_case()).copied()) else {
            let fact = "is named in the order of the book but missing in the file";
            return self.miss(label.map_or(file, String::as_str), fact.to_owned());
        };
        let bytes = archive
            .bytes(index, file)
            .and_then(|read| input.spend(file, read.0.len() as u64).map(|()| read));
        let (bytes, is_whole) = match bytes {
            Ok(bytes) => bytes,
            Err(failure) => return self.miss(file, format!("left out: {failure}")),
        };
        let mut chapter = if item.is_page() {
            let decoded = decode(&bytes, declared_by_html(&bytes));
            let mut chapter = html::read_whole(&decoded.text);
            chapter.warnings.splice(0..0, decoded.warnings);
            chapter
        } else {
            match input.read_inner(file, &bytes) {
                Ok(chapter) => chapter,
                Err(failure) => return self.bundle.miss(file, &failure),
            }
        };
        if chapter.text.is_empty() && chapter.warnings.is_empty() {
            return;
        }
        if self.is_contents(item, &chapter) {
            return;
        }
        if !is_whole {
            let fact = "the chapter is damaged and was read up to there";
            let warning = Warning::new(WarningKind::Lost, fact);
            chapter.warnings.push(warning);
        }
        let name = label.cloned().or_else(|| first_heading(&chapter));
        if let Some(name) = name {
            self.chapter = name;
        } else if self.chapter.is_empty() {
            file.clone_into(&mut self.chapter);
        }
        chapter.title = None;
        self.bundle.add(&self.chapter, chapter);
    }

    /// Whether a page is the list of chapters that the guide says it is; some guides name a chapter.
    fn is_contents(&self, item: &Item, page: &Document) -> bool {
        let linked: usize = page.links.iter().map(|link| link.span.len()).sum();
        self.guide.as_ref() == Some(&item.place) && linked * 2 > page.text.len()
    }

    fn miss(&mut self, name: &str, fact: String) {
        self.missing += 1;
        if self.missing <= MAX_NAMED {
            self.bundle.warn(Warning {
                part: Some(name.to_owned()),
                ..Warning::new(WarningKind::Lost, fact)
            });
        }
    }
}

/// Title and authors, which stand in pictures of covers and nowhere else.
fn front_matter(package: &Package) -> Document {
    let mut flow = Flow::default();
    if let Some(title) = &package.title {
        flow.begin(BlockKind::Heading(1));
        flow.words(title);
    }
    if !package.creators.is_empty() {
        flow.begin(BlockKind::Paragraph);
        flow.verbatim(&package.creators.join("\n"));
    }
    flow.finish()
}

fn first_heading(chapter: &Document) -> Option<String> {
    const LONGEST: usize = 200;
    let is_heading = |kind| matches!(kind, BlockKind::Heading(_));
    let block = chapter.blocks.iter().find(|block| is_heading(block.kind))?;
    let words = block.span.slice(&chapter.text).split_whitespace();
    let name = words.collect::<Vec<_>>().join(" ");
    (name.len() <= LONGEST).then_some(name)
}

/// Where the container says that the package document is; else the first one there is.
fn package_place(archive: &mut Zipped<'_>) -> Option<String> {
    let named = text_of(archive, CONTAINER).and_then(|text| package::rootfile(&text));
    named
        .filter(|place| archive.find(place).is_some())
        .or_else(|| {
            let is_package = |name: &&str| name.to_ascii_lowercase().ends_with(".opf");
            let mut members = archive.names().map(|(_, name)| name);
            members.find(is_package).map(str::to_owned)
        })
}

/// Whether a chapter is encrypted; fonts that are only disguised don't count.
fn is_protected(archive: &mut Zipped<'_>, package: &Package) -> bool {
    let Some(text) = text_of(archive, "META-INF/encryption.xml") else {
        return false;
    };
    let locked = package::encrypted(&text);
    package
        .spine
        .iter()
        .any(|item| locked.contains(&item.place))
}

/// The decoded text of a member.
fn text_of(archive: &mut Zipped<'_>, place: &str) -> Option<String> {
    let index = archive.find(place)?;
    let (bytes, _) = archive.bytes(index, place).ok()?;
    Some(decode(&bytes, declared_by_html(&bytes)).text)
}

fn malformed(input: &Input<'_>, cause: &str) -> Failure {
    Failure::Malformed {
        name: input.name.to_owned(),
        kind: "EPUB",
        cause: cause.to_owned(),
    }
}

#[cfg(test)]
mod tests;
