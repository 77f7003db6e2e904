//! Which command opens which source on which machine.

use std::path::PathBuf;

use rag_core::{Citation, Lines, SourceKey, Span};

use super::*;

fn cited(file: &str, lines: Option<u32>, page: Option<u32>, part: Option<&str>) -> CitedFile {
    CitedFile {
        citation: Citation {
            n: 1,
            source: "x".into(),
            part: part.map(str::to_owned),
            page,
            lines: lines.map(|line| Lines {
                first: line,
                last: line + 2,
            }),
            heading: Vec::new(),
            quote: "q".into(),
            span: Span::new(0, 1),
            areas: Vec::new(),
            verified: true,
            note: None,
        },
        key: SourceKey("k".into()),
        file: PathBuf::from(file),
    }
}

fn opened(
    cited: &CitedFile,
    editor: Option<&str>,
    pdf_viewer: Option<&str>,
    platform: &str,
) -> Opening {
    let variable = |name: &str| editor.filter(|_| name == "EDITOR").map(str::to_owned);
    let around = Around {
        variable: &variable,
        pdf_viewer: &|| pdf_viewer.map(str::to_owned),
        platform,
    };
    opening(cited, None, &around).unwrap()
}

#[test]
fn editors_are_told_the_line_in_their_own_way() {
    let source = cited("/d/a b.md", Some(12), None, None);
    for (editor, expected) in [
        ("vi", "vi +12 '/d/a b.md'"),
        ("/usr/bin/nvim -R", "/usr/bin/nvim -R +12 '/d/a b.md'"),
        (
            "emacsclient -nw -a ''",
            "emacsclient -nw -a '' +12 '/d/a b.md'",
        ),
        ("hx", "hx '/d/a b.md:12'"),
        ("zed --wait", "zed --wait '/d/a b.md:12'"),
        ("code --wait", "code --wait --goto '/d/a b.md:12'"),
        ("kate", "kate --line 12 '/d/a b.md'"),
        ("nano", "nano +12 '/d/a b.md'"),
    ] {
        let opening = opened(&source, Some(editor), None, "linux");
        assert_eq!(opening.shell(), expected);
        assert!(opening.waits && opening.note.is_none());
    }
    let unknown = opened(&source, Some("myed"), None, "linux");
    assert_eq!(unknown.shell(), "myed '/d/a b.md'");
    assert!(unknown.note.unwrap().contains("line 12"));
}

#[test]
fn a_page_is_opened_by_viewers_that_can_be_told_it() {
    let source = cited("/d/r.pdf", None, Some(3), None);
    for (viewer, expected) in [
        ("org.gnome.Evince.desktop", "evince --page-index=3 /d/r.pdf"),
        ("okularApplication_pdf.desktop", "okular --page 3 /d/r.pdf"),
        ("firefox.desktop", "firefox file:///d/r.pdf#page=3"),
    ] {
        let opening = opened(&source, Some("vi"), Some(viewer), "linux");
        assert_eq!((opening.shell().as_str(), opening.note), (expected, None));
    }
    for (platform, expected) in [("linux", "xdg-open /d/r.pdf"), ("macos", "open /d/r.pdf")] {
        let opening = opened(&source, Some("vi"), Some("unheard-of.desktop"), platform);
        assert_eq!(opening.shell(), expected);
        assert!(opening.note.unwrap().contains("page 3"));
    }
}

#[test]
fn what_has_no_lines_of_its_own_is_for_the_viewer() {
    let sheet = cited("/d/s.xlsx", None, None, Some("Sheet1"));
    let opening = opened(&sheet, Some("vi"), None, "macos");
    assert_eq!(opening.shell(), "open /d/s.xlsx");
    assert_eq!(opening.note.as_deref(), Some("the passage is in Sheet1"));
    let inner = cited("/d/s.zip", Some(4), None, Some("notes.md"));
    assert_eq!(
        opened(&inner, Some("vi"), None, "linux").program,
        "xdg-open"
    );
    let text = cited("/d/a.md", Some(4), None, None);
    assert!(
        opened(&text, None, None, "linux")
            .note
            .unwrap()
            .contains("line 4")
    );
}

#[test]
fn a_command_of_ones_own_is_filled_in() {
    let source = cited("/d/it's.pdf", None, Some(3), None);
    let around = Around {
        variable: &|_| None,
        pdf_viewer: &|| None,
        platform: "linux",
    };
    let shell = |with: &str| opening(&source, Some(with), &around).unwrap().shell();
    assert_eq!(
        shell("zathura -P {page} {file}"),
        r"zathura -P 3 '/d/it'\''s.pdf'"
    );
    assert_eq!(
        shell("'my viewer' +{line}"),
        r"'my viewer' +1 '/d/it'\''s.pdf'"
    );
    for wrong in ["", "  ", "a 'b"] {
        let error = opening(&source, Some(wrong), &around).unwrap_err();
        assert_eq!(error.code, Code::Usage, "{wrong}");
    }
}
