//! An answer as a page of its own: nothing is loaded, nothing runs, and its links lead to files.

use std::fmt::Write;

use rag_core::Answer;
use rag_core::fold::is_unspaced;
use rag_engine::CitedFile;

use super::{cited_place, nearest, pieces};
use crate::links::file_url;
use crate::terminal::harmless;

const STYLE: &str = "body{max-width:42rem;margin:2rem auto;padding:0 1rem;font:1.05rem/1.6 system-ui,sans-serif;\
color:#222;background:#fff}h1{font-size:1.4rem;line-height:1.3}sup a{text-decoration:none;padding:0 .1em}\
blockquote{margin:.3rem 0 1rem;padding-left:.8rem;border-left:3px solid #bbb;color:#444;white-space:pre-wrap}\
.note,.heading{color:#666}li:target{background:#fff6cc}@media(prefers-color-scheme:dark){body{color:#ddd;\
background:#181818}a{color:#8ab4f8}blockquote{color:#bbb;border-color:#555}.note,.heading{color:#999}\
li:target{background:#333018}}";

/// The answer as a page; `sources` are the files of its citations.
pub(crate) fn html(answer: &Answer, sources: &[CitedFile]) -> String {
    let language = if answer.question.chars().any(is_unspaced) {
        "zh"
    } else {
        "en"
    };
    let title = escaped(&answer.question);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    if let Some(refusal) = &answer.refused {
        let _ = writeln!(out, "<p><em>{}</em></p>", escaped(&refusal.message));
        let near = nearest(answer);
        if !near.is_empty() {
            out.push_str("<h2>Nearest passages</h2>\n<ul>\n");
            for (place, text) in near {
                let _ = writeln!(
                    out,
                    "<li>{}<blockquote>{}</blockquote></li>",
                    escaped(&place),
                    escaped(&text)
                );
            }
            out.push_str("</ul>\n");
        }
    } else {
        let _ = writeln!(out, "<p>{}</p>\n<ol>", text(answer));
        write_sources(&mut out, answer, sources);
        out.push_str("</ol>\n");
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn text(answer: &Answer) -> String {
    let mut out = String::new();
    for piece in pieces(answer) {
        out.push_str(if piece.gap.contains('\n') {
            "</p>\n<p>"
        } else {
            piece.gap
        });
        out.push_str(&escaped(piece.text));
        for n in piece.citations {
            let _ = write!(out, "<sup><a href=\"#source-{n}\">[{n}]</a></sup>");
        }
        if piece.citations.is_empty() {
            out.push_str("<sup title=\"no passage supports this sentence\">[?]</sup>");
        }
    }
    out
}

fn write_sources(out: &mut String, answer: &Answer, sources: &[CitedFile]) {
    for citation in &answer.citations {
        let n = citation.n;
        let (place, under) = cited_place(citation);
        let file = sources.iter().find(|cited| cited.citation.n == n);
        let place = match file {
            Some(cited) => {
                let page = citation
                    .page
                    .map_or(String::new(), |page| format!("#page={page}"));
                let url = escaped(&file_url(&cited.file));
                format!("<a href=\"{url}{page}\">{}</a>", escaped(&place))
            }
            None => escaped(&place),
        };
        let note = citation.note.as_deref().map_or(String::new(), |note| {
            format!("<p class=\"note\">{}</p>", escaped(note))
        });
        let _ = writeln!(
            out,
            "<li id=\"source-{n}\">{place}<span class=\"heading\">{}</span>\
             <blockquote>{}</blockquote>{note}</li>",
            escaped(&under),
            escaped(&citation.quote)
        );
    }
}

/// Text that is nothing else in an element or a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
