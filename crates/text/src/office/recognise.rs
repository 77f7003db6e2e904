//! Which office file a container is: an archive says so in a member of its own, whatever the others
//! are called and however they are ordered.

use std::io::{Cursor, Read as _};

use file_format::FileFormat;
use zip::ZipArchive;

use super::package::{OLE_MARK, is_encrypted_ole};

/// Longest list of content types that is looked into.
const MAX_TYPES: u64 = 1 << 20;

/// What the container `bytes` is, which was `taken` for something by its magic numbers, and where these
/// don't tell is called `extension`.
pub(crate) fn looked_into(taken: FileFormat, extension: &str, bytes: &[u8]) -> FileFormat {
    let is = |mark: &[u8]| taken == FileFormat::ArbitraryBinaryData && bytes.starts_with(mark);
    let taken = if is(b"PK\x03\x04") {
        FileFormat::Zip
    } else if is(OLE_MARK) {
        FileFormat::CompoundFileBinary
    } else {
        taken
    };
    match taken {
        FileFormat::Zip
        | FileFormat::OfficeOpenXmlDocument
        | FileFormat::OfficeOpenXmlPresentation
        | FileFormat::OfficeOpenXmlSpreadsheet => of_archive(taken, extension, bytes),
        FileFormat::CompoundFileBinary if is_encrypted_ole(bytes) => {
            by_extension(extension).unwrap_or(FileFormat::OfficeOpenXmlDocument)
        }
        FileFormat::CompoundFileBinary => match extension {
            "xls" | "xlt" => FileFormat::MicrosoftExcelSpreadsheet,
            _ => taken,
        },
        _ => taken,
    }
}

fn of_archive(taken: FileFormat, extension: &str, bytes: &[u8]) -> FileFormat {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else {
        // A file that was cut off has lost its list of members.
        return by_extension(extension).unwrap_or(taken);
    };
    if let Some(kind) = member(&mut archive, "mimetype").and_then(|kind| by_media_type(&kind)) {
        return kind;
    }
    if let Some(types) = member(&mut archive, "[Content_Types].xml") {
        return by_content_types(&types).unwrap_or(taken);
    }
    let is_package = archive.index_for_name("_rels/.rels").is_some();
    match taken {
        FileFormat::Zip => taken,
        _ if is_package => taken,
        // A folder that is only called `word` or `xl`.
        _ => by_extension(extension).unwrap_or(FileFormat::Zip),
    }
}

fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Option<String> {
    let index = archive.index_for_name(name)?;
    let mut bytes = Vec::new();
    let member = archive.by_index(index).ok()?;
    // What is damaged is looked into as far as it goes.
    let _ = member.take(MAX_TYPES).read_to_end(&mut bytes);
    Some(super::xml::decoded(bytes))
}

/// The main part's type tells (`….document.main+xml`, `….sheet.macroEnabled.main+xml`).
fn by_content_types(types: &str) -> Option<FileFormat> {
    let mut main = types
        .split(['"', '\''])
        .filter(|word| word.contains(".main"));
    main.find_map(|kind| {
        if kind.contains("wordprocessingml") || kind.contains("ms-word.") {
            Some(FileFormat::OfficeOpenXmlDocument)
        } else if kind.contains("presentationml") || kind.contains("ms-powerpoint.") {
            Some(FileFormat::OfficeOpenXmlPresentation)
        } else if kind.contains("spreadsheetml") || kind.contains("ms-excel.") {
            Some(FileFormat::OfficeOpenXmlSpreadsheet)
        } else {
            None
        }
    })
}

fn by_media_type(kind: &str) -> Option<FileFormat> {
    let kind = kind
        .trim()
        .strip_prefix("application/vnd.oasis.opendocument.")?;
    Some(match kind.trim_end_matches("-template") {
        "text" => FileFormat::OpendocumentText,
        "text-master" => FileFormat::OpendocumentTextMaster,
        "presentation" => FileFormat::OpendocumentPresentation,
        "spreadsheet" => FileFormat::OpendocumentSpreadsheet,
        "graphics" => FileFormat::OpendocumentGraphics,
        _ => return None,
    })
}

fn by_extension(extension: &str) -> Option<FileFormat> {
    Some(match extension {
        "docx" | "docm" | "dotx" | "dotm" => FileFormat::OfficeOpenXmlDocument,
        "xlsx" | "xlsm" | "xltx" | "xltm" | "xlsb" => FileFormat::OfficeOpenXmlSpreadsheet,
        "pptx" | "pptm" | "potx" | "potm" | "ppsx" | "ppsm" => {
            FileFormat::OfficeOpenXmlPresentation
        }
        "odt" | "ott" => FileFormat::OpendocumentText,
        "odp" | "otp" => FileFormat::OpendocumentPresentation,
        "ods" | "ots" => FileFormat::OpendocumentSpreadsheet,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in members {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn an_archive_is_what_its_types_say_whatever_its_members_are_called() {
        let types = "<Override PartName='/doc.xml' ContentType='application/vnd.openxmlformats-\
            officedocument.presentationml.slideshow.main+xml'/>";
        let bytes = archive(&[
            ("doc.xml", ""),
            ("word/a.xml", ""),
            ("[Content_Types].xml", types),
        ]);
        let kind = looked_into(FileFormat::OfficeOpenXmlDocument, "zip", &bytes);
        assert_eq!(kind, FileFormat::OfficeOpenXmlPresentation);
        let text = "application/vnd.oasis.opendocument.text-template\n";
        let bytes = archive(&[("content.xml", ""), ("mimetype", text)]);
        assert_eq!(
            looked_into(FileFormat::Zip, "", &bytes),
            FileFormat::OpendocumentText
        );
    }

    #[test]
    fn a_folder_called_word_makes_no_document() {
        let bytes = archive(&[("word/list.txt", "gull")]);
        let kind = looked_into(FileFormat::OfficeOpenXmlDocument, "zip", &bytes);
        assert_eq!(kind, FileFormat::Zip);
        let cut = &bytes[..40];
        assert_eq!(
            looked_into(FileFormat::Zip, "docx", cut),
            FileFormat::OfficeOpenXmlDocument
        );
        assert_eq!(looked_into(FileFormat::Zip, "zip", cut), FileFormat::Zip);
    }
}
