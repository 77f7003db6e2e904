//! The characters of rich text on their way: bytes that are not decoded yet, characters that are given
//! by their numbers, and those to be passed over since a number stood for them. Where the text goes is
//! not known here.

use super::{charset::Charset, tables::Font};
use crate::office::symbols;

#[derive(Debug)]
pub(super) struct Characters {
    /// They may end in half a character.
    bytes: Vec<u8>,
    /// Whether one of them stood in the file as it is and is not ASCII.
    is_raw: bool,
    /// Characters that are still to be passed over, since one given by its number stood for them.
    to_skip: usize,
    /// The first half of a character that is given as two numbers.
    surrogate: Option<u16>,
    code_page: Charset,
}

/// What waiting bytes stand for.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// Whether all of the bytes stand for characters.
    pub(super) is_whole: bool,
}

impl Default for Characters {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            is_raw: false,
            to_skip: 0,
            surrogate: None,
            code_page: Charset::WESTERN,
        }
    }
}

impl Characters {
    /// One that is not known changes nothing.
    pub(super) fn set_code_page(&mut self, charset: Option<Charset>) {
        self.code_page = charset.unwrap_or(self.code_page);
    }

    /// Takes up bytes as they stand in the file.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let skipped = self.to_skip.min(bytes.len());
        self.to_skip -= skipped;
        let bytes = &bytes[skipped..];
        self.is_raw |= !bytes.is_ascii();
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes up one byte that the file spells out.
    pub(super) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Whether the next character is one that stands for another, which has been read.
    pub(super) fn skips(&mut self) -> bool {
        let skips = self.to_skip > 0;
        self.to_skip -= usize::from(skips);
        skips
    }

    /// Passes nothing over any more: what stood for a character does not reach further.
    pub(super) fn stop_skipping(&mut self) {
        self.to_skip = 0;
    }

    /// `\uN`: a character by its number, in 16 bits with a sign; so many that follow stand for it.
    pub(super) fn unicode(
        &mut self,
        number: i32,
        substitutes: usize,
        font: Option<&Font>,
    ) -> Option<char> {
        self.to_skip = substitutes;
        let number = if number < 0 {
            number + 0x1_0000
        } else {
            number
        };
        let code = u32::try_from(number).ok()?;
        if let 0xD800..=0xDBFF = code {
            self.surrogate = Some(code as u16);
            return None;
        }
        let high = self.surrogate.take();
        match (high, code) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let pair = [high, code as u16];
                char::decode_utf16(pair).next().and_then(Result::ok)
            }
            (_, 0xF000..=0xF0FF) => symbols::shown(font.map_or("", |font| &font.name), code),
            _ => char::from_u32(code).filter(|c| !c.is_control()),
        }
    }

    /// Makes characters of the bytes that wait, as the font says or, where it says nothing, the code
    /// page. Half of a character is kept unless `to_the_end`.
    pub(super) fn decode(&mut self, font: Option<&Font>, to_the_end: bool) -> Decoded {
        let charset = self.charset(font);
        let mut bytes = std::mem::take(&mut self.bytes);
        if !to_the_end && charset.breaks_off(&bytes) {
            self.bytes.extend(bytes.pop());
        }
        let is_raw = std::mem::take(&mut self.is_raw);
        if charset == Charset::Symbols {
            let name = font.map_or("", |font| &font.name);
            let sign = |byte: &u8| symbols::shown(name, 0xF000 + u32::from(*byte));
            return Decoded {
                text: bytes.iter().filter_map(sign).collect(),
                is_whole: true,
            };
        }
        // Nobody means what UTF-8 looks like in another code page.
        if is_raw
            && !charset.is_double_byte()
            && let Ok(text) = std::str::from_utf8(&bytes)
        {
            return Decoded {
                text: text.to_owned(),
                is_whole: true,
            };
        }
        let (text, is_whole) = charset.decode(&bytes);
        Decoded { text, is_whole }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn charset(&self, font: Option<&Font>) -> Charset {
        match font.and_then(|font| font.charset) {
            // A font for Western letters does not say so where the file is Chinese.
            Some(western)
                if western == Charset::WESTERN
                    && self.code_page.is_double_byte()
                    && self.code_page.fits_in_pairs(&self.bytes) =>
            {
                self.code_page
            }
            own => own.unwrap_or(self.code_page),
        }
    }
}
