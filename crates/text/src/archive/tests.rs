//! Archives made in memory, ordinary and hostile ones.

use std::io::{Cursor, Write as _};

use rag_core::{Code, WarningKind};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::Reader;

fn zipped<N: AsRef<str>, B: AsRef<[u8]>>(members: &[(N, B)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = SimpleFileOptions::default();
        writer.start_file(name.as_ref(), options).unwrap();
        writer.write_all(bytes.as_ref()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_locked_archive_opens_with_its_password() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/formats/archive"
    );
    let bytes = std::fs::read(format!("{folder}/locked.zip")).unwrap();
    let open = |passwords: &[&str]| {
        let passwords = passwords.iter().map(|p| (*p).to_owned()).collect();
        Reader::new()
            .with_passwords(passwords)
            .read("locked.zip", &bytes)
    };
    assert_eq!(open(&["gull", "auk"]).unwrap_err().code, Code::Encrypted);
    let document = open(&["gull", "tern"]).unwrap();
    assert_eq!(
        document.text,
        "The key of the gate hangs behind the barometer.\n"
    );
}

#[test]
fn packages_of_programs_are_no_archives() {
    let bytes = zipped(&[("notes.txt", "The gate sticks.")]);
    let read = |name: &str| Reader::new().read(name, &bytes);
    assert_eq!(read("a.zip").unwrap().parts[0].name, "notes.txt");
    for name in ["a.whl", "a.apk", "a.xpi"] {
        assert_eq!(read(name).unwrap_err().code, Code::Unsupported, "{name}");
    }
}

#[test]
fn what_is_not_read_is_counted_and_what_lies_too_deep_is_named() {
    let picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let mut members: Vec<(String, Vec<u8>)> = (0..9)
        .map(|n| (format!("{n}.png"), picture.to_vec()))
        .collect();
    members.push(("a.txt".to_owned(), b"Alpha.".to_vec()));
    let document = Reader::new().read("a.zip", &zipped(&members)).unwrap();
    assert_eq!(document.warnings.len(), 1);
    assert_eq!(document.warnings[0].kind, WarningKind::Guessed);
    assert_eq!(
        document.warnings[0].fact,
        "9 members of kinds that are not read"
    );
    let mut nested = zipped(&[("deep.txt", "Deep.")]);
    for _ in 0..6 {
        nested = zipped(&[("a.txt", b"Alpha.".to_vec()), ("in.zip", nested)]);
    }
    let document = Reader::new().read("a.zip", &nested).unwrap();
    assert!(!document.text.contains("Deep"));
    assert!(
        document
            .warnings
            .iter()
            .any(|w| w.fact.contains("more than 3 archives"))
    );
}

#[test]
fn a_damaged_member_costs_nothing_but_its_end() {
    let text = "The keeper counted 101 storms in the winter of 1931.\n".repeat(400);
    let mut bytes = zipped(&[("a.txt", text.as_str()), ("b.txt", "Beta.")]);
    // The last bytes of the first member's data.
    let behind = bytes.windows(4).rposition(|w| w == b"PK\x03\x04").unwrap();
    for b in &mut bytes[behind - 12..behind] {
        *b ^= 0x5A;
    }
    let document = Reader::new().read("a.zip", &bytes).unwrap();
    assert!(document.text.contains("Beta."));
    assert!(document.is_partial());
    let noise = Reader::new().read("a.zip", b"PK\x03\x04 and nothing more");
    assert_eq!(noise.unwrap_err().code, Code::Malformed);
}
