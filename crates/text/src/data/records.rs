//! CSV and TSV: a table, a row on the line where it begins in the file.
//!
//! Cells are parted by tabs as in every table, without their quotes. A line break inside a cell becomes
//! a space, and the lines that it took stay empty, so that lines keep their number.

use csv::{ByteRecord, Reader, ReaderBuilder};
use rag_core::{Block, BlockKind, Document, Span, Warning, WarningKind};

use crate::lines::trimmed;

/// What may part cells; of two that fit equally well the earlier one does.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// So much from the start tells what parts the cells.
const SAMPLE: usize = 64 << 10;

/// A row of more bytes or lines comes of a quote that was never closed.
const MAX_ROW_BYTES: usize = 1 << 20;
const MAX_ROW_LINES: u64 = 1000;

/// The document of a decoded text of records; `delimiter` where it is known.
pub(crate) fn read(text: &str, delimiter: Option<u8>) -> Document {
    // Spreadsheet programs write and believe `sep=;` in the first line.
    let declared = text.strip_prefix("sep=").and_then(|rest| {
        let (line, after) = rest.split_once('\n')?;
        let delimiter = line.as_bytes().first().filter(|_| line.trim().len() <= 1)?;
        Some((*delimiter, after))
    });
    let (delimiter, records, first_line) = match declared {
        Some((delimiter, records)) => (delimiter, records, 2),
        None => (delimiter.unwrap_or_else(|| guessed(text)), text, 1),
    };
    let mut warnings = Vec::new();
    let table = rows(records, delimiter, Quotes::Close, first_line).unwrap_or_else(|| {
        let fact = "a quote is never closed, so quotes were taken as they stand";
        warnings.push(Warning::new(WarningKind::Guessed, fact));
        rows(records, delimiter, Quotes::Stand, first_line).unwrap_or_default()
    });
    let mut span = trimmed(&table, Span::new(0, table.len()));
    // A tab before the first cell says that it is empty.
    span.start = table[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let is_empty = span.slice(&table).trim().is_empty();
    let block = (!is_empty).then(|| Block::new(BlockKind::Table, span));
    Document {
        text: table,
        blocks: block.into_iter().collect(),
        lines_are_source_lines: true,
        warnings,
        ..Document::default()
    }
}

/// What quotes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    /// They stand around a cell.
    Close,
    /// They are characters of the cell.
    Stand,
}

fn reader(text: &str, delimiter: u8, quotes: Quotes) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(quotes == Quotes::Close)
        .from_reader(text.as_bytes())
}

/// The rows, each on its line; none where a row is too long to be one.
fn rows(text: &str, delimiter: u8, quotes: Quotes, first_line: u64) -> Option<String> {
    let mut reader = reader(text, delimiter, quotes);
    let mut record = ByteRecord::new();
    let mut table = String::with_capacity(text.len());
    let mut line = 0;
    loop {
        // Blank lines before a row are skipped as part of it.
        let before = reader.position().clone();
        let rest = &text.as_bytes()[before.byte() as usize..];
        let blank = rest.iter().take_while(|b| **b == b'\n').count() as u64;
        // Reading from memory, rows of any length: there is nothing that can fail.
        let is_row = reader.read_byte_record(&mut record).unwrap_or(false);
        let taken = (reader.position().line() - before.line()).saturating_sub(blank);
        let is_runaway = record.as_slice().len() > MAX_ROW_BYTES || taken > MAX_ROW_LINES;
        if quotes == Quotes::Close && is_runaway {
            return None;
        }
        if !is_row {
            return Some(table);
        }
        let begins = before.line() + blank + first_line - 2;
        for _ in line..begins {
            table.push('\n');
        }
        line = begins;
        for (index, cell) in record.iter().enumerate() {
            if index > 0 {
                table.push('\t');
            }
            push_words(&mut table, &String::from_utf8_lossy(cell));
        }
    }
}

/// A cell on one line.
fn push_words(table: &mut String, cell: &str) {
    for (index, word) in cell.split_whitespace().enumerate() {
        if index > 0 {
            table.push(' ');
        }
        table.push_str(word);
    }
}

/// The delimiter with which most rows of the sample have the same number of cells, two at least.
fn guessed(text: &str) -> u8 {
    let mut sample = &text[..text.floor_char_boundary(SAMPLE)];
    if sample.len() < text.len() {
        sample = sample.rsplit_once('\n').map_or(sample, |(whole, _)| whole);
    }
    let fit = |delimiter: u8| {
        let mut reader = reader(sample, delimiter, Quotes::Close);
        let mut counts = [0_usize; 64];
        let mut record = ByteRecord::new();
        let mut total = 0;
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            counts[record.len().min(63)] += 1;
            total += 1;
        }
        let (cells, agreeing) = counts
            .iter()
            .enumerate()
            .skip(2)
            .max_by_key(|(_, count)| **count)?;
        // Shares in steps: a table with a note in its last line fits as well as one without.
        (*agreeing * 2 > total).then_some((agreeing * 10 / total, cells, delimiter))
    };
    let fits: Vec<_> = DELIMITERS.into_iter().filter_map(fit).collect();
    let best = fits.iter().map(|(share, cells, _)| (*share, *cells)).max();
    fits.iter()
        .find(|(share, cells, _)| Some((*share, *cells)) == best)
        .map_or(b',', |(_, _, delimiter)| *delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> String {
        read(text, None).text
    }

    #[test]
    fn cells_are_parted_by_tabs_and_have_no_quotes() {
        assert_eq!(table("a,b\n\"x, \"\"y\"\"\",2\n"), "a\tb\nx, \"y\"\t2");
        assert_eq!(
            table("票价;数量\n成人;12,5\n儿童;6,0\n"),
            "票价\t数量\n成人\t12,5\n儿童\t6,0"
        );
        assert_eq!(table("a|b\n1|2\n"), "a\tb\n1\t2");
        assert_eq!(table("sep=;\na;b,c\n"), "\na\tb,c");
    }

    #[test]
    fn a_row_stands_on_the_line_where_it_begins_in_the_file() {
        let text = "name,note\nA,\"one\ntwo\"\n\nB,three\n";
        let document = read(text, None);
        let found: Vec<&str> = document.text.lines().collect();
        assert_eq!(found, ["name\tnote", "A\tone two", "", "", "B\tthree"]);
        assert_eq!(document.blocks[0].kind, BlockKind::Table);
        assert!(document.lines_are_source_lines);
    }

    #[test]
    fn a_quote_that_is_never_closed_does_not_swallow_the_file() {
        let text = format!("a,b\n1,\"open\n{}", "2,3\n".repeat(5000));
        let document = read(&text, None);
        assert_eq!(document.text.lines().nth(2), Some("2\t3"));
        assert_eq!(document.warnings.len(), 1);
    }

    #[test]
    fn one_column_and_empty_first_cells_are_kept() {
        assert_eq!(table("name\nA\nB\n"), "name\nA\nB");
        let document = read(",May,June\nfares,1,2\n", None);
        assert_eq!(document.text, "\tMay\tJune\nfares\t1\t2");
        assert_eq!(document.blocks[0].span.start, 0);
        assert!(read(" \n,,\n", None).blocks.is_empty());
    }
}
