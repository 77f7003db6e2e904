//! Texts that are their own file: marked-up ones and plain ones. The text is kept to the byte and its
//! blocks are spans into it, marks included, so that a citation gives lines and what is quoted stands in
//! the file like that.

use crate::format::{Format, Parser};

pub(crate) mod markdown;
pub(crate) mod plain;

mod asciidoc;
pub(crate) mod front;
mod latex;
mod log;
mod man;
mod marker;
mod org;
mod restructured;
mod titles;
mod unseen;

pub(crate) static MARKDOWN: Format = Format {
    name: "Markdown",
    media_type: "text/markdown",
    magic: &[],
    marks: None,
    extensions: &[
        "md", "markdown", "mdown", "mkd", "mkdn", "mdx", "qmd", "rmd",
    ],
    parser: Parser::Text(|_, text| Ok(markdown::read(text))),
};

static RESTRUCTURED: Format = Format {
    name: "reStructuredText",
    media_type: "text/x-rst",
    magic: &[],
    marks: None,
    extensions: &["rst", "rest"],
    parser: Parser::Text(|_, text| Ok(restructured::read(text))),
};

static ORG: Format = Format {
    name: "Org",
    media_type: "text/x-org",
    magic: &[],
    marks: None,
    extensions: &["org"],
    parser: Parser::Text(|_, text| Ok(org::read(text))),
};

static LATEX: Format = Format {
    name: "LaTeX",
    media_type: "text/x-tex",
    magic: &[],
    marks: None,
    extensions: &["tex", "ltx", "latex"],
    parser: Parser::Text(|_, text| Ok(latex::read(text))),
};

static ASCIIDOC: Format = Format {
    name: "AsciiDoc",
    media_type: "text/x-asciidoc",
    magic: &[],
    marks: None,
    extensions: &["adoc", "asciidoc", "asc"],
    parser: Parser::Text(|_, text| Ok(asciidoc::read(text))),
};

/// Recognised by its start alone: `.1` is also the second-last log.
static MAN: Format = Format {
    name: "manual page",
    media_type: "text/troff",
    magic: &[],
    marks: Some(man::starts_a_page),
    extensions: &["man", "mdoc"],
    parser: Parser::Text(|_, text| Ok(man::read(text))),
};

static LOG: Format = Format {
    name: "log",
    media_type: "text/plain",
    magic: &[],
    marks: None,
    extensions: &["log"],
    parser: Parser::Text(|_, text| Ok(log::read(text))),
};

/// Every text that nothing else claims.
pub(crate) static PLAIN: Format = Format {
    name: "plain text",
    media_type: "text/plain",
    magic: &[],
    marks: None,
    extensions: &["txt", "text"],
    parser: Parser::Text(|_, text| Ok(plain::read(text))),
};

pub(crate) static FORMATS: [&Format; 8] = [
    &MARKDOWN,
    &RESTRUCTURED,
    &ORG,
    &LATEX,
    &ASCIIDOC,
    &MAN,
    &LOG,
    &PLAIN,
];
