//! Rich text (RTF 1.9.1): a text of control words and groups, which Word, `WordPad` and most others
//! write.

use file_format::FileFormat;
use rag_core::{Document, Warning, WarningKind};

use self::{reading::Reading, tokens::Tokens};
use crate::{
    error::Failure,
    format::{Format, Parser},
    nest::Input,
};

mod characters;
mod charset;
mod group;
mod reading;
mod signs;
mod story;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;

static RTF: Format = Format {
    name: "RTF",
    media_type: "application/rtf",
    magic: &[FileFormat::RichTextFormat],
    marks: Some(starts_rich_text),
    extensions: &["rtf"],
    parser: Parser::Bytes(read),
};

pub(crate) static FORMATS: [&Format; 1] = [&RTF];

/// What rich text starts with.
const MARK: &[u8] = br"{\rtf";

/// Whether this is rich text, whatever its name.
fn starts_rich_text(head: &[u8]) -> bool {
    head.trim_ascii_start().starts_with(MARK)
}

fn read(input: &Input<'_>) -> Result<Document, Failure> {
    let bytes = input
        .bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(input.bytes);
    if !starts_rich_text(bytes) {
        // Some programs call any text so.
        return input.read_inner(&format!("{}.txt", input.name), input.bytes);
    }
    let mut reading = Reading::default();
    let mut tokens = Tokens::new(bytes.trim_ascii_start());
    let mut ended_too_soon = false;
    while let Some(token) = tokens.next() {
        reading.take(token);
        if reading.is_over() && !ended_too_soon {
            ended_too_soon = goes_on(tokens.rest());
            if !ended_too_soon {
                break;
            }
        }
    }
    Ok(reading.finish())
}

/// Whether there is text after the end of the outermost group, which a stray brace has ended too soon.
fn goes_on(rest: &[u8]) -> bool {
    let word: &[u8] = br"\par";
    rest.windows(word.len()).any(|window| window == word)
}

/// A date and a time of day as `\creatim` has them, of which the day is kept.
#[derive(Debug, Default, Clone, Copy)]
struct Date {
    year: i32,
    month: i32,
    day: i32,
}

impl Date {
    fn set(&mut self, word: &str, number: i32) {
        match word {
            "yr" => self.year = number,
            "mo" => self.month = number,
            "dy" => self.day = number,
            _ => {}
        }
    }

    fn shown(self) -> Option<String> {
        let Self { year, month, day } = self;
        // Programs that don't know write zeros, or the beginning of their calendar.
        let is_known =
            (1971..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        is_known.then(|| format!("{year:04}-{month:02}-{day:02}"))
    }
}

fn lost(fact: impl Into<String>) -> Warning {
    Warning::new(WarningKind::Lost, fact)
}
