//! Office files: what Word, Excel, `PowerPoint` and their kin write, in the formats of Microsoft and in
//! `OpenDocument`, and rich text.

use file_format::FileFormat;
use rag_core::{Document, WarningKind};

use self::package::Package;
use crate::{
    error::Failure,
    format::{Format, Parser},
};

pub(crate) use recognise::looked_into;

mod body;
mod docx;
mod drawing;
mod node;
mod numerals;
pub(crate) mod odf;
mod package;
mod properties;
mod recognise;
pub(crate) mod rtf;
mod sheets;
mod slides;
mod symbols;
mod xml;

static DOCX: Format = Format {
    name: "Word",
    media_type: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    magic: &[FileFormat::OfficeOpenXmlDocument],
    marks: None,
    extensions: &["docx", "docm", "dotx", "dotm"],
    parser: Parser::Bytes(docx::read),
};

static SHEETS: Format = Format {
    name: "Excel",
    media_type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    magic: &[FileFormat::OfficeOpenXmlSpreadsheet],
    marks: None,
    extensions: &["xlsx", "xlsm", "xltx", "xltm", "xlsb"],
    parser: Parser::Bytes(sheets::read),
};

static OLD_SHEETS: Format = Format {
    name: "Excel 97-2003",
    media_type: "application/vnd.ms-excel",
    magic: &[FileFormat::MicrosoftExcelSpreadsheet],
    marks: None,
    extensions: &["xls", "xlt"],
    parser: Parser::Bytes(sheets::read),
};

static OPEN_SHEETS: Format = Format {
    name: "OpenDocument sheet",
    media_type: "application/vnd.oasis.opendocument.spreadsheet",
    magic: &[
        FileFormat::OpendocumentSpreadsheet,
        FileFormat::OpendocumentSpreadsheetTemplate,
    ],
    marks: None,
    extensions: &["ods", "ots"],
    parser: Parser::Bytes(sheets::read),
};

static SLIDES: Format = Format {
    name: "PowerPoint",
    media_type: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    magic: &[FileFormat::OfficeOpenXmlPresentation],
    marks: None,
    extensions: &["pptx", "pptm", "potx", "potm", "ppsx", "ppsm"],
    parser: Parser::Bytes(slides::read),
};

pub(crate) static FORMATS: [&Format; 5] = [&DOCX, &SHEETS, &OLD_SHEETS, &OPEN_SHEETS, &SLIDES];

/// The document with the damage that was met in its package.
///
/// # Errors
/// `Malformed` where nothing was read because of damage.
fn ended(package: &mut Package<'_>, mut document: Document) -> Result<Document, Failure> {
    let warnings = std::mem::take(&mut package.warnings);
    let lost = warnings
        .iter()
        .find(|warning| warning.kind == WarningKind::Lost);
    if let Some(lost) = lost
        && document.blocks.is_empty()
    {
        return Err(package.malformed(lost.fact.clone()));
    }
    document.warnings.extend(warnings);
    Ok(document)
}

/// A number as a sheet shows it where nothing says otherwise: fifteen digits, and no sign of the binary
/// form in which it is kept.
fn number(value: f64) -> String {
    let rounded: f64 = format!("{value:.14e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if size != 0.0 && !(1e-9..1e21).contains(&size) {
        return format!("{rounded:e}");
    }
    // Nothing is called minus nothing.
    let rounded = if rounded == 0.0 { 0.0 } else { rounded };
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use rag_core::BlockKind;

    use super::*;

    /// The blocks of a document with their text.
    pub(super) fn blocks(document: &Document) -> Vec<(BlockKind, &str)> {
        let blocks = document.blocks.iter();
        blocks
            .map(|block| (block.kind, block.span.slice(&document.text)))
            .collect()
    }

    #[test]
    fn numbers_have_no_binary_noise() {
        let shown = [
            0.1 + 0.2,
            0.1,
            1_931.0,
            -0.0,
            1e300,
            2.5e-12,
            123_456_789_012.0,
        ]
        .map(number);
        assert_eq!(
            shown,
            [
                "0.3",
                "0.1",
                "1931",
                "0",
                "1e300",
                "2.5e-12",
                "123456789012"
            ]
        );
    }
}
