//! The command that opens a source at its place. Pure: what there is on the machine is passed in.

use rag_core::{Code, Error, Result};
use rag_engine::CitedFile;

use super::programs::{LineStyle, line_style, pdf_command, platform_viewer};
use crate::links::file_url;

/// What the command depends on besides the source.
pub(super) struct Around<'a> {
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// Name of the desktop entry that opens PDF files.
    pub(super) pdf_viewer: &'a dyn Fn() -> Option<String>,
    /// As in [`std::env::consts::OS`].
    pub(super) platform: &'a str,
}

/// A command, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) program: String,
    pub(super) args: Vec<String>,
    /// Whether it may use the terminal, so that its end is waited for.
    pub(super) waits: bool,
    /// The place, where the program can't be told.
    pub(super) note: Option<String>,
}

impl Opening {
    pub(super) fn words(&self) -> Vec<&str> {
        let args = self.args.iter().map(String::as_str);
        [self.program.as_str()].into_iter().chain(args).collect()
    }

    /// As a shell reads it.
    pub(super) fn shell(&self) -> String {
        let quoted = |word: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+=,@%#".contains(c);
            if !word.is_empty() && word.chars().all(is_plain) {
                word.to_owned()
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        };
        self.words()
            .into_iter()
            .map(quoted)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// How to open the source: by the command that is given, by the editor where it has lines of its own, by
/// a PDF viewer that can be told the page, else by the platform's viewer.
///
/// # Errors
/// `Usage` for a command without words or with a quote that is not closed.
pub(super) fn opening(
    cited: &CitedFile,
    with: Option<&str>,
    around: &Around<'_>,
) -> Result<Opening> {
    let file = cited.file.display().to_string();
    let citation = &cited.citation;
    // A line of what is in an archive is none of the archive.
    let line = citation.lines.filter(|_| citation.part.is_none());
    let line = line.map(|lines| lines.first);
    if let Some(with) = with {
        return filled(with, cited, &file, line);
    }
    let editor = (around.variable)("VISUAL").or_else(|| (around.variable)("EDITOR"));
    if let (Some(line), Some(editor)) = (line, editor) {
        return edited(&editor, &file, line);
    }
    if let (Some(page), "linux") = (citation.page, around.platform)
        && let Some(words) = (around.pdf_viewer)().as_deref().and_then(pdf_command)
    {
        return Ok(in_viewer(words, cited, &file, page));
    }
    let note = match (citation.page, line, &citation.part) {
        (Some(page), _, _) => Some(format!("the passage is on page {page}")),
        (None, Some(line), _) => Some(format!(
            "the passage is on line {line}; set EDITOR to be taken there"
        )),
        (None, None, Some(part)) => Some(format!("the passage is in {part}")),
        (None, None, None) => None,
    };
    Ok(Opening {
        program: platform_viewer(around.platform).to_owned(),
        args: vec![file],
        waits: false,
        note,
    })
}

fn filled(with: &str, cited: &CitedFile, file: &str, line: Option<u32>) -> Result<Opening> {
    let number = |n: Option<u32>| n.unwrap_or(1).to_string();
    let mut words = words(with)?;
    if !with.contains("{file}") && !with.contains("{url}") {
        words.push("{file}".to_owned());
    }
    let put = |word: &String| {
        word.replace("{line}", &number(line))
            .replace("{page}", &number(cited.citation.page))
            .replace("{url}", &file_url(&cited.file))
            .replace("{file}", file)
    };
    let mut words = words.iter().map(put);
    Ok(Opening {
        program: words.next().unwrap_or_default(),
        args: words.collect(),
        waits: true,
        note: None,
    })
}

fn edited(editor: &str, file: &str, line: u32) -> Result<Opening> {
    let mut words = words(editor)?;
    let program = words.remove(0);
    let style = line_style(&program);
    match style {
        Some(LineStyle::Plus) => words.extend([format!("+{line}"), file.to_owned()]),
        Some(LineStyle::Colon) => words.push(format!("{file}:{line}")),
        Some(LineStyle::Goto) => words.extend(["--goto".to_owned(), format!("{file}:{line}")]),
        Some(LineStyle::Line) => {
            words.extend(["--line".to_owned(), line.to_string(), file.to_owned()]);
        }
        Some(LineStyle::Letter) => {
            words.extend(["-l".to_owned(), line.to_string(), file.to_owned()]);
        }
        Some(LineStyle::Joined) => words.extend([format!("-n{line}"), file.to_owned()]),
        None => words.push(file.to_owned()),
    }
    let note = style.is_none().then(|| {
        format!("the passage is on line {line}; `{program}` is not known here, so it was not told")
    });
    Ok(Opening {
        program,
        args: words,
        waits: true,
        note,
    })
}

fn in_viewer(words: &[&str], cited: &CitedFile, file: &str, page: u32) -> Opening {
    let put = |word: &&str| {
        word.replace("{page}", &page.to_string())
            .replace("{url}", &file_url(&cited.file))
            .replace("{file}", file)
    };
    let mut words = words.iter().map(put);
    Opening {
        program: words.next().unwrap_or_default(),
        args: words.collect(),
        waits: false,
        note: None,
    }
}

/// The words of a command, as a shell cuts them: quotes hold words together, nothing else is special.
fn words(command: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut open: Option<char> = None;
    for c in command.chars() {
        match (c, open) {
            ('"' | '\'', None) => {
                open = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(quote)) if c == quote => open = None,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if open.is_some() || words.is_empty() {
        return Err(
            Error::new(Code::Usage, format!("`{command}` is no command"))
                .hint("write it as in: zathura -P {page} {file}"),
        );
    }
    Ok(words)
}

#[cfg(test)]
mod tests;
