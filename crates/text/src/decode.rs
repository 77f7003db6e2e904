//! Bytes to text: byte order mark, strict UTF-8, what the file declares, a guess; every doubt said.
//!
//! The text is the file's own, except that CRLF and a lone CR become LF (so the number of every line
//! stays) and NUL characters are left out.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use rag_core::{Warning, WarningKind};

/// A text and what had to be guessed or was lost.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    /// Its name in lower case, as people know it.
    pub(crate) encoding: String,
    pub(crate) warnings: Vec<Warning>,
}

/// Decodes `bytes`; `declared` is what the file itself says of its encoding, which is believed only
/// where the bytes are neither marked nor valid UTF-8 and fit it.
pub(crate) fn decode(bytes: &[u8], declared: Option<&'static Encoding>) -> Decoded {
    let mut warnings = Vec::new();
    let fits = |encoding: &&'static Encoding| {
        encoding
            .decode_without_bom_handling_and_without_replacement(bytes)
            .is_some()
    };
    let (text, encoding) = if let Some(text) = utf32(bytes) {
        (text, "utf-32".to_owned())
    } else {
        let mut mark = 0;
        let encoding = if let Some((encoding, length)) = Encoding::for_bom(bytes) {
            mark = length;
            encoding
        } else if let Some(encoding) = unmarked_utf16(bytes) {
            warnings.push(guessed(encoding));
            encoding
        } else if std::str::from_utf8(bytes).is_ok() || is_damaged_utf8(bytes) {
            UTF_8
        } else if let Some(encoding) = declared.filter(fits) {
            encoding
        } else {
            let encoding = guess(bytes);
            warnings.push(guessed(encoding));
            encoding
        };
        (
            by(encoding, &bytes[mark..], &mut warnings),
            name_of(encoding),
        )
    };
    Decoded {
        text: tidy(text, &mut warnings),
        encoding,
        warnings,
    }
}

/// In lower case. GBK text is read by the decoder of its superset, whose name people know from files.
fn name_of(encoding: &'static Encoding) -> String {
    match encoding.name() {
        "GBK" => "gb18030".to_owned(),
        other => other.to_lowercase(),
    }
}

/// The encoding that an HTML page declares in its first 4 KiB, in a `meta` element or an XML
/// declaration. UTF-16 there means UTF-8: the declaration itself could be read (WHATWG HTML, 13.2.3.2).
pub(crate) fn declared_by_html(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(4096)].to_ascii_lowercase();
    let from = |at: usize, key: &[u8]| label_after(&head[at..], key);
    let xml = head.starts_with(b"<?xml").then(|| from(0, b"encoding"));
    let meta = find(&head, b"<meta").map(|at| from(at, b"charset"));
    let label = xml.flatten().or(meta.flatten())?;
    let encoding = Encoding::for_label(&label)?;
    Some(if encoding == UTF_16LE || encoding == UTF_16BE {
        UTF_8
    } else {
        encoding
    })
}

/// UTF-16 without a mark: in mostly Latin text every second byte is NUL.
pub(crate) fn unmarked_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096)];
    let pairs = head.len() / 2;
    if pairs < 2 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let nuls = |offset: usize| {
        head.iter()
            .skip(offset)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let (even, odd) = (nuls(0), nuls(1));
    if odd * 3 > pairs && even * 20 < pairs {
        Some(UTF_16LE)
    } else if even * 3 > pairs && odd * 20 < pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

fn by(encoding: &'static Encoding, bytes: &[u8], warnings: &mut Vec<Warning>) -> String {
    let (text, damaged) = encoding.decode_without_bom_handling(bytes);
    if damaged {
        let count = text.matches('\u{FFFD}').count();
        let name = name_of(encoding);
        let fact = format!("{count} byte sequences are not valid {name}");
        warnings.push(Warning::new(WarningKind::Lost, fact));
    }
    text.into_owned()
}

fn guessed(encoding: &'static Encoding) -> Warning {
    Warning::new(
        WarningKind::Guessed,
        format!("read as {}", name_of(encoding)),
    )
}

/// The likeliest encoding by the statistics of `chardetng`.
fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether `bytes` are UTF-8 with some damage rather than another encoding: valid sequences of more
/// than one byte far outnumber broken ones, or the only fault is that the last one is cut.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut valid, mut broken) = (0_usize, 0_usize);
    let mut cut_at_end = false;
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        let invalid = chunk.invalid();
        broken += usize::from(!invalid.is_empty());
        // Only a sequence that runs into the end of the file is an incomplete one of two bytes or more.
        cut_at_end = invalid.len() > 1;
    }
    broken * 4 <= valid || (broken == 1 && cut_at_end)
}

/// UTF-32 with a byte order mark, which the web's encodings leave out.
fn utf32(bytes: &[u8]) -> Option<String> {
    let (rest, read): (_, fn([u8; 4]) -> u32) = match bytes {
        [0xFF, 0xFE, 0, 0, rest @ ..] => (rest, u32::from_le_bytes),
        [0, 0, 0xFE, 0xFF, rest @ ..] => (rest, u32::from_be_bytes),
        _ => return None,
    };
    if rest.len() % 4 != 0 {
        return None;
    }
    let unit = |unit: &[u8]| {
        let code = read([unit[0], unit[1], unit[2], unit[3]]);
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    Some(rest.chunks_exact(4).map(unit).collect())
}

/// One line end, no NUL characters.
fn tidy(text: String, warnings: &mut Vec<Warning>) -> String {
    let nuls = text.bytes().filter(|b| *b == 0).count();
    if nuls > 0 {
        let fact = format!("left out {nuls} NUL characters");
        warnings.push(Warning::new(WarningKind::Guessed, fact));
    } else if !text.contains('\r') {
        return text;
    }
    let mut tidied = String::with_capacity(text.len());
    let mut after_return = false;
    for c in text.chars() {
        match c {
            '\r' => tidied.push('\n'),
            '\n' if after_return => {}
            '\0' => {}
            other => tidied.push(other),
        }
        after_return = c == '\r';
    }
    tidied
}

fn label_after(head: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let rest = head[find(head, key)? + key.len()..].trim_ascii_start();
    let rest = rest.strip_prefix(b"=")?.trim_ascii_start();
    let rest = rest
        .strip_prefix(b"\"")
        .or(rest.strip_prefix(b"'"))
        .unwrap_or(rest);
    let is_label = |b: &&u8| b.is_ascii_alphanumeric() || b"-_:.".contains(*b);
    Some(rest.iter().take_while(is_label).copied().collect())
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINESE: &str =
        "青岚水库的管理员在一九三一年冬天记录了一百零五次暴雨，并写进了年度报告。";

    fn facts(decoded: &Decoded) -> Vec<&str> {
        decoded.warnings.iter().map(|w| w.fact.as_str()).collect()
    }

    #[test]
    fn marked_and_valid_texts_are_read_without_a_word() {
        let marked: [&[u8]; 4] = [
            b"\xEF\xBB\xBFa\xE4\xB8\xAD",
            b"\xFF\xFEa\0\x2D\x4E",
            b"\xFE\xFF\0a\x4E\x2D",
            b"\xFF\xFE\0\0a\0\0\0\x2D\x4E\0\0",
        ];
        for bytes in marked {
            let decoded = decode(bytes, None);
            assert_eq!(decoded.text, "a中", "{bytes:?}");
            assert!(decoded.warnings.is_empty());
        }
        assert_eq!(decode("a中".as_bytes(), None).text, "a中");
    }

    #[test]
    fn a_guessed_encoding_is_named() {
        let (gb, _, _) = encoding_rs::GB18030.encode(CHINESE);
        let decoded = decode(&gb, None);
        assert_eq!(decoded.text, CHINESE);
        assert_eq!(facts(&decoded), ["read as gb18030"]);
        assert_eq!(decoded.warnings[0].kind, WarningKind::Guessed);

        let traditional =
            "青嵐水庫的管理員在一九三一年冬天記錄了一百三十一次暴雨，並寫進了年度報告。";
        let (big5, _, _) = encoding_rs::BIG5.encode(traditional);
        let decoded = decode(&big5, None);
        assert_eq!(decoded.text, traditional);
        assert_eq!(facts(&decoded), ["read as big5"]);
    }

    #[test]
    fn damaged_utf8_is_not_taken_for_another_encoding() {
        let mut bytes = CHINESE.as_bytes().to_vec();
        bytes.insert(30, 0xFF);
        let decoded = decode(&bytes, None);
        assert!(decoded.text.contains("九三一年冬天记录"));
        assert_eq!(facts(&decoded), ["1 byte sequences are not valid utf-8"]);
        assert_eq!(decoded.warnings[0].kind, WarningKind::Lost);

        let cut = decode(&"a line, then 中".as_bytes()[..15], None);
        assert_eq!(cut.text, "a line, then \u{FFFD}");
        assert_eq!(cut.warnings[0].kind, WarningKind::Lost);
    }

    #[test]
    fn a_declared_encoding_counts_where_it_fits() {
        let (gb, _, _) = encoding_rs::GBK.encode("短文");
        let page = [b"<meta charset=\"GB2312\">", &gb[..]].concat();
        let declared = declared_by_html(&page);
        assert_eq!(declared.map(Encoding::name), Some("GBK"));
        let decoded = decode(&page, declared);
        assert!(decoded.text.ends_with("短文"));
        assert!(decoded.warnings.is_empty());
        // A page that says GBK and is UTF-8 is UTF-8.
        assert_eq!(decode("中文".as_bytes(), declared).text, "中文");
        let http = b"<META http-equiv=Content-Type content='text/html; charset=big5'>";
        assert_eq!(declared_by_html(http).map(Encoding::name), Some("Big5"));
    }

    #[test]
    fn line_ends_become_one_and_lines_keep_their_number() {
        assert_eq!(decode(b"a\r\nb\rc\n\r\nd", None).text, "a\nb\nc\n\nd");
    }

    #[test]
    fn utf16_without_a_mark_is_seen_by_its_nul_bytes() {
        let bytes: Vec<u8> = "The lighthouse keeper."
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let decoded = decode(&bytes, None);
        assert_eq!(decoded.text, "The lighthouse keeper.");
        assert_eq!(facts(&decoded), ["read as utf-16le"]);
    }
}
