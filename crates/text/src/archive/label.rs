//! Names of members: decoded, made harmless, and which of them nobody wrote.
//!
//! A name is only ever shown; nothing is written under it.

use encoding_rs::Encoding;

use crate::decode::decode;

/// Longest name that is kept, in characters.
const MAX_LENGTH: usize = 300;

/// The encoding of those names that are not UTF-8, told from all of them together. Zip programs on
/// Chinese and Japanese systems write names in the system's encoding and say nothing of it.
pub(super) fn encoding_of<'a>(names: impl Iterator<Item = &'a [u8]>) -> Option<&'static Encoding> {
    const ENOUGH: usize = 16 * 1024;
    let mut joined = Vec::new();
    for name in names.filter(|name| std::str::from_utf8(name).is_err()) {
        joined.extend_from_slice(name);
        joined.push(b'\n');
        if joined.len() > ENOUGH {
            break;
        }
    }
    if joined.is_empty() || stands_alone(&joined) {
        return None;
    }
    let told = Encoding::for_label(decode(&joined, None).encoding.as_bytes())?;
    // Single-byte names are those of DOS, which the web's encodings leave out.
    (!told.is_single_byte()).then_some(told)
}

/// Whether most bytes beyond ASCII stand between letters of ASCII, as accented letters do.
fn stands_alone(names: &[u8]) -> bool {
    let (mut all, mut alone) = (0, 0);
    for at in (0..names.len()).filter(|at| !names[*at].is_ascii()) {
        let is_high = |at: Option<usize>| {
            at.and_then(|at| names.get(at))
                .is_some_and(|b| !b.is_ascii())
        };
        all += 1;
        alone += usize::from(!is_high(at.checked_sub(1)) && !is_high(Some(at + 1)));
    }
    alone * 2 > all
}

/// A path that can be shown: without a root, drive, `..` or characters that do something.
pub(super) fn shown(path: &str) -> String {
    let does_nothing = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
    };
    let path: String = path
        .chars()
        .filter(does_nothing)
        .take(MAX_LENGTH)
        .map(|c| if c == '\\' { '/' } else { c })
        .collect();
    let is_name = |part: &&str| !matches!(*part, "" | "." | "..") && !is_drive(part);
    let parts: Vec<&str> = path.split('/').filter(is_name).collect();
    if parts.is_empty() {
        return "unnamed".to_owned();
    }
    parts.join("/")
}

fn is_drive(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
}

/// Whether a member is what systems and programs leave behind: hidden files, as in any folder, and
/// their like.
pub(super) fn is_left_behind(shown: &str) -> bool {
    shown.split('/').any(|part| {
        part.starts_with('.') || matches!(part, "__MACOSX" | "Thumbs.db" | "desktop.ini")
    })
}

#[cfg(test)]
mod tests {
    use encoding_rs::{GBK, SHIFT_JIS};

    use super::*;

    #[test]
    fn names_lead_nowhere() {
        assert_eq!(shown("../../etc/passwd"), "etc/passwd");
        assert_eq!(shown("C:\\docs\\a.txt"), "docs/a.txt");
        assert_eq!(shown("/abs/./b.md"), "abs/b.md");
        assert_eq!(shown("a\u{202E}gpj\n.txt"), "agpj.txt");
        assert_eq!(shown("../"), "unnamed");
        assert!(shown(&"x/".repeat(10_000)).len() <= MAX_LENGTH);
    }

    #[test]
    fn what_systems_leave_behind_is_known() {
        for name in ["__MACOSX/a.txt", "docs/.DS_Store", ".git/HEAD", "._a.txt"] {
            assert!(is_left_behind(name), "{name}");
        }
        assert!(!is_left_behind("docs/a.b.txt"));
    }

    #[test]
    fn the_encoding_of_names_is_told_from_all_of_them() {
        let told = |names: &[&[u8]]| encoding_of(names.iter().copied());
        let (chinese, _, _) = GBK.encode("灯塔日志.txt");
        assert_eq!(
            told(&[b"plain.txt", &chinese]).map(Encoding::name),
            Some("gb18030")
        );
        let (japanese, _, _) = SHIFT_JIS.encode("灯台のきろく.txt");
        assert_eq!(told(&[&japanese]), Some(SHIFT_JIS));
        assert_eq!(told(&[b"Pr\x81fung.txt", b"Caf\x82.txt"]), None);
        assert_eq!(told(&["灯塔.txt".as_bytes()]), None);
    }
}
