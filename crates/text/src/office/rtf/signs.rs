//! Control words and symbols that stand for a character each.

/// The character that `\word` stands for.
pub(super) fn of_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "emdash" => "—",
        "endash" => "–",
        "bullet" => "•",
        "lquote" => "‘",
        "rquote" => "’",
        "ldblquote" => "“",
        "rdblquote" => "”",
        "emspace" => "\u{2003}",
        "enspace" => "\u{2002}",
        "qmspace" => "\u{2005}",
        "zwj" => "\u{200D}",
        "zwnj" => "\u{200C}",
        "zwbo" => "\u{200B}",
        "ltrmark" => "\u{200E}",
        "rtlmark" => "\u{200F}",
        _ => return None,
    })
}

/// The character that a backslash before `symbol` makes. A hyphen that only shows at the end of a line
/// is none.
pub(super) fn of_symbol(symbol: u8) -> Option<&'static str> {
    Some(match symbol {
        b'~' => "\u{A0}",
        b'_' => "-",
        _ => return None,
    })
}
