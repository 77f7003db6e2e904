//! Text that stands in for a picture, where it says something.

/// Whether a text tells what is seen rather than naming it (`logo`, `image 3`, a formula).
pub(super) fn is_sentence(alt: &str) -> bool {
    const MIN_WORDS: usize = 5;
    const MIN_HAN: usize = 12;
    const LONG: usize = 60;
    if alt.contains(['\\', '{']) || alt.contains("://") {
        return false;
    }
    let han = alt.chars().filter(|c| matches!(c, '\u{3041}'..='\u{9FFF}'));
    let ends = alt
        .trim_end()
        .ends_with(['.', '!', '?', '…', '。', '！', '？']);
    let words = alt.split_whitespace().count();
    han.count() >= MIN_HAN || words >= MIN_WORDS && (ends || alt.chars().count() >= LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_is_a_sentence() {
        assert!(is_sentence("The lamp, seen from the gallery in 1931."));
        assert!(is_sentence("从回廊上看到的青屿灯塔和港口"));
        assert!(!is_sentence("Skerry Line logo"));
        assert!(!is_sentence("{\\displaystyle x is the sum of y and z.}"));
        assert!(!is_sentence("灯塔"));
    }
}
