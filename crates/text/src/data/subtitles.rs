//! Subtitles (`SubRip`, `WebVTT`): what is said, as paragraphs, each in a part that is named by the time at
//! which it begins.
//!
//! Numbers and time stamps of the cues are left out of the text: they are two thirds of the file, and a
//! sentence runs over several cues.

use rag_core::{BlockKind, Document};

use crate::{
    flow::Flow,
    language,
    lines::{Line, Lines, lines},
    markup,
};

/// A paragraph ends with a sentence once it has so many bytes, with a cue once it has twice as many.
const PARAGRAPH: usize = 450;

/// A silence of so many seconds ends a paragraph that is not very short.
const SILENCE: u64 = 4;
const SHORT_PARAGRAPH: usize = 150;

/// Whether a text says at its start that it is `WebVTT`.
pub(super) fn is_webvtt(text: &[u8]) -> bool {
    text.strip_prefix(b"WEBVTT")
        .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
}

/// The document of decoded subtitles; of a text without any, what it is as a plain text.
pub(super) fn read(text: String) -> Document {
    let document = told(&text);
    if document.blocks.is_empty() {
        return markup::plain::read(text);
    }
    document
}

fn told(text: &str) -> Document {
    let mut telling = Telling::default();
    let mut language = None;
    let mut lines = lines(text);
    while let Some(line) = lines.next() {
        let words = line.words();
        if let Some(declared) = words.strip_prefix("Language:") {
            language = language.or_else(|| language::normal_tag(declared));
        } else if let Some((begins, ends)) = times(words) {
            telling.cue(begins, ends, &mut lines);
        } else if ["NOTE", "STYLE", "REGION"]
            .iter()
            .any(|mark| words.starts_with(mark))
        {
            lines.find(|line| line.is_blank());
        }
    }
    Document {
        language,
        ..telling.flow.finish()
    }
}

#[derive(Default)]
struct Telling {
    flow: Flow,
    /// Bytes of the paragraph so far, and whether a sentence ends there.
    length: usize,
    at_end: bool,
    /// When the last cue ended, in seconds.
    ended: u64,
    /// The line said last: live captions show it again below the next one.
    said: String,
    speaker: String,
}

impl Telling {
    fn cue(&mut self, begins: u64, ends: u64, lines: &mut Lines<'_>) {
        let is_silence = begins >= self.ended + SILENCE && self.length >= SHORT_PARAGRAPH;
        let is_full = self.length >= PARAGRAPH && self.at_end || self.length >= PARAGRAPH * 2;
        if is_silence || is_full {
            self.length = 0;
            self.flow.close();
        }
        self.ended = ends.max(begins);
        // A cue ends at a blank line, or where one was forgotten at the next cue.
        while let Some(line) = lines.peek().filter(|line| !line.is_blank()) {
            let mut ahead = lines.clone();
            ahead.next();
            let is_number = line.words().bytes().all(|b| b.is_ascii_digit());
            let is_next = |line: Line<'_>| times(line.words()).is_some();
            if is_next(line) || is_number && ahead.peek().is_some_and(is_next) {
                return;
            }
            *lines = ahead;
            self.line(line.words(), begins);
        }
    }

    fn line(&mut self, line: &str, begins: u64) {
        let (speaker, words) = spoken(line);
        if words.is_empty() || words == self.said {
            return;
        }
        if self.length == 0 {
            let (hours, minutes, seconds) = (begins / 3600, begins / 60 % 60, begins % 60);
            self.flow
                .part(&format!("{hours:02}:{minutes:02}:{seconds:02}"));
            self.flow.begin(BlockKind::Paragraph);
        }
        let is_turn = words.starts_with("- ") || words.starts_with("– ") || words.starts_with('-');
        if is_turn || !speaker.is_empty() && speaker != self.speaker {
            self.flow.separator('\n');
            self.flow.words(&speaker);
            self.flow.separator('\n');
        }
        if !speaker.is_empty() {
            self.speaker = speaker;
        }
        self.flow.words(" ");
        self.flow.words(&words);
        self.length += words.len() + 1;
        self.at_end = words.ends_with(['.', '!', '?', '…', '。', '！', '？', '"', '”', '」']);
        self.said = words;
    }
}

/// The times, in seconds, of `00:01:02,500 --> 00:01:04,000`; hours may be missing.
fn times(line: &str) -> Option<(u64, u64)> {
    let (begins, ends) = line.split_once("-->")?;
    let time = |text: &str| {
        let clock = text.split_whitespace().next()?.split([',', '.']).next()?;
        let mut seconds = 0_u64;
        for part in clock.split(':') {
            let number: u32 = part.parse().ok()?;
            seconds = seconds.checked_mul(60)?.checked_add(u64::from(number))?;
        }
        (clock.contains(':') && seconds < 1_000_000).then_some(seconds)
    };
    Some((time(begins)?, time(ends)?))
}

/// Who speaks (`<v Anna>`), and what is said: without tags, positions and entities.
fn spoken(line: &str) -> (String, String) {
    let mut speaker = String::new();
    let mut words = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{', '&']) {
        words.push_str(&rest[..at]);
        rest = &rest[at..];
        let (close, inner) = match rest.as_bytes()[0] {
            b'<' => ('>', &rest[1..]),
            b'{' if rest.starts_with("{\\") => ('}', &rest[1..]),
            b'&' => (';', &rest[1..]),
            _ => ('\0', ""),
        };
        let Some(end) = inner.find(close).filter(|end| *end <= 200) else {
            words.push_str(&rest[..1]);
            rest = &rest[1..];
            continue;
        };
        let tag = &inner[..end];
        rest = &inner[end + 1..];
        if close == ';' {
            match tag {
                "amp" => words.push('&'),
                "lt" => words.push('<'),
                "gt" => words.push('>'),
                "nbsp" => words.push(' '),
                "lrm" | "rlm" => {}
                other => words.extend(["&", other, ";"]),
            }
        } else if let Some(name) = tag.strip_prefix('v').and_then(|rest| rest.split_once(' ')) {
            name.1.trim().clone_into(&mut speaker);
        }
    }
    words.push_str(rest);
    (speaker, words.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(document: &Document) -> Vec<(&str, &str)> {
        assert_eq!(document.parts.len(), document.blocks.len());
        document
            .parts
            .iter()
            .map(|part| (part.name.as_str(), part.span.slice(&document.text)))
            .collect()
    }

    #[test]
    fn cues_become_paragraphs_at_their_time() {
        let text = "1\n00:00:01,000 --> 00:00:02,000\n<i>The keeper</i> counted\n\n2\n00:00:02,100 --> 00:00:04,000\n{\\an8}101 storms &amp; one.\n\n";
        let document = read(text.to_owned());
        assert_eq!(
            parts(&document),
            [("00:00:01", "The keeper counted 101 storms & one.")]
        );
        let cue = |n: u64| {
            let at = n * 3;
            format!(
                "{n}\n00:{:02}:{:02},000 --> 00:{:02}:{:02},900\n管理员记录了第{n}次暴雨，写进了年度报告。\n\n",
                at / 60,
                at % 60,
                at / 60,
                at % 60
            )
        };
        let long: String = (0..40).map(cue).collect();
        let document = read(long);
        let names: Vec<&str> = document.parts.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(
            names,
            ["00:00:00", "00:00:24", "00:00:48", "00:01:12", "00:01:36"]
        );
    }

    #[test]
    fn webvtt_has_notes_and_speakers() {
        let text = "WEBVTT\nLanguage: en\n\nNOTE not\nsaid\n\nSTYLE\n::cue {}\n\nid\n01:05.000 --> 01:07.000 align:start\n<v Anna>The gate is open.\n<v Ben>Since when?\n\n01:07.000 --> 01:09.000\n<v Ben>Since when?\n<v Ben>I closed it.\n";
        let document = read(text.to_owned());
        assert!(is_webvtt(text.as_bytes()));
        assert_eq!(document.language.as_deref(), Some("en"));
        assert_eq!(
            parts(&document),
            [(
                "00:01:05",
                "Anna\nThe gate is open.\nBen\nSince when? I closed it."
            )]
        );
    }

    #[test]
    fn a_blank_line_that_was_forgotten_and_damage_lose_nothing() {
        let text = "1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:02,000 --> 00:00:03,000\ntwo <b\n99:99 --> \n";
        assert_eq!(
            parts(&read(text.to_owned())),
            [("00:00:01", "one two <b 99:99 -->")]
        );
        assert_eq!(read("no cues at all\n".to_owned()).blocks.len(), 1);
    }
}
