//! What is left of a ZIP whose list of members is missing, as of a download that broke off: its members
//! are read one after the other from the start.

use std::io::Cursor;

use rag_core::{Document, Warning, WarningKind};
use zip::read::read_zipfile_from_stream;

use super::{Members, label, zipped::streamed_name};
use crate::{error::Failure, nest::Input};

/// The members as far as they can be told; `failure` where there is none.
pub(super) fn read(input: &Input<'_>, failure: Failure) -> Result<Document, Failure> {
    let mut members = Members::of(input);
    let mut rest = Cursor::new(input.bytes);
    while !members.is_full {
        // A member whose size stands behind it, and everything else that is no member, ends the reading.
        let Ok(Some(mut file)) = read_zipfile_from_stream(&mut rest) else {
            break;
        };
        let shown = label::shown(&streamed_name(&file));
        if file.is_file() && !label::is_left_behind(&shown) {
            members.take(&shown, &mut file);
        }
    }
    if members.read == 0 {
        return Err(failure);
    }
    let mut document = members.finish(0)?;
    document.warnings.insert(
        0,
        Warning::new(
            WarningKind::Lost,
            "the archive is cut off or damaged: only its first members were read",
        ),
    );
    Ok(document)
}
