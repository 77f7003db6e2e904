//! Books made in memory, as tools and authors get them wrong.

use std::io::{Cursor, Write as _};

use rag_core::{Code, Document};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::Reader;

const CONTAINER: &str =
    "<container><rootfiles><rootfile full-path='content.opf'/></rootfiles></container>";

/// A book without the member that should come first.
fn book(package: &str, chapters: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let members = [(super::CONTAINER, CONTAINER), ("content.opf", package)];
    for (name, text) in members.iter().chain(chapters) {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(package: &str, chapters: &[(&str, &str)]) -> rag_core::Result<Document> {
    Reader::new().read("a.epub", &book(package, chapters))
}

#[test]
fn chapters_come_in_the_order_of_the_spine_and_go_on_in_files_without_a_name() {
    let package = "<package><metadata><dc:title>Lamps</dc:title></metadata><manifest>\
        <item id='a' href='A.html'/><item id='b' href='b.html'/><item id='c' href='c.html'/></manifest>\
        <spine><itemref idref='b'/><itemref idref='a'/><itemref idref='c'/><itemref idref='b'/></spine></package>";
    let page = |body: &str| {
        format!(
            "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head><title/></head><body>{body}</body></html>"
        )
    };
    let one = page("<h1>Oil</h1><p>Eleven<a id='x'/> tins.</p><nav>inside</nav>");
    let two = page("<h1>Wick</h1><p>Trimmed.</p>");
    let three = page("<p>And again.</p>");
    let document = read(
        package,
        &[("a.html", &two), ("b.html", &one), ("c.html", &three)],
    )
    .unwrap();
    assert_eq!(document.title.as_deref(), Some("Lamps"));
    assert_eq!(
        document.text,
        "Lamps\n\nOil\n\nEleven tins.\n\ninside\n\nWick\n\nTrimmed.\n\nAnd again."
    );
    let parts: Vec<&str> = document
        .parts
        .iter()
        .map(|part| part.name.as_str())
        .collect();
    assert_eq!(parts, ["Oil", "Wick", "Wick"]);
}

#[test]
fn a_book_without_chapters_is_no_book() {
    let error = read("<package/>", &[]).unwrap_err();
    assert_eq!(error.code, Code::Malformed);
    assert!(error.fact.contains("lists no chapters"), "{}", error.fact);
}
