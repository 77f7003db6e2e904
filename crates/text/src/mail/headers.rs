//! Header lines of a message: which text starts with them, and what they say once decoded (RFC 5322,
//! RFC 2047).

use encoding_rs::Encoding;
use mail_parser::decoders::{
    base64::base64_decode, charsets::map::charset_decoder,
    quoted_printable::quoted_printable_decode,
};

use crate::decode::decode;

/// So many lines are looked at.
const SAMPLE: usize = 60;

/// Headers that programs write and people don't.
const TELLING: [&str; 9] = [
    "received",
    "return-path",
    "message-id",
    "mime-version",
    "delivered-to",
    "dkim-signature",
    "x-mailer",
    "x-received",
    "content-transfer-encoding",
];

/// Headers that people read; a memo has them too.
const USUAL: [&str; 8] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "content-type",
    "reply-to",
    "sender",
];

/// Whether a text starts with the headers of a message.
pub(super) fn starts_a_message(text: &[u8]) -> bool {
    let (mut telling, mut usual) = (0, 0);
    let mut has_address = false;
    let mut has_subject = false;
    for (name, value) in headers(text) {
        let name = name.to_ascii_lowercase();
        telling += usize::from(TELLING.contains(&&*name));
        usual += usize::from(USUAL.contains(&&*name));
        has_address |= name == "from" && value.contains(&b'@');
        has_subject |= name == "subject";
    }
    telling >= 1 && telling + usual >= 3 || has_address && has_subject && usual >= 3
}

/// The header lines that a text starts with, one after the other from its very first line.
pub(super) fn headers(text: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let lines = text.split(|b| *b == b'\n').take(SAMPLE);
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines
        .map_while(|line| match line {
            [] => None,
            // A line that goes on.
            [b' ' | b'\t', ..] => Some(None),
            line => header(line).map(Some),
        })
        .flatten()
}

fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    const LONGEST: usize = 60;
    let colon = line.iter().take(LONGEST).position(|b| *b == b':')?;
    let name = line[..colon].trim_ascii_end();
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if name.is_empty() || !name.iter().all(is_name) {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, &line[colon + 1..]))
}

/// The value of the first header `name` of a message, unfolded and decoded. `told` is the encoding of
/// the message's text, in which careless programs write its headers.
pub(super) fn value(message: &[u8], name: &str, told: Option<&'static Encoding>) -> Option<String> {
    let mut value: Option<Vec<u8>> = None;
    for line in message.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let goes_on = matches!(line, [b' ' | b'\t', ..]);
        match &mut value {
            Some(value) if goes_on => value.extend_from_slice(line),
            Some(_) => break,
            None if line.is_empty() => break,
            None if goes_on => {}
            None => {
                let this = header(line).filter(|(this, _)| this.eq_ignore_ascii_case(name));
                value = this.map(|(_, value)| value.to_vec());
            }
        }
    }
    let text = decode(&value?, told).text;
    let words = decoded(&text);
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}

/// Text with its encoded words (`=?gb2312?B?…?=`) decoded. Those that follow each other in one charset
/// are decoded together: programs cut them within a character.
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<(&str, Vec<u8>)> = None;
    let mut rest = text;
    while let Some(at) = rest.find("=?") {
        let Some((word, behind)) = encoded_word(&rest[at..]) else {
            close(&mut open, &mut out);
            out.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            continue;
        };
        let between = &rest[..at];
        let is_next = open.is_some() && between.trim().is_empty();
        match &mut open {
            Some((charset, bytes)) if is_next && charset.eq_ignore_ascii_case(word.0) => {
                bytes.extend_from_slice(&word.1);
            }
            _ => {
                close(&mut open, &mut out);
                if !is_next {
                    out.push_str(between);
                }
                open = Some(word);
            }
        }
        rest = behind;
    }
    close(&mut open, &mut out);
    out.push_str(rest);
    out
}

fn close(open: &mut Option<(&str, Vec<u8>)>, out: &mut String) {
    if let Some((charset, bytes)) = open.take() {
        out.push_str(&by_charset(charset, &bytes));
    }
}

/// The charset and the bytes of the encoded word at the start of `text`, and what stands behind it.
fn encoded_word(text: &str) -> Option<((&str, Vec<u8>), &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (method, rest) = rest.split_once('?')?;
    let (word, behind) = rest.split_once("?=")?;
    if charset.len() > 40 || charset.contains(char::is_whitespace) {
        return None;
    }
    // RFC 2231 lets a language follow.
    let charset = charset.split('*').next().unwrap_or(charset);
    let bytes = match method {
        "B" | "b" => base64_decode(word.as_bytes())?,
        "Q" | "q" => quoted_printable_decode(word.replace('_', "=20").as_bytes())?,
        _ => return None,
    };
    Some(((charset, bytes), behind))
}

/// Text in a charset by its name in mail; in none that is known, what the bytes look like.
fn by_charset(charset: &str, bytes: &[u8]) -> String {
    let Some(encoding) = Encoding::for_label(charset.as_bytes()) else {
        let decoder = charset_decoder(charset.as_bytes());
        return decoder.map_or_else(|| decode(bytes, None).text, |decoder| decoder(bytes));
    };
    match encoding.decode_without_bom_handling(bytes) {
        (text, false) => text.into_owned(),
        // The charset is a lie: the bytes are what they look like.
        (_, true) => decode(bytes, Some(encoding)).text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_by_their_headers_and_memos_are_not_messages() {
        let is = |text: &str| starts_a_message(text.as_bytes());
        assert!(is(
            "Received: from a\r\n by b\r\nFrom: x@a.example\r\nSubject: s\r\n\r\nbody"
        ));
        assert!(is(
            "From: Ada <ada@a.example>\nTo: b@b.example\nSubject: Oil\n\nText"
        ));
        assert!(is(
            "MIME-Version: 1.0\nContent-Type: text/plain\nSubject: x\n\nhi"
        ));
        assert!(!is(
            "From: the keeper\nTo: the council\nSubject: Oil\nDate: May\n\nText"
        ));
        assert!(!is("Subject: a poem\n\nFrom: x@y.example\n"));
        assert!(!is("# Note\nFrom: a@b.example\nSubject: x\nDate: y\n"));
        assert!(!is("Content-Type: text/html\nDate: x\nServer: y\n\n"));
        assert!(!is(""));
    }

    #[test]
    fn encoded_words_are_decoded_even_when_cut_within_a_character() {
        assert_eq!(
            decoded("=?UTF-8?Q?Sk=C3=A4r?= =?utf-8?q?gard_x?= y"),
            "Skärgard x y"
        );
        assert_eq!(
            decoded("=?gb2312?B?tcbL?=\t=?GB2312?B?/g==?= <a@b>"),
            "灯塔 <a@b>"
        );
        assert_eq!(decoded("=?ISO-2022-JP?B?GyRCRXRCZhsoQg==?="), "灯台");
        assert_eq!(decoded("=?big5?B?v+m26g==?="), "燈塔");
        assert_eq!(decoded("a =? b ?= c =?x"), "a =? b ?= c =?x");
    }

    #[test]
    fn a_folded_header_is_one_value() {
        let message = b"X: 1\r\nSubject: =?utf-8?Q?The_l?=\r\n =?utf-8?Q?amp?=\r\n\tand oil\r\n\r\nSubject: no";
        assert_eq!(
            value(message, "subject", None).as_deref(),
            Some("The lamp and oil")
        );
        assert_eq!(value(message, "to", None), None);
    }
}
