//! The characters that the bytes of rich text stand for: code pages, and the character sets of fonts.

use encoding_rs::{
    BIG5, EUC_KR, Encoding, GB18030, GBK, IBM866, MACINTOSH, SHIFT_JIS, UTF_8, WINDOWS_874,
    WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255,
    WINDOWS_1256, WINDOWS_1257, WINDOWS_1258,
};

/// The upper halves of the code pages that DOS had in America and Western Europe.
const DOS_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}";
const DOS_850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
    └┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{AD}±‗¾¶§÷¸°¨·¹³²■\u{A0}";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Encoding(&'static Encoding),
    Dos(&'static str),
    /// The signs of a font of symbols, which only its name tells.
    Symbols,
}

impl Charset {
    pub(super) const WESTERN: Self = Self::Encoding(WINDOWS_1252);
    pub(super) const MAC: Self = Self::Encoding(MACINTOSH);
    pub(super) const DOS: Self = Self::Dos(DOS_437);
    pub(super) const DOS_WESTERN: Self = Self::Dos(DOS_850);

    /// Of `\ansicpg` and `\cpg`, as Windows numbers code pages.
    pub(super) fn of_code_page(number: i32) -> Option<Self> {
        Some(Self::Encoding(match number {
            437 => return Some(Self::DOS),
            850 | 858 => return Some(Self::DOS_WESTERN),
            866 => IBM866,
            874 => WINDOWS_874,
            932 => SHIFT_JIS,
            936 => GBK,
            949 => EUC_KR,
            950 => BIG5,
            1250 => WINDOWS_1250,
            1251 => WINDOWS_1251,
            1252 => WINDOWS_1252,
            1253 => WINDOWS_1253,
            1254 => WINDOWS_1254,
            1255 => WINDOWS_1255,
            1256 => WINDOWS_1256,
            1257 => WINDOWS_1257,
            1258 => WINDOWS_1258,
            10000 => MACINTOSH,
            54936 => GB18030,
            65001 => UTF_8,
            _ => return None,
        }))
    }

    /// Of `\fcharset`; nothing where that is the one of the file.
    pub(super) fn of_font(number: i32) -> Option<Self> {
        let page = match number {
            0 => 1252,
            2 => return Some(Self::Symbols),
            77 => 10000,
            128 => 932,
            129 => 949,
            134 => 936,
            136 => 950,
            161 => 1253,
            162 => 1254,
            163 => 1258,
            177 => 1255,
            178 => 1256,
            186 => 1257,
            204 => 1251,
            222 => 874,
            238 => 1250,
            254 => 437,
            255 => 850,
            _ => return None,
        };
        Self::of_code_page(page)
    }

    pub(super) fn is_double_byte(self) -> bool {
        matches!(self, Self::Encoding(e) if [SHIFT_JIS, GBK, GB18030, EUC_KR, BIG5].contains(&e))
    }

    /// Whether the last of these bytes is the first half of a character.
    pub(super) fn breaks_off(self, bytes: &[u8]) -> bool {
        let mut bytes = bytes.iter();
        let mut is_half = false;
        while let Some(byte) = bytes.next() {
            is_half = self.is_lead(*byte) && bytes.next().is_none();
        }
        is_half
    }

    /// Whether all characters above ASCII have two bytes above ASCII: what is written in a font for
    /// Western letters is Chinese all the same then.
    pub(super) fn fits_in_pairs(self, bytes: &[u8]) -> bool {
        let mut bytes = bytes.iter();
        while let Some(byte) = bytes.next() {
            if *byte <= 0x7F {
                continue;
            }
            let is_pair = self.is_lead(*byte) && bytes.next().is_some_and(|b| *b > 0x7F);
            if !is_pair {
                return false;
            }
        }
        true
    }

    fn is_lead(self, byte: u8) -> bool {
        match self {
            Self::Encoding(e) if e == SHIFT_JIS => matches!(byte, 0x81..=0x9F | 0xE0..=0xFC),
            _ => self.is_double_byte() && matches!(byte, 0x81..=0xFE),
        }
    }

    /// The characters, and whether all of the bytes stand for some. Bytes of symbol fonts are for
    /// others to read.
    pub(super) fn decode(self, bytes: &[u8]) -> (String, bool) {
        match self {
            Self::Encoding(encoding) => {
                let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
                (text.into_owned(), !had_errors)
            }
            Self::Dos(upper) => {
                let upper: Vec<char> = upper.chars().collect();
                let shown = |byte: &u8| match byte.checked_sub(0x80) {
                    Some(at) => upper.get(usize::from(at)).copied().unwrap_or('\u{FFFD}'),
                    None => char::from(*byte),
                };
                (bytes.iter().map(shown).collect(), true)
            }
            Self::Symbols => (String::new(), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(page: i32, bytes: &[u8]) -> String {
        Charset::of_code_page(page).unwrap().decode(bytes).0
    }

    #[test]
    fn every_code_page_has_its_characters() {
        assert_eq!(decoded(936, b"\xB5\xC6\xCB\xFE"), "灯塔");
        assert_eq!(decoded(950, b"\xBFO\xB6\xF0"), "燈塔");
        assert_eq!(decoded(932, b"\x93\x94\x91\xE4"), "灯台");
        assert_eq!(decoded(949, b"\xB5\xEE\xB4\xEB"), "등대");
        assert_eq!(decoded(1251, b"\xCC\xE0\xFF\xEA"), "Маяк");
        assert_eq!(decoded(437, b"na\x8Bve \xE1"), "naïve ß");
        assert_eq!(decoded(850, b"\x9D\xB8\xFF"), "Ø©\u{A0}");
        for upper in [DOS_437, DOS_850] {
            assert_eq!(upper.chars().count(), 128);
        }
    }

    #[test]
    fn half_a_character_is_noticed() {
        let chinese = Charset::of_font(134).unwrap();
        assert!(chinese.breaks_off(b"a\xB5\xC6\xCB"));
        assert!(!chinese.breaks_off(b"a\xB5\xC6"));
        assert!(chinese.fits_in_pairs(b"a\xB5\xC6b"));
        assert!(!chinese.fits_in_pairs(b"caf\xE9 au"));
        assert!(!Charset::WESTERN.breaks_off(b"caf\xE9"));
    }
}
