//! Logs: lines that stand for themselves, cut at their ends and nowhere else.

use rag_core::Document;

use crate::{code, lines::lines};

/// So many lines from the start tell whether a text is a log, at least so many are needed.
const SAMPLE: usize = 200;
const LEAST: usize = 8;

/// The document of a decoded log.
pub(super) fn read(text: String) -> Document {
    code::document(text, None, "text/plain")
}

/// Whether most lines of a text begin with a time, as programs write them.
pub(super) fn is_log(text: &str) -> bool {
    let sample = lines(text).filter(|line| !line.is_blank()).take(SAMPLE);
    let (mut all, mut stamped) = (0, 0);
    for line in sample {
        all += 1;
        stamped += usize::from(is_stamped(line.text));
    }
    all >= LEAST && stamped * 10 >= all * 7
}

/// `2026-11-21 10:00:00`, `[21/Nov/2026:10:00:00`, `Nov 21 10:00:00`, `10:00:00.123`
fn is_stamped(line: &str) -> bool {
    let end = line.floor_char_boundary(60);
    let start = &line.as_bytes()[..end];
    // Two colons with two digits around each: a clock.
    start.windows(8).any(|w| {
        let digit = |at: usize| w[at].is_ascii_digit();
        w[2] == b':' && w[5] == b':' && [0, 1, 3, 4, 6, 7].into_iter().all(digit)
    })
}

#[cfg(test)]
mod tests {
    use rag_core::BlockKind;

    use super::*;

    #[test]
    fn a_log_is_told_by_the_clock_in_its_lines() {
        let text = "2026-11-21T10:00:00Z INFO gate opened\n".repeat(10);
        assert!(is_log(&text));
        assert!(!is_log("2025-02-04  Main engine.\n            Test run.\n"));
        assert!(!is_log(&"At 10:00 the gate opened.\n".repeat(10)));
        assert_eq!(read(text).blocks[0].kind, BlockKind::Code);
    }
}
