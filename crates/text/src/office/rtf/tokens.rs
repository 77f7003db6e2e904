//! The tokens of rich text (RTF 1.9.1): braces, control words with their numbers, and bytes of text.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    /// `\word`, with its number if it has one. A backslash at the end of a line is `\par`.
    Word(&'a str, Option<i32>),
    /// `\~`, `\*` and the like: a backslash before a byte that is no letter.
    Symbol(u8),
    /// `\'hh`
    Hex(u8),
    /// Text without braces, backslashes and line ends.
    Bytes(&'a [u8]),
}

/// Cuts a file into its tokens. Data that follows `\bin` is passed over.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What has not been cut yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// How many of the next bytes are as wanted; passes over them.
    fn run(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|b| !wanted(*b)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn take_if(&mut self, wanted: u8) -> bool {
        let is_next = self.rest().first() == Some(&wanted);
        self.at += usize::from(is_next);
        is_next
    }

    /// What stands after a backslash.
    fn control(&mut self) -> Option<Token<'a>> {
        let letters = self.run(|b| b.is_ascii_alphabetic());
        if letters.is_empty() {
            return Some(match self.take()? {
                b'\'' => Token::Hex(self.hex()?),
                b'\r' => {
                    self.take_if(b'\n');
                    Token::Word("par", None)
                }
                b'\n' => Token::Word("par", None),
                symbol => Token::Symbol(symbol),
            });
        }
        let is_negative = self.take_if(b'-');
        let digits = self.run(|b| b.is_ascii_digit());
        let size = digits.iter().fold(0_i32, |n, digit| {
            n.saturating_mul(10).saturating_add(i32::from(digit - b'0'))
        });
        let number = (!digits.is_empty()).then_some(if is_negative { -size } else { size });
        self.take_if(b' ');
        // Letters are ASCII here.
        let word = std::str::from_utf8(letters).unwrap_or_default();
        if word == "bin" {
            let length = number.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            self.at = self.at.saturating_add(length).min(self.bytes.len());
        }
        Some(Token::Word(word, number))
    }

    /// Two hexadecimal digits, or as many as there are.
    fn hex(&mut self) -> Option<u8> {
        let mut value = 0;
        for _ in 0..2 {
            let digit = self.rest().first().and_then(|b| (*b as char).to_digit(16));
            let Some(digit) = digit else { break };
            self.at += 1;
            value = value << 4 | digit as u8;
        }
        (self.at < self.bytes.len() || value > 0).then_some(value)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.run(|b| matches!(b, b'\r' | b'\n' | 0));
        let rest = self.rest();
        match rest.first()? {
            b'{' => {
                self.at += 1;
                Some(Token::Open)
            }
            b'}' => {
                self.at += 1;
                Some(Token::Close)
            }
            b'\\' => {
                self.at += 1;
                self.control()
            }
            _ => {
                let is_text = |b| !matches!(b, b'{' | b'}' | b'\\' | b'\r' | b'\n' | 0);
                Some(Token::Bytes(self.run(is_text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &[u8]) -> Vec<Token<'_>> {
        Tokens::new(text).collect()
    }

    #[test]
    fn a_space_after_a_word_belongs_to_it_and_line_ends_mean_nothing() {
        let tokens = [
            Token::Open,
            Token::Word("b", None),
            Token::Bytes(b" x"),
            Token::Word("u", Some(-4000)),
            Token::Bytes(b"?"),
            Token::Symbol(b'~'),
            Token::Hex(0xB5),
            Token::Word("par", None),
            Token::Close,
        ];
        assert_eq!(cut(b"{\\b  x\r\n\\u-4000?\\~\\'b5\\\r\n}"), tokens);
    }

    #[test]
    fn data_is_passed_over_by_its_length() {
        let tokens = [Token::Word("bin", Some(4)), Token::Bytes(b"on")];
        assert_eq!(cut(b"\\bin4 {{\\}on"), tokens);
        assert_eq!(
            cut(b"\\bin99999999999 {{"),
            [Token::Word("bin", Some(i32::MAX))]
        );
    }

    #[test]
    fn what_breaks_off_ends() {
        for text in [&b"\\"[..], b"\\'", b"\\'4", b"\\u-", b"{\\b-"] {
            assert!(cut(text).len() < 3);
        }
    }
}
