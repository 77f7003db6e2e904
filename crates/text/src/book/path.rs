//! Places of files within a book: references are relative to the file that holds them.

use crate::member::joined;

/// What `reference` in the file `base` refers to, without its fragment.
pub(super) fn resolved(base: &str, reference: &str) -> String {
    let reference = reference.split(['#', '?']).next().unwrap_or_default();
    let reference = decoded(reference);
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    joined(folder, &reference)
}

/// `%20` and the like as their characters.
fn decoded(reference: &str) -> String {
    let bytes = reference.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| *b == b'%');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(code.unwrap_or(*b));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| reference.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_relative_to_their_file() {
        assert_eq!(
            resolved("OEBPS/a.opf", "text/c1.xhtml#p3"),
            "OEBPS/text/c1.xhtml"
        );
        assert_eq!(
            resolved("OEBPS/toc/nav.xhtml", "../c%201.xhtml"),
            "OEBPS/c 1.xhtml"
        );
        assert_eq!(resolved("a.opf", "../../%E7%81%AF.html"), "灯.html");
        assert_eq!(resolved("x/a.opf", "/b%2.html"), "b%2.html");
    }
}
