//! Files whose content is in a cloud and not on this machine: reading one would fetch it.

use std::fs::Metadata;

/// Whether reading the file would fetch it from elsewhere.
#[cfg(target_os = "macos")]
pub(crate) fn is_one(meta: &Metadata) -> bool {
    use std::os::macos::fs::MetadataExt;
    is_dataless(meta.st_flags())
}

#[cfg(windows)]
pub(crate) fn is_one(meta: &Metadata) -> bool {
    use std::os::windows::fs::MetadataExt;
    is_recalled(meta.file_attributes())
}

#[cfg(not(any(target_os = "macos", windows)))]
pub(crate) fn is_one(_: &Metadata) -> bool {
    false // a cloud is a network share here, which has no sign of it
}

/// `SF_DATALESS` of `sys/stat.h`: iCloud and all others of the File Provider.
#[cfg(any(target_os = "macos", test))]
fn is_dataless(flags: u32) -> bool {
    flags & 0x4000_0000 != 0
}

/// `FILE_ATTRIBUTE_OFFLINE`, `…_RECALL_ON_OPEN` and `…_RECALL_ON_DATA_ACCESS` of `winnt.h`.
#[cfg(any(windows, test))]
fn is_recalled(attributes: u32) -> bool {
    attributes & (0x1000 | 0x0004_0000 | 0x0040_0000) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_placeholders_are_known_and_ordinary_ones_are_not() {
        assert!(is_dataless(0x4000_0020));
        assert!(!is_dataless(0x0000_8020)); // hidden, compressed
        assert!(is_recalled(0x0040_0020) && is_recalled(0x0000_1000));
        assert!(!is_recalled(0x0000_0020)); // an ordinary file
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_one(&dir.path().metadata().unwrap()));
    }
}
