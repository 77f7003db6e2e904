//! LaTeX: the file's own text with its sections, items, tables and listings as blocks.
//!
//! Commands are not run: what they would print is not known, so they stand in the blocks like the words
//! around them. Lines of comment, the preamble and commands that print nothing are in no block. A file
//! that `\input` names is another source: this is said, not followed.

use rag_core::{Block, BlockKind, Document, Span, Warning, WarningKind};

use super::{front::iso_date, marker::Marker};

/// Commands for headings, outermost first.
const SECTIONS: [&str; 7] = [
    "part",
    "chapter",
    "section",
    "subsection",
    "subsubsection",
    "paragraph",
    "subparagraph",
];

/// Environments whose text is taken as it stands.
const VERBATIM: [&str; 8] = [
    "verbatim",
    "Verbatim",
    "lstlisting",
    "minted",
    "alltt",
    "filecontents",
    "filecontents*",
    "tikzpicture",
];

const TABLES: [&str; 7] = [
    "tabular",
    "tabular*",
    "tabularx",
    "tabulary",
    "longtable",
    "tblr",
    "longtblr",
];

const FORMULAS: [&str; 12] = [
    "equation",
    "equation*",
    "align",
    "align*",
    "gather",
    "gather*",
    "multline",
    "multline*",
    "eqnarray",
    "eqnarray*",
    "displaymath",
    "flalign",
];

/// Commands that print nothing, or nothing that stands in the file.
const SILENT: [&str; 34] = [
    "label",
    "centering",
    "maketitle",
    "documentclass",
    "usepackage",
    "includegraphics",
    "newpage",
    "clearpage",
    "cleardoublepage",
    "pagebreak",
    "vspace",
    "hspace",
    "vfill",
    "hfill",
    "bibliographystyle",
    "bibliography",
    "addbibresource",
    "printbibliography",
    "tableofcontents",
    "listoffigures",
    "listoftables",
    "pagestyle",
    "thispagestyle",
    "pagenumbering",
    "setcounter",
    "setlength",
    "newcommand",
    "renewcommand",
    "appendix",
    "noindent",
    "bigskip",
    "medskip",
    "smallskip",
    "raggedright",
];

/// Commands that read another file.
const INPUTS: [&str; 5] = ["input", "include", "subfile", "import", "subimport"];

/// No argument is longer than this: its brace was forgotten.
const MAX_ARGUMENT: usize = 4096;

/// So many files are named.
const MAX_INPUTS: usize = 5;

/// The document of a decoded LaTeX text.
pub(super) fn read(text: String) -> Document {
    let body = text.find("\\begin{document}").unwrap_or(0);
    let mut reading = Reading {
        marker: Marker::new(&text),
        text: &text,
        at: 0,
        body,
        title: None,
        date: None,
        inputs: Vec::new(),
        missing: Vec::new(),
    };
    reading.run();
    let Reading {
        marker,
        title,
        date,
        inputs,
        ..
    } = reading;
    let document = marker.finish().document(text);
    let warnings = inputs.iter().map(|name| {
        let fact =
            format!("goes on in `{name}`, which is read as a file of its own if it is there");
        Warning::new(WarningKind::Guessed, fact)
    });
    Document {
        warnings: warnings.collect(),
        title: title.or(document.title.clone()),
        date,
        ..document
    }
}

struct Reading<'a> {
    marker: Marker<'a>,
    text: &'a str,
    at: usize,
    /// Where the preamble ends.
    body: usize,
    title: Option<String>,
    date: Option<String>,
    inputs: Vec<String>,
    /// Environments that are not closed any more.
    missing: Vec<&'a str>,
}

impl<'a> Reading<'a> {
    fn run(&mut self) {
        while self.at < self.text.len() {
            let start = self.at;
            match self.text.as_bytes()[start] {
                b'\\' => self.command(),
                b'%' => self.comment(),
                b'\n' => {
                    self.at += 1;
                    let rest = &self.text[self.at..];
                    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
                    if line.trim().is_empty() {
                        self.marker.close();
                    }
                }
                _ => {
                    let rest = &self.text[start..];
                    self.at += rest.find(['\\', '%', '\n']).unwrap_or(rest.len());
                    self.print(Span::new(start, self.at));
                }
            }
        }
    }

    /// A stretch that stands in the text that is read.
    fn print(&mut self, span: Span) {
        if span.start >= self.body && !span.slice(self.text).trim().is_empty() {
            self.marker.extend(span);
        }
    }

    fn comment(&mut self) {
        let start = self.at;
        let rest = &self.text[start..];
        self.at += rest.find('\n').unwrap_or(rest.len());
        let line = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        if self.text[line..start].trim().is_empty() {
            self.marker.close();
        }
    }

    fn command(&mut self) {
        let start = self.at;
        let rest = &self.text[start + 1..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let name = &rest[..letters];
        if letters == 0 {
            let length = rest.chars().next().map_or(0, char::len_utf8);
            self.at += 1 + length;
            if rest.starts_with('[') && start >= self.body {
                self.formula(start, "\\]");
            } else {
                self.print(Span::new(start, self.at));
            }
            return;
        }
        self.at += 1 + letters;
        if let Some(level) = SECTIONS.iter().position(|section| *section == name) {
            self.section(start, level + 1);
        } else if INPUTS.contains(&name) {
            self.input();
        } else if SILENT.contains(&name) {
            self.skip_arguments();
        } else {
            self.other(start, name);
        }
    }

    fn other(&mut self, start: usize, name: &'a str) {
        match name {
            "begin" => self.environment(start),
            "end" => {
                self.argument();
                self.marker.close();
            }
            "item" | "bibitem" if start >= self.body => {
                self.marker
                    .begin(BlockKind::ListItem, Span::new(start, self.at));
            }
            "title" | "date" => {
                self.optional();
                let words = self
                    .argument()
                    .map(|span| plain_words(span.slice(self.text)));
                let words = words.filter(|words| !words.is_empty());
                if name == "title" {
                    self.title = self.title.take().or(words);
                } else {
                    self.date = words.and_then(|words| iso_date(&words));
                }
            }
            "author" if start < self.body => {
                if self.argument().is_some() {
                    let span = Span::new(start, self.at);
                    self.marker.block(Block::new(BlockKind::Paragraph, span));
                }
            }
            "caption" => {
                self.optional();
                if self.argument().is_some() && start >= self.body {
                    let span = Span::new(start, self.at);
                    self.marker.block(Block::new(BlockKind::Paragraph, span));
                }
            }
            "href" | "url" => {
                let target = self.argument();
                if name == "href" {
                    self.argument();
                }
                let span = Span::new(start, self.at);
                self.print(span);
                if let Some(target) = target {
                    self.marker.link(span, target.slice(self.text));
                }
            }
            _ => self.print(Span::new(start, self.at)),
        }
    }

    fn section(&mut self, start: usize, level: usize) {
        if self.text[self.at..].starts_with('*') {
            self.at += 1;
        }
        self.optional();
        let words = self.argument();
        if let Some(words) = words.filter(|_| start >= self.body) {
            let span = Span::new(start, self.at);
            self.marker
                .heading(level, span, &plain_words(words.slice(self.text)));
        }
    }

    fn input(&mut self) {
        let mut path = Vec::new();
        while let Some(part) = self.argument() {
            path.push(part.slice(self.text).trim());
        }
        if !path.is_empty() && self.inputs.len() < MAX_INPUTS {
            self.inputs.push(path.concat());
        }
    }

    fn environment(&mut self, start: usize) {
        let Some(name) = self.argument().map(|span| span.slice(self.text)) else {
            return;
        };
        self.marker.close();
        if start < self.body {
            return;
        }
        if VERBATIM.contains(&name) {
            let told = self.skip_arguments();
            if let Some(inner) = self.before_end(name) {
                self.marker.code(inner, language_in(told.slice(self.text)));
            }
        } else if TABLES.contains(&name) {
            self.skip_arguments();
            if let Some(inner) = self.before_end(name) {
                self.marker.block(Block::new(BlockKind::Table, inner));
            }
        } else if FORMULAS.contains(&name) {
            self.formula(start, "");
        } else if name == "comment" {
            self.before_end(name);
        } else {
            self.skip_placement();
        }
    }

    /// A formula up to its closing mark, or to the end of its environment. It is cut at lines only.
    fn formula(&mut self, start: usize, mark: &str) {
        let rest = &self.text[self.at..];
        let end = if mark.is_empty() {
            rest.find("\\end{")
                .map(|at| at + rest[at..].find('}').unwrap_or(4) + 1)
        } else {
            rest.find(mark).map(|at| at + mark.len())
        };
        // One that is not closed within reach is text.
        if let Some(end) = end.filter(|end| *end <= MAX_ARGUMENT * 4) {
            self.at += end;
            self.marker
                .block(Block::new(BlockKind::Code, Span::new(start, self.at)));
        }
    }

    /// What stands before `\end{name}`; none where that does not come.
    fn before_end(&mut self, name: &'a str) -> Option<Span> {
        if self.missing.contains(&name) {
            return None;
        }
        let start = self.at;
        let mark = format!("\\end{{{name}}}");
        let Some(length) = self.text[start..].find(&mark) else {
            self.missing.push(name);
            return None;
        };
        self.at += length + mark.len();
        Some(Span::new(start, start + length))
    }

    /// The content of the braces that come next, if they do.
    fn argument(&mut self) -> Option<Span> {
        self.enclosed(b'{', b'}')
    }

    fn optional(&mut self) -> Option<Span> {
        self.enclosed(b'[', b']')
    }

    fn enclosed(&mut self, open: u8, close: u8) -> Option<Span> {
        let rest = &self.text[self.at..];
        let start = self.at + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let bytes = self.text.as_bytes();
        if bytes.get(start) != Some(&open) {
            return None;
        }
        let mut depth = 0_usize;
        let mut at = start;
        while at < bytes.len() && at - start <= MAX_ARGUMENT {
            match bytes[at] {
                b'\\' => at += 1,
                b if b == open => depth += 1,
                b if b == close => {
                    depth -= 1;
                    if depth == 0 {
                        self.at = at + 1;
                        return Some(Span::new(start + 1, at));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// All arguments that come next.
    fn skip_arguments(&mut self) -> Span {
        let start = self.at;
        if self.text[self.at..].starts_with('*') {
            self.at += 1;
        }
        while self.optional().is_some() || self.argument().is_some() {}
        Span::new(start, self.at)
    }

    /// `[htbp]` and `{0.5\textwidth}`; a longer option is a name.
    fn skip_placement(&mut self) {
        let before = self.at;
        if self.optional().is_some_and(|span| span.len() > 6) {
            self.at = before;
        }
        while self.argument().is_some() {}
    }
}

/// `language=Python` or the argument of minted.
fn language_in(arguments: &str) -> &str {
    let value = match arguments.split_once("language=") {
        Some((_, value)) => value,
        None => match arguments.rsplit_once('{') {
            Some((_, value)) => value,
            None => return "",
        },
    };
    value
        .split(|c: char| !(c.is_alphanumeric() || "+#".contains(c)))
        .find(|word| !word.is_empty())
        .unwrap_or_default()
}

/// An argument's words: commands are left out, what they are applied to stays.
fn plain_words(argument: &str) -> String {
    let mut words = String::with_capacity(argument.len());
    let mut rest = argument;
    while let Some(at) = rest.find(['\\', '{', '}', '~', '$']) {
        words.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = after;
        match argument.as_bytes()[argument.len() - after.len() - 1] {
            b'~' => words.push(' '),
            b'\\' => {
                let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
                rest = &after[letters..];
                if letters == 0 && rest.starts_with('\\') {
                    words.push(' ');
                    rest = &rest[1..];
                } else if letters == 0 {
                    let length = rest.chars().next().map_or(0, char::len_utf8);
                    words.push_str(rest[..length].trim_matches(['"', '\'', '`', '^', ',']));
                    rest = &rest[length..];
                } else if letters > 0 {
                    rest = rest.strip_prefix(' ').unwrap_or(rest);
                }
            }
            _ => {}
        }
    }
    words.push_str(rest);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(BlockKind, String)> {
        let document = read(text.to_owned());
        let part = |b: &Block| (b.kind, b.span.slice(text).to_owned());
        document.blocks.iter().map(part).collect()
    }

    fn part(kind: BlockKind, text: &str) -> (BlockKind, String) {
        (kind, text.to_owned())
    }

    #[test]
    fn a_paper_has_its_title_sections_and_blocks() {
        let text = "\\documentclass{ctexart}\n\\title{Storms at \\textbf{Port}~Averill}\n\\date{21 November 2026}\n\\begin{document}\n\\maketitle\n\\section[Short]{Counting \\emph{storms}}\\label{s}\nThe keeper % why\ncounted 101 storms.\n% a comment\nHe wrote: \\href{https://example.org/}{here}.\n\n\\begin{itemize}\n  \\item one\n  \\item two\n\\end{itemize}\n\\begin{table}[h]\n\\centering\n\\caption{Per \\emph{year}}\n\\begin{tabular}{ll}\nA & B \\\\\n\\end{tabular}\n\\end{table}\n\\begin{lstlisting}[language=Python]\nx = 1 % kept\n\\end{lstlisting}\n\\subsection{最后}\n\\[ a = b \\]\n\\input{rest}\n\\end{document}\n";
        let document = read(text.to_owned());
        assert_eq!(document.title.as_deref(), Some("Storms at Port Averill"));
        assert_eq!(document.date.as_deref(), Some("2026-11-21"));
        assert_eq!(
            parts(text),
            [
                part(
                    BlockKind::Heading(3),
                    "\\section[Short]{Counting \\emph{storms}}"
                ),
                part(
                    BlockKind::Paragraph,
                    "The keeper % why\ncounted 101 storms."
                ),
                part(
                    BlockKind::Paragraph,
                    "He wrote: \\href{https://example.org/}{here}."
                ),
                part(BlockKind::ListItem, "\\item one"),
                part(BlockKind::ListItem, "\\item two"),
                part(BlockKind::Paragraph, "\\caption{Per \\emph{year}}"),
                part(BlockKind::Table, "A & B \\\\"),
                part(BlockKind::Code, "x = 1 % kept"),
                part(BlockKind::Heading(4), "\\subsection{最后}"),
                part(BlockKind::Code, "\\[ a = b \\]"),
            ]
        );
        assert_eq!(document.blocks[0].label.as_deref(), Some("Counting storms"));
        assert_eq!(document.blocks[7].label.as_deref(), Some("python"));
        assert_eq!(document.links[0].target, "https://example.org/");
        assert!(document.warnings[0].fact.contains("`rest`"));
    }

    #[test]
    fn damage_loses_nothing_and_ends() {
        for text in [
            "\\",
            "\\section",
            "\\section{",
            "\\begin{",
            "\\[",
            "%",
            "\\item",
            "\\title{\\",
            "\\é{",
        ] {
            read(text.to_owned());
        }
        assert_eq!(parts("\\begin{verbatim}\nwords").len(), 1);
        assert_eq!(
            parts("\\begin{tabular}{l} a & b\n\nmore"),
            [
                part(BlockKind::Paragraph, "a & b"),
                part(BlockKind::Paragraph, "more"),
            ]
        );
    }
}
