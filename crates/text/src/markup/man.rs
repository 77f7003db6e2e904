//! Manual pages in roff, with the macros of man(7) and mdoc(7): sections and paragraphs; requests that
//! only lay out are in no block.

use rag_core::{BlockKind, Document, Span};

use super::{front::iso_date, marker::Marker};
use crate::lines::lines;

/// Requests that begin a paragraph.
const PARAGRAPHS: [&str; 11] = [
    "PP", "P", "LP", "TP", "TQ", "IP", "HP", "Pp", "It", "sp", "RS",
];

/// Requests without words of their own.
const SILENT: [&str; 24] = [
    "RE", "fi", "nf", "EE", "EX", "ad", "na", "nh", "hy", "ne", "in", "ti", "ft", "br", "de", "ds",
    "if", "ie", "el", "nr", "so", "Bl", "El", "Ed",
];

/// Whether a page starts here: a comment of roff or the title.
pub(super) fn starts_a_page(text: &[u8]) -> bool {
    let marks: [&[u8]; 5] = [b".\\\"", b"'\\\"", b".TH ", b".Dd ", b"'\\\" t"];
    marks.iter().any(|mark| text.starts_with(mark))
}

/// The document of a decoded manual page.
pub(super) fn read(text: String) -> Document {
    let mut marker = Marker::new(&text);
    let (mut title, mut date) = (None, None);
    // Inside `.nf` … `.fi` lines matter.
    let mut literal: Option<Span> = None;
    for line in lines(&text) {
        let words = line.text;
        let Some(request) = words.strip_prefix(['.', '\'']) else {
            match &mut literal {
                Some(span) => span.end = line.span.end,
                None if line.is_blank() => marker.close(),
                None => marker.line(line),
            }
            continue;
        };
        let request = request.trim_start();
        let (name, rest) = request.split_once(' ').unwrap_or((request, ""));
        if matches!(name, "fi" | "EE" | "Ed")
            && let Some(span) = literal.take()
        {
            marker.code(span, "");
        }
        if let Some(span) = &mut literal {
            span.end = line.span.end;
            continue;
        }
        match name {
            "TH" | "Dt" => title = title.or_else(|| titled(rest)),
            "Dd" => date = iso_date(rest),
            "SH" | "Sh" => marker.heading(1, line.span, &unquoted(rest)),
            "SS" | "Ss" => marker.heading(2, line.span, &unquoted(rest)),
            "nf" | "EX" => {
                marker.close();
                literal = Some(Span::new(line.span.end, line.span.end));
            }
            "Bd" => marker.close(),
            _ if PARAGRAPHS.contains(&name) => {
                let is_item = matches!(name, "It" | "IP" | "TP" | "HP");
                let kind = if is_item {
                    BlockKind::ListItem
                } else {
                    BlockKind::Paragraph
                };
                marker.begin(kind, Span::new(line.span.end, line.span.end));
                if rest.chars().any(char::is_alphanumeric) && matches!(name, "It" | "IP") {
                    marker.begin(kind, line.span);
                }
            }
            _ if SILENT.contains(&name)
                || name.starts_with("\\\"")
                || rest.is_empty() && name.len() > 2 =>
            {
                if name.starts_with("\\\"") {
                    marker.close();
                }
            }
            "TS" => {}
            // Words in bold, references, arguments: part of the line that they make.
            _ => marker.line(line),
        }
        if name == "TH" {
            date = date.or_else(|| arguments(rest).iter().find_map(|word| iso_date(word)));
        }
    }
    if let Some(span) = literal {
        marker.code(span, "");
    }
    let document = marker.finish().document(text);
    Document {
        title,
        date,
        ..document
    }
}

/// `STORM 8` as `storm(8)`.
fn titled(rest: &str) -> Option<String> {
    let arguments = arguments(rest);
    let name = arguments.first()?.to_lowercase();
    Some(match arguments.get(1) {
        Some(section) => format!("{name}({section})"),
        None => name,
    })
}

/// The arguments of a request, quoted or not.
fn arguments(rest: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = rest.trim();
    while !rest.is_empty() && found.len() < 10 {
        let (argument, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        found.push(argument);
        rest = after.trim_start();
    }
    found
}

/// A heading's words without quotes and changes of font.
fn unquoted(rest: &str) -> String {
    let mut words = rest.replace('"', "");
    for font in ["\\fB", "\\fI", "\\fR", "\\fP", "\\&"] {
        words = words.replace(font, "");
    }
    words.replace("\\-", "-")
}

#[cfg(test)]
mod tests {
    use rag_core::Block;

    use super::*;

    #[test]
    fn a_page_has_its_sections_and_paragraphs() {
        let text = ".\\\" comment\n.TH STORM 8 \"2026-11-21\" \"v1\"\n.SH NAME\nstorm \\- counts storms\n.SH \"SEE ALSO\"\n.PP\nThe\n.B keeper\ncounts.\n.TP\n.B \\-v\nSay more.\n.nf\na  b\n.fi\n";
        assert!(starts_a_page(text.as_bytes()));
        let document = read(text.to_owned());
        assert_eq!(document.title.as_deref(), Some("storm(8)"));
        assert_eq!(document.date.as_deref(), Some("2026-11-21"));
        let part = |b: &Block| (b.kind, b.span.slice(text).to_owned());
        let parts: Vec<_> = document.blocks.iter().map(part).collect();
        let part = |kind, text: &str| (kind, text.to_owned());
        assert_eq!(
            parts,
            [
                part(BlockKind::Heading(1), ".SH NAME"),
                part(BlockKind::Paragraph, "storm \\- counts storms"),
                part(BlockKind::Heading(1), ".SH \"SEE ALSO\""),
                part(BlockKind::Paragraph, "The\n.B keeper\ncounts."),
                part(BlockKind::ListItem, ".B \\-v\nSay more."),
                part(BlockKind::Code, "a  b"),
            ]
        );
        assert_eq!(document.blocks[2].label.as_deref(), Some("SEE ALSO"));
    }
}
