//! Rich text as programs write it, and as nobody should.

use rag_core::{BlockKind, Document};

use crate::{Reader, office::tests::blocks};

fn read(text: &[u8]) -> Document {
    Reader::new().read("a.rtf", text).unwrap()
}

fn text(rtf: &str) -> String {
    read(rtf.as_bytes()).text
}

#[test]
fn bytes_are_characters_of_their_font() {
    let head = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fnil\fcharset134 \'cb\'ce\'cc\'e5;}{\f2\fcharset2 Symbol;}{\f3\fcharset136 MingLiU;}}";
    let body = r"caf\'e9 \f1\'b5\'c6{\b\'cb}\'fe\f3\'bf\'4f\'b6\'f0\f2\'ae\f0 !\par}";
    assert_eq!(text(&format!("{head}{body}")), "café 灯塔燈塔→!");
}

#[test]
fn a_chinese_file_is_chinese_in_western_fonts_too() {
    let rtf = r"{\rtf1\ansi\ansicpg936{\fonttbl{\f0\fcharset0 Times;}}\f0\'b5\'c6\'cb\'fe{\i  caf\'e9 au}\par}";
    assert_eq!(text(rtf), "灯塔 café au");
    let raw = b"{\\rtf1\\ansi\\ansicpg936 \xB5\xC6\xCB\xFE\x81\\'5c\\par}";
    assert_eq!(read(raw).text, "灯塔乗");
}

#[test]
fn characters_by_number_stand_before_their_substitutes() {
    let rtf = r"{\rtf1\uc1 \u28783?\u22612\'3f a{\uc2\u28783\'b5\'c6}\uc0\u-10179\u-8704 b\uc1\u8211-\u8211 {c}\u8212\endash d\par}";
    assert_eq!(text(rtf), "灯塔 a灯😀b––c—d");
}

#[test]
fn what_is_not_text_is_left_out() {
    let rtf = r"{\rtf1{\stylesheet{\s1 heading 1;}}{\*\themedata 504b}{\info{\upr{\title ?}{\*\ud{\title Storms}}}{\author A}{\creatim\yr2026\mo11\dy21\hr9}}{\pict\pngblip 89504e}{\*\unknown{\field x}}Seen \v hidden\v0 {\deleted gone }and{\xe index} \bin3 }}}read{\*\ud no}.\par{\header Skerry Line\par}{\footer {\field{\*\fldinst PAGE}{\fldrslt 3}}\par}}";
    let document = read(rtf.as_bytes());
    assert_eq!(document.text, "Seen and read.\n\nSkerry Line");
    assert_eq!(document.title.as_deref(), Some("Storms"));
    assert_eq!(document.date.as_deref(), Some("2026-11-21"));
}

#[test]
fn headings_and_items_are_known_by_level_style_and_label() {
    let rtf = r"{\rtf1\ansi{\stylesheet{\s0 Normal;}{\s3\sbasedon0 heading 2;}{\s4\sbasedon3 Chapter;}{\s5 toc 1;}{\s6 Title;}}
        {\pard\s6 Averill\par}{\pard\s5 Storms\tab 3\par}{\pard\s3{\listtext 1.1\tab}Storms\par}{\pard\s4 Tides\par}
        {\pard\outlinelevel0 Top\par}{\pard\ls1{\listtext\bullet\tab}one\par}{\pntext 2.\tab}two\par\pard three\line four\par\pard\fi-360\bullet\tab five\par}";
    let document = read(rtf.as_bytes());
    let expected = [
        (BlockKind::Heading(1), "Averill"),
        (BlockKind::Heading(2), "1.1 Storms"),
        (BlockKind::Heading(2), "Tides"),
        (BlockKind::Heading(1), "Top"),
        (BlockKind::ListItem, "one"),
        (BlockKind::ListItem, "2. two"),
        (BlockKind::Paragraph, "three\nfour"),
        (BlockKind::ListItem, "• five"),
    ];
    assert_eq!(blocks(&document), expected);
    assert_eq!(document.title.as_deref(), Some("Averill"));
}

#[test]
fn tables_have_rows_and_cells_whatever_lies_in_them() {
    let rtf = r"{\rtf1 Before.\par\trowd\cellx1\cellx2\pard\intbl a\par b\cell\cell\row
        \trowd\pard\intbl c\cell {\intbl\itap2 d\nestcell{\*\nesttableprops\trowd\nestrow}{\nonesttables\par}}e\cell\row
        \pard\par\trowd\pard\intbl f\cell\row\trowd g\cell\row\pard After.\par}";
    let document = read(rtf.as_bytes());
    let expected = [
        (BlockKind::Paragraph, "Before."),
        (BlockKind::Table, "a b\t\nc\td e"),
        (BlockKind::Table, "f\ng"),
        (BlockKind::Paragraph, "After."),
    ];
    assert_eq!(blocks(&document), expected);
}

#[test]
fn results_of_fields_are_read_and_point_somewhere() {
    let rtf = r#"{\rtf1 See {\field{\*\fldinst{HYPERLINK "https://a.example/\\x" }}{\fldrslt{\ul the site}}} now.{\footnote\pard\chftn  A {\b note}.}\par Next.\par}"#;
    let document = read(rtf.as_bytes());
    assert_eq!(document.text, "See the site now.\n\nA note.\n\nNext.");
    let link = &document.links[0];
    assert_eq!(link.span.slice(&document.text), "the site");
    assert_eq!(link.target, r"https://a.example/\x");
}

#[test]
fn boxes_and_comments_follow_the_paragraph_they_stand_in() {
    let rtf = r"{\rtf1 Out{\shp{\*\shpinst\shpleft0{\sp{\sn a}{\sv b}}{\shptxt\pard In.\par}}{\shprslt In.}}side{\*\atnid X}{\*\atnauthor Dahl}{\*\annotation{\*\atndate 1}Check.}.\par}";
    assert_eq!(text(rtf), "Outside.\n\nIn.\n\nDahl: Check.");
}

#[test]
fn a_table_in_a_note_is_part_of_the_note() {
    let rtf = r"{\rtf1 a{\footnote\pard\intbl\itap2 x\nestcell y\nestcell{\*\nesttableprops\trowd\nestrow}\pard\intbl z\cell\row\pard end}b\par}";
    assert_eq!(text(rtf), "ab\n\nx\ty\n\nz\n\nend");
}

#[test]
fn damage_is_a_warning() {
    let cut = read(br"{\rtf1 All of it.\par {\b And so");
    assert_eq!(cut.text, "All of it.\n\nAnd so");
    assert!(cut.is_partial());
    let closed_early = read(br"{\rtf1 One.\par } Two.\par }");
    assert_eq!(closed_early.text, "One.\n\nTwo.");
    let deep = format!(
        "{{\\rtf1 a{}b{}c\\par}}",
        "{".repeat(50_000),
        "}".repeat(50_000)
    );
    assert_eq!(text(&deep), "abc");
    let notes = format!("{{\\rtf1 a{}b", r"{\footnote x".repeat(50_000));
    assert!(read(notes.as_bytes()).text.starts_with("a\n\nx"));
}

#[test]
fn a_text_that_is_only_called_rich_is_read_as_it_is() {
    let document = read(b"Plain words.");
    assert_eq!(document.text, "Plain words.");
    assert_eq!(document.media_type, "text/plain");
}
