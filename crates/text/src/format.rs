//! The table of formats: what each is called, what it is recognised by, and which parser reads it.

use file_format::FileFormat;
use rag_core::Document;

use crate::{
    archive, book, code, data, error::Failure, html, mail, markup, nest::Input, office, pdf,
};

/// One kind of file.
#[derive(Debug)]
pub(crate) struct Format {
    /// For people: `PDF`.
    pub(crate) name: &'static str,
    /// IANA media type.
    pub(crate) media_type: &'static str,
    /// Magic numbers, as `file-format` names them; they count before everything else.
    pub(crate) magic: &'static [FileFormat],
    /// Recognises a text by its start, before the name is asked.
    pub(crate) marks: Option<fn(&[u8]) -> bool>,
    /// In lower case, without the dot.
    pub(crate) extensions: &'static [&'static str],
    pub(crate) parser: Parser,
}

/// How a format is read.
#[derive(Debug)]
pub(crate) enum Parser {
    Bytes(fn(&Input<'_>) -> Result<Document, Failure>),
    /// Is given the decoded text, with one kind of line end; lines keep their numbers.
    Text(fn(&Input<'_>, String) -> Result<Document, Failure>),
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

pub(crate) static PDF: Format = Format {
    name: "PDF",
    media_type: "application/pdf",
    // Its mark may come late: recognised by code of its own.
    magic: &[],
    marks: None,
    extensions: &[],
    parser: Parser::Bytes(pdf::read),
};

pub(crate) static HTML: Format = Format {
    name: "HTML",
    media_type: "text/html",
    magic: &[],
    marks: Some(html::starts_a_page),
    extensions: &["html", "htm", "xhtml", "xht"],
    parser: Parser::Text(|_, text| Ok(html::read(&text))),
};

/// All formats, family by family; of two that recognise a file the same way, the earlier one reads it.
pub(crate) fn all() -> impl Iterator<Item = &'static Format> {
    [&PDF, &HTML]
        .into_iter()
        .chain(mail::FORMATS)
        .chain(book::FORMATS)
        .chain(archive::FORMATS)
        .chain(office::rtf::FORMATS)
        .chain(office::odf::FORMATS)
        .chain(markup::FORMATS)
        .chain(data::FORMATS)
        .chain(office::FORMATS)
        .chain(code::formats())
}

/// The media types of the formats that go by `name`, or whose files have it as extension, in any case.
#[must_use]
pub fn media_types(name: &str) -> Vec<&'static str> {
    let name = name.to_lowercase();
    let named = |format: &&Format| {
        format.name.to_lowercase() == name || format.extensions.contains(&name.as_str())
    };
    all().filter(named).map(|f| f.media_type).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_extension_and_no_magic_number_is_claimed_twice() {
        let mut extensions: Vec<_> = all().flat_map(|f| f.extensions).collect();
        let count = extensions.len();
        extensions.sort_unstable();
        extensions.dedup();
        assert_eq!(extensions.len(), count);
        let magic: Vec<_> = all().flat_map(|f| f.magic).collect();
        let twice = |at: usize| magic[at + 1..].contains(&magic[at]);
        assert!(!(0..magic.len()).any(twice));
    }
}
