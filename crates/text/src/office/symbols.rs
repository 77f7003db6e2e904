//! Signs that old fonts put in the places of other characters.

/// What the character `code` of a symbol font shows, where that is a character of its own. The place is
/// given as in the font or in the private area that Word uses for it (U+F000 and above).
pub(super) fn shown(font: &str, code: u32) -> Option<char> {
    let place = match code {
        0xF000..=0xF0FF => code - 0xF000,
        _ => code,
    };
    let font = font.to_lowercase();
    if font.contains("wingdings") || font.contains("webdings") {
        return match place {
            0x6F | 0x70 | 0x71 | 0x72 | 0xA8 => Some('☐'),
            0x78 | 0xFB | 0xFD => Some('☒'),
            0xFC => Some('✓'),
            0xFE => Some('☑'),
            0xE0 | 0xE8 | 0xF0 => Some('→'),
            _ => None,
        };
    }
    if font.contains("symbol") {
        return symbol(place);
    }
    char::from_u32(code).filter(|c| !matches!(c, '\u{E000}'..='\u{F8FF}') && !c.is_control())
}

/// The encoding of Adobe's Symbol font, as far as it differs from ASCII and is used in texts.
fn symbol(place: u32) -> Option<char> {
    const UPPER: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ";
    const LOWER: &str = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ";
    let nth = |signs: &str, from: u32| signs.chars().nth((place - from) as usize);
    match place {
        0x41..=0x5A => nth(UPPER, 0x41),
        0x61..=0x7A => nth(LOWER, 0x61),
        0x20..=0x21 | 0x23 | 0x25..=0x26 | 0x28..=0x29 | 0x2B..=0x2C | 0x2E..=0x3F => {
            char::from_u32(place)
        }
        0x2D => Some('−'),
        0xA3 => Some('≤'),
        0xA5 => Some('∞'),
        0xAB => Some('↔'),
        0xAC => Some('←'),
        0xAD => Some('↑'),
        0xAE => Some('→'),
        0xAF => Some('↓'),
        0xB0 => Some('°'),
        0xB1 => Some('±'),
        0xB3 => Some('≥'),
        0xB4 => Some('×'),
        0xB8 => Some('÷'),
        0xB9 => Some('≠'),
        0xBB => Some('≈'),
        0xBC => Some('…'),
        0xC5 => Some('⊕'),
        0xCE => Some('∈'),
        0xD2 => Some('®'),
        0xD3 => Some('©'),
        0xD4 => Some('™'),
        0xD6 => Some('√'),
        0xE5 => Some('∑'),
        0xF2 => Some('∫'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_found_by_their_font() {
        assert_eq!(shown("Symbol", 0xF061), Some('α'));
        assert_eq!(shown("Symbol", 0x57), Some('Ω'));
        assert_eq!(shown("Wingdings", 0xF0FC), Some('✓'));
        assert_eq!(shown("Wingdings", 0xF0B7), None);
        assert_eq!(shown("Arial", 0x2192), Some('→'));
        assert_eq!(shown("Arial", 0xF0B7), None);
    }
}
