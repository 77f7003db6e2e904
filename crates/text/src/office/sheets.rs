//! Sheets of workbooks (XLSX, XLSB, XLS, ODS): each is a part, each stretch of rows without a blank one
//! a table.
//!
//! Cells are read one by one where the format allows it, so that a sheet costs what it holds and not
//! what it says its size is.

use std::{
    collections::BTreeSet,
    io::{Cursor, Read, Seek},
};

use calamine::{Data, DataRef, Ods, Reader, Sheet, SheetType, Xls, Xlsb, Xlsx};
use rag_core::{BlockKind, Document, Warning, WarningKind};

use super::{
    ended, number,
    package::{OLE_MARK, Package, related},
    properties::Properties,
};
use crate::{error::Failure, flow::Flow, guard::guarded, nest::Input};

/// Cells that are read of a workbook; more than that is named as lost.
const MAX_CELLS: usize = 3_000_000;
/// Empty cells that a table may have for each one that is not, before they are left out.
const MAX_EMPTY: usize = 20;

const KIND: &str = "sheet";

/// One cell that holds something: row, column, what it shows.
type Shown = (u32, u32, String);

/// A workbook as far as it has been read.
#[derive(Debug, Default)]
struct Book {
    flow: Flow,
    cells: usize,
    warnings: Vec<Warning>,
}

pub(super) fn read(input: &Input<'_>) -> Result<Document, Failure> {
    if input.bytes.starts_with(OLE_MARK) && !super::package::is_encrypted_ole(input.bytes) {
        return read_old(input);
    }
    let mut package = Package::open(input, KIND)?;
    if package.unpacked() > input.bytes_left().min(super::package::MAX_UNPACKED) {
        return Err(package.malformed("it is too large once it is unpacked"));
    }
    let mut book = Book::default();
    let is_open_document = package.has("content.xml");
    if is_open_document {
        if package.is_encrypted()? {
            return Err(Failure::Encrypted {
                name: input.name.to_owned(),
            });
        }
        let mut sheets: Ods<_> = opened(input)?;
        book.add_ranges(&mut sheets);
    } else if package.has("xl/workbook.bin") {
        let mut sheets: Xlsb<_> = opened(input)?;
        for sheet in worksheets(sheets.sheets_metadata()) {
            let outcome = contained(|| cells_of_xlsb(&mut sheets, &sheet, book.left()));
            book.add(&sheet, outcome);
        }
    } else {
        let mut sheets: Xlsx<_> = opened(input)?;
        for sheet in worksheets(sheets.sheets_metadata()) {
            let outcome = contained(|| cells_of_xlsx(&mut sheets, &sheet, book.left()));
            book.add(&sheet, outcome);
        }
    }
    let top = package.relations("")?;
    let core = if is_open_document {
        "meta.xml"
    } else {
        related(&top, "core-properties").unwrap_or("docProps/core.xml")
    };
    let core = core.to_owned();
    let told = package.xml(&core)?.map(|text| Properties::of(&text));
    let told = told.unwrap_or_default();
    let document = Document {
        title: told.title,
        date: told.date,
        ..book.finish()
    };
    ended(&mut package, document)
}

/// Excel's format up to 2003.
fn read_old(input: &Input<'_>) -> Result<Document, Failure> {
    let mut sheets: Xls<_> = opened(input)?;
    let mut book = Book::default();
    book.add_ranges(&mut sheets);
    Ok(book.finish())
}

fn opened<'b, B>(input: &Input<'b>) -> Result<B, Failure>
where
    B: Reader<Cursor<&'b [u8]>>,
    B::Error: std::fmt::Display,
{
    let cause = match guarded(|| B::new(Cursor::new(input.bytes))) {
        Ok(Ok(book)) => return Ok(book),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic,
    };
    if cause.to_lowercase().contains("password") {
        return Err(Failure::Encrypted {
            name: input.name.to_owned(),
        });
    }
    Err(Failure::Malformed {
        name: input.name.to_owned(),
        kind: KIND,
        cause,
    })
}

/// The cells of a sheet as `read` gives them, or that it can't be read: damage makes calamine panic,
/// and what was read of other sheets is not lost by it.
fn contained(read: impl FnOnce() -> Outcome) -> Outcome {
    guarded(read)
        .unwrap_or_else(|panic| (Vec::new(), Some(format!("the sheet is damaged: {panic}"))))
}

/// Names of the sheets that hold cells, hidden ones too.
fn worksheets(sheets: &[Sheet]) -> Vec<String> {
    let with_cells = sheets
        .iter()
        .filter(|sheet| matches!(sheet.typ, SheetType::WorkSheet | SheetType::MacroSheet));
    with_cells.map(|sheet| sheet.name.clone()).collect()
}

/// What was read of a sheet, and what kept the rest from being read.
type Outcome = (Vec<Shown>, Option<String>);

/// Cells one by one, up to `limit`.
fn collected<'c, E: std::fmt::Display>(
    limit: usize,
    mut next: impl FnMut() -> Result<Option<calamine::Cell<DataRef<'c>>>, E>,
) -> Outcome {
    let mut cells = Vec::new();
    loop {
        match next() {
            Ok(None) => return (cells, None),
            Err(error) => return (cells, Some(format!("the sheet is damaged: {error}"))),
            Ok(Some(cell)) => {
                let (row, column) = cell.get_position();
                let value = shown(&Data::from(cell.get_value().clone()));
                if value.is_empty() {
                    continue;
                }
                if cells.len() >= limit {
                    let fact = format!("cells beyond the first {MAX_CELLS} were left out");
                    return (cells, Some(fact));
                }
                cells.push((row, column, value));
            }
        }
    }
}

fn cells_of_xlsx<R: Read + Seek>(sheets: &mut Xlsx<R>, name: &str, limit: usize) -> Outcome {
    match sheets.worksheet_cells_reader(name) {
        Ok(mut reader) => collected(limit, || reader.next_cell()),
        Err(error) => (Vec::new(), Some(format!("the sheet is damaged: {error}"))),
    }
}

fn cells_of_xlsb<R: Read + Seek>(sheets: &mut Xlsb<R>, name: &str, limit: usize) -> Outcome {
    match sheets.worksheet_cells_reader(name) {
        Ok(mut reader) => collected(limit, || reader.next_cell()),
        Err(error) => (Vec::new(), Some(format!("the sheet is damaged: {error}"))),
    }
}

impl Book {
    fn left(&self) -> usize {
        MAX_CELLS - self.cells.min(MAX_CELLS)
    }

    /// Adds the sheets of a format whose parser makes ranges of them.
    fn add_ranges<R: Read + Seek, B: Reader<R>>(&mut self, sheets: &mut B)
    where
        B::Error: std::fmt::Display,
    {
        for name in worksheets(sheets.sheets_metadata()) {
            let outcome = contained(|| match sheets.worksheet_range(&name) {
                Err(error) => (Vec::new(), Some(format!("the sheet is damaged: {error}"))),
                Ok(range) => {
                    let (top, left) = range.start().unwrap_or_default();
                    let mut cells = Vec::new();
                    let mut fact = None;
                    for (row, column, value) in range.used_cells() {
                        if cells.len() >= self.left() {
                            let beyond = "cells beyond the first";
                            fact = Some(format!("{beyond} {MAX_CELLS} were left out"));
                            break;
                        }
                        cells.push((top + row as u32, left + column as u32, shown(value)));
                    }
                    (cells, fact)
                }
            });
            self.add(&name, outcome);
        }
    }

    fn add(&mut self, name: &str, (mut cells, fact): Outcome) {
        self.cells += cells.len();
        self.flow.part(name);
        self.warnings.extend(fact.map(|fact| Warning {
            part: Some(name.to_owned()),
            ..Warning::new(WarningKind::Lost, fact)
        }));
        cells.retain(|(_, _, value)| !value.trim().is_empty());
        // Sorted already, but in files that somebody put together by hand.
        cells.sort_by_key(|(row, column, _)| (*row, *column));
        for rows in cells.chunk_by(|one, next| next.0 - one.0 <= 1) {
            write_region(&mut self.flow, rows);
        }
    }

    fn finish(self) -> Document {
        Document {
            warnings: self.warnings,
            ..self.flow.finish()
        }
    }
}

/// Writes rows without a blank one between them: as a table, or as the one text that they are.
fn write_region(flow: &mut Flow, cells: &[Shown]) {
    if let [(_, _, only)] = cells {
        flow.begin(BlockKind::Paragraph);
        flow.words(only);
        flow.close();
        return;
    }
    let columns: BTreeSet<u32> = cells.iter().map(|(_, column, _)| *column).collect();
    let columns: Vec<u32> = columns.into_iter().collect();
    let rows = cells.chunk_by(|one, next| one.0 == next.0);
    let keeps_columns = columns.len() * rows.clone().count() <= MAX_EMPTY * cells.len() + 1000;
    flow.begin(BlockKind::Table);
    for row in rows {
        let mut line: Vec<&str> = Vec::new();
        for (_, column, value) in row {
            if keeps_columns {
                let at = columns.partition_point(|c| c < column);
                line.resize(at.max(line.len()), "");
            }
            line.push(value);
        }
        flow.row(&line);
    }
    flow.close();
}

/// A cell as it is shown, as far as that is told.
fn shown(value: &Data) -> String {
    match value {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(n) => n.to_string(),
        Data::Float(n) => number(*n),
        Data::Bool(true) => "TRUE".to_owned(),
        Data::Bool(false) => "FALSE".to_owned(),
        Data::Error(error) => error.to_string(),
        Data::DateTime(time) => {
            let days = time.as_f64();
            if time.is_duration() || !(0.0..2_958_466.0).contains(&days) {
                return duration(days);
            }
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            let clock = match (hour, minute, second) {
                (0, 0, 0) => String::new(),
                (_, _, 0) => format!("{hour:02}:{minute:02}"),
                _ => format!("{hour:02}:{minute:02}:{second:02}"),
            };
            // Below the first day of the calendar there is only a time of day.
            match (days < 1.0, clock.is_empty()) {
                (true, _) => duration(days),
                (false, true) => format!("{year:04}-{month:02}-{day:02}"),
                (false, false) => format!("{year:04}-{month:02}-{day:02} {clock}"),
            }
        }
    }
}

/// Days as hours, minutes and seconds.
fn duration(days: f64) -> String {
    let sign = if days < 0.0 { "-" } else { "" };
    // Beyond what any sheet counts the time of day says nothing.
    let seconds = (days.abs().min(1e9) * 86_400.0).round();
    let (hours, rest) = ((seconds / 3600.0).floor(), seconds % 3600.0);
    let (minutes, seconds) = ((rest / 60.0).floor(), rest % 60.0);
    if seconds == 0.0 {
        format!("{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use calamine::{CellErrorType, ExcelDateTime, ExcelDateTimeType};

    use super::*;

    #[test]
    fn cells_are_shown_as_people_read_them() {
        let time =
            |days| Data::DateTime(ExcelDateTime::new(days, ExcelDateTimeType::DateTime, false));
        let values = [
            Data::Float(0.1 + 0.2),
            Data::Bool(true),
            Data::Error(CellErrorType::Div0),
            time(11_689.0),
            time(11_689.75),
            time(0.5),
        ];
        let shown = values.map(|value| shown(&value));
        let expected = [
            "0.3",
            "TRUE",
            "#DIV/0!",
            "1932-01-01",
            "1932-01-01 18:00",
            "12:00",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn damage_that_makes_the_parser_panic_is_told_as_damage() {
        let whole = include_bytes!("../../../../fixtures/formats/office/libreoffice.xls");
        // Of some cuts the table of sectors points beyond the end, where calamine panics.
        for end in (600..whole.len()).step_by(61) {
            let read = crate::Reader::new().read("a.xls", &whole[..end]);
            if let Err(error) = read {
                assert!(
                    !error.fact.contains("parser failed"),
                    "{end}: {}",
                    error.fact
                );
            }
        }
    }

    #[test]
    fn blank_rows_part_tables_and_far_cells_cost_nothing() {
        let mut book = Book::default();
        let cell = |row, column, text: &str| (row, column, text.to_owned());
        let cells = vec![
            cell(0, 0, "Ferries in 1931"),
            cell(2, 1, "Port"),
            cell(2, 2, "Trips"),
            cell(3, 1, "Averill"),
            cell(3, 16_383, "12"),
            cell(1_048_575, 16_383, "end"),
        ];
        book.add("Year", (cells, None));
        let document = book.finish();
        let expected = "Ferries in 1931\n\nPort\tTrips\nAverill\t\t12\n\nend";
        assert_eq!(document.text, expected);
        assert_eq!(document.parts[0].name, "Year");
    }
}
