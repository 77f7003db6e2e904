//! `OpenDocument` as programs write it, as single flat files.

use std::io::{Cursor, Write as _};

use rag_core::{BlockKind, Code, Document};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{Reader, office::tests::blocks};

fn read(kind: &str, styles: &str, body: &str) -> Document {
    let text = format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n<office:document xmlns:office='urn:oasis:names:tc:\
         opendocument:xmlns:office:1.0' office:mimetype='application/vnd.oasis.opendocument.{kind}'>\
         <office:meta><dc:title>Storms</dc:title><dc:date>2026-11-21T10:00:00Z</dc:date></office:meta>\
         {styles}<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>"
    );
    Reader::new().read("a.xml", text.as_bytes()).unwrap()
}

fn text(body: &str) -> Document {
    read("text", "", body)
}

#[test]
fn what_is_shown_is_read_and_nothing_else() {
    let styles = "<office:automatic-styles><style:style style:name='T1' style:family='text'>\
        <style:text-properties text:display='none'/></style:style></office:automatic-styles>";
    let document = read(
        "text",
        styles,
        "<text:tracked-changes><text:deletion><text:p>gone</text:p></text:deletion></text:tracked-changes>\
         <text:p>One<text:s text:c='99999999'/>two<text:tab/>three<text:span text:style-name='T1'> no</text:span>\n\
         four<text:line-break/>five <text:a xlink:href='https://a.example/'>six</text:a></text:p>\
         <text:section text:display='none'><text:p>no</text:p></text:section>\
         <text:table-of-content><text:p>One 1</text:p></text:table-of-content>",
    );
    assert_eq!(document.text, "One two three four\nfive six");
    assert_eq!(document.links[0].span.slice(&document.text), "six");
    assert_eq!(document.title.as_deref(), Some("Storms"));
    assert_eq!(document.date.as_deref(), Some("2026-11-21T10:00:00Z"));
    assert!(document.media_type.ends_with("text-flat-xml"));
}

#[test]
fn lists_and_headings_have_their_numbers() {
    let styles = "<office:styles><text:outline-style><text:outline-level-style text:level='1' \
        style:num-format='1'/><text:outline-level-style text:level='2' style:num-format='1' \
        text:display-levels='2'/></text:outline-style>\
        <style:style style:name='P1' style:family='paragraph' style:parent-style-name='Title'/>\
        <text:list-style style:name='L1'><text:list-level-style-number text:level='1' \
        style:num-format='a' style:num-suffix=')'/><text:list-level-style-bullet text:level='2'/>\
        </text:list-style></office:styles>";
    let item = |text: &str| format!("<text:list-item><text:p>{text}</text:p></text:list-item>");
    let list = |attrs: &str, items: &str| {
        format!("<text:list text:style-name='L1'{attrs}>{items}</text:list>")
    };
    let inner = format!(
        "<text:list-item><text:p>two</text:p><text:list>{}</text:list><text:p>more</text:p></text:list-item>",
        item("deep")
    );
    let body = format!(
        "<text:p text:style-name='P1'>Averill</text:p><text:h text:outline-level='1'>Winds</text:h>\
         <text:h text:outline-level='2'>Gusts</text:h>{}{}{}",
        list("", &format!("{}{inner}", item("one"))),
        list(" text:continue-numbering='true'", &item("three")),
        list("", &item("again")),
    );
    let document = read("text", styles, &body);
    let expected = [
        (BlockKind::Heading(1), "Averill"),
        (BlockKind::Heading(1), "1 Winds"),
        (BlockKind::Heading(2), "1.1 Gusts"),
        (BlockKind::ListItem, "a) one"),
        (BlockKind::ListItem, "b) two"),
        (BlockKind::ListItem, "deep"),
        (BlockKind::ListItem, "more"),
        (BlockKind::ListItem, "c) three"),
        (BlockKind::ListItem, "a) again"),
    ];
    assert_eq!(blocks(&document), expected);
}

#[test]
fn notes_comments_and_boxes_follow_what_they_stand_in() {
    let document = text(
        "<text:p>The keeper<text:note><text:note-citation>1</text:note-citation><text:note-body>\
         <text:p>Of Port Averill.</text:p></text:note-body></text:note> counted<office:annotation>\
         <dc:creator>Dahl</dc:creator><dc:date>2026-01-01</dc:date><text:p>How?</text:p>\
         </office:annotation>.<draw:frame><draw:text-box><text:p>Aside</text:p></draw:text-box>\
         <svg:title>picture</svg:title></draw:frame></text:p><table:table><table:table-row>\
         <table:table-cell><text:p>a</text:p></table:table-cell>\
         <table:table-cell table:number-columns-repeated='2000000000'/></table:table-row>\
         <table:table-row><table:table-cell><text:p>b</text:p><text:p>c</text:p></table:table-cell>\
         <table:covered-table-cell/><table:table-cell><text:p>d</text:p></table:table-cell>\
         </table:table-row></table:table>",
    );
    let blocks = blocks(&document);
    let expected = [
        (BlockKind::Paragraph, "The keeper counted."),
        (BlockKind::Paragraph, "Of Port Averill."),
        (BlockKind::Paragraph, "Dahl: How?"),
        (BlockKind::Paragraph, "Aside"),
    ];
    assert_eq!(blocks[..4], expected);
    assert_eq!(blocks[4].0, BlockKind::Table);
    assert!(blocks[4].1.ends_with("\nb c\t\td"), "{:?}", blocks[4].1);
    assert!(document.text.len() < 300);
}

#[test]
fn slides_are_pages_with_their_notes() {
    let frame = |attrs: &str, text: &str| {
        format!(
            "<draw:frame {attrs}><draw:text-box><text:p>{text}</text:p></draw:text-box></draw:frame>"
        )
    };
    let body = format!(
        "<draw:page>{}{}</draw:page><draw:page>{}{}{}{}<presentation:notes>{}</presentation:notes></draw:page>",
        frame("presentation:class='subtitle'", "of 1931"),
        frame("presentation:class='title'", "Storms"),
        frame(
            "svg:x='1cm' svg:y='9cm' svg:width='9cm' svg:height='1cm'",
            "below"
        ),
        frame(
            "svg:x='1cm' svg:y='5cm' svg:width='9cm' svg:height='1cm'",
            "above"
        ),
        frame("presentation:class='title'", "Winds"),
        frame("presentation:class='footer'", "Skerry Line"),
        frame("presentation:class='notes'", "Say this."),
    );
    let document = read("presentation", "", &body);
    let expected = [
        (BlockKind::Heading(1), "Storms"),
        (BlockKind::Paragraph, "of 1931"),
        (BlockKind::Heading(2), "Winds"),
        (BlockKind::Paragraph, "above"),
        (BlockKind::Paragraph, "below"),
        (BlockKind::Paragraph, "Say this."),
    ];
    assert_eq!(blocks(&document), expected);
    let at = document.text.find("Say").unwrap();
    assert_eq!(document.page_at(at), Some(2));
}

#[test]
fn what_stands_before_the_damage_is_read() {
    let document = text("<text:p>All <text:span>of it</text:p>");
    assert!(document.is_partial());
    assert_eq!(document.text, "All of it");
    let deep = format!("{}x", "<text:p><text:note><text:note-body>".repeat(20_000));
    assert!(text(&deep).text.len() < 10);
}

#[test]
fn pages_in_pages_are_not_read() {
    let body = "<draw:page><draw:frame>".repeat(20_000);
    assert_eq!(read("presentation", "", &body).text, "");
}

#[test]
fn an_encrypted_package_says_so() {
    let manifest = "<manifest:file-entry manifest:full-path='content.xml'>\
        <manifest:encryption-data/></manifest:file-entry>";
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        ("content.xml", "\u{1}\u{2}"),
        ("META-INF/manifest.xml", manifest),
    ] {
        writer
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let error = Reader::new().read("a.odt", &bytes).unwrap_err();
    assert_eq!(error.code, Code::Encrypted);
}
