//! Text that a file holds and does not show to its readers: it is no part of the document, and a warning
//! says how much there was. Documents are read by machines that take every word at its word; what people
//! never saw they have not approved of.

use rag_core::{Span, Warning, WarningKind};

/// Hidden text that was left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// Letters and digits.
    letters: usize,
}

impl Hidden {
    /// Counts what was left out.
    pub(crate) fn add(&mut self, text: &str) {
        self.letters += text.chars().filter(|c| c.is_alphanumeric()).count();
    }

    /// Counts what was left out elsewhere too.
    pub(crate) fn join(&mut self, other: Self) {
        self.letters += other.letters;
    }

    /// What is said of it; nothing where there was no word.
    pub(crate) fn warning(self) -> Option<Warning> {
        let letters = self.letters;
        let s = if letters == 1 { "" } else { "s" };
        let fact = format!("hidden text of {letters} letter{s} was left out");
        (letters > 0).then(|| Warning::new(WarningKind::Hidden, fact))
    }
}

/// Whether a style in CSS keeps an element from being shown, with all that is in it.
pub(crate) fn hides(css: &str) -> bool {
    declarations(css).any(|(property, value)| match property.as_str() {
        "display" => value == "none",
        "visibility" => value == "hidden" || value == "collapse",
        "opacity" => is_nothing(&value),
        _ => false,
    })
}

/// The declarations of a style, in lower case and without white space or `!important`.
pub(crate) fn declarations(css: &str) -> impl Iterator<Item = (String, String)> {
    const LONGEST: usize = 4000;
    let end = css
        .char_indices()
        .nth(LONGEST)
        .map_or(css.len(), |(at, _)| at);
    css[..end].split(';').filter_map(|declaration| {
        let (property, value) = declaration.split_once(':')?;
        let tidy = |text: &str| {
            let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            text.to_ascii_lowercase()
        };
        let value = tidy(value);
        let value = value.strip_suffix("!important").unwrap_or(&value);
        Some((tidy(property), value.to_owned()))
    })
}

/// Whether a size or a share is none, or less than a point.
pub(crate) fn is_nothing(value: &str) -> bool {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let unit = &value[digits.len()..];
    let number: Option<f32> = digits.parse().ok();
    number.is_some_and(|number| number <= 0.0 || (number < 1.0 && matches!(unit, "px" | "pt")))
}

/// Whether a colour of CSS is none.
pub(crate) fn is_transparent(value: &str) -> bool {
    let alpha = || {
        value
            .strip_prefix("rgba(")?
            .strip_suffix(')')?
            .rsplit(',')
            .next()?
            .parse()
            .ok()
    };
    value == "transparent" || alpha() == Some(0.0_f32)
}

/// Whether a colour of CSS is white or hardly anything else.
pub(crate) fn is_white(value: &str) -> bool {
    /// Of 255: nobody reads this on white.
    const NEARLY: u8 = 250;
    if value == "white" {
        return true;
    }
    if let Some(hex) = value.strip_prefix('#').filter(|hex| hex.is_ascii()) {
        let wide: String = match hex.len() {
            3 => hex.chars().flat_map(|c| [c, c]).collect(),
            _ => hex.to_owned(),
        };
        let part = |at: usize| {
            wide.get(at..at + 2)
                .and_then(|part| u8::from_str_radix(part, 16).ok())
        };
        return wide.len() == 6 && (0..3).all(|n| part(n * 2).is_some_and(|part| part >= NEARLY));
    }
    let parts = value
        .strip_prefix("rgb(")
        .and_then(|rest| rest.strip_suffix(')'));
    parts.is_some_and(|parts| {
        let parts: Vec<Option<u8>> = parts.split(',').map(|part| part.parse().ok()).collect();
        parts.len() == 3
            && parts
                .iter()
                .all(|part| part.is_some_and(|part| part >= NEARLY))
    })
}

/// Writes spaces over `text` at these places, byte for byte, so that lines and all other places stay.
pub(crate) fn blanked(text: &str, places: &[Span], hidden: &mut Hidden) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for place in places {
        let (start, end) = (place.start.max(at), place.end.min(text.len()));
        let (Some(before), Some(inside)) = (text.get(at..start), text.get(start..end)) else {
            continue;
        };
        hidden.add(inside);
        out.push_str(before);
        for c in inside.chars() {
            match c {
                '\n' | '\r' => out.push(c),
                c => out.extend(std::iter::repeat_n(' ', c.len_utf8())),
            }
        }
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_hides_by_what_it_says() {
        for css in [
            "display:none",
            "color: red; DISPLAY : none !important",
            "visibility: hidden",
            "opacity:0.0",
        ] {
            assert!(hides(css), "{css}");
        }
        for css in [
            "",
            "display:block",
            "font-size:0.9em",
            "opacity:.5",
            "color:#fff",
            "x-display:none",
            "font-size:0",
        ] {
            assert!(!hides(css), "{css}");
        }
        assert!(
            ["0", "0px", ".5pt", "0em"]
                .iter()
                .all(|size| is_nothing(size))
        );
        assert!(
            !["1px", "10px", "0.9em", "small", ""]
                .iter()
                .any(|size| is_nothing(size))
        );
        assert!(is_transparent("transparent") && is_transparent("rgba(0,0,0,0)"));
        assert!(!is_transparent("rgba(0,0,0,.9)") && !is_transparent("black"));
    }

    #[test]
    fn white_is_white_however_it_is_written() {
        assert!(
            ["white", "#fff", "#fffffe", "#FDFDFD", "rgb(255,255,255)"]
                .iter()
                .all(|c| is_white(&c.to_lowercase()))
        );
        assert!(
            !["black", "#eee", "#ff", "rgb(255,255,0)", "#中文", ""]
                .iter()
                .any(|c| is_white(c))
        );
    }

    #[test]
    fn what_is_blanked_keeps_every_other_place() {
        let mut hidden = Hidden::default();
        let text = "one <!-- 两\nx --> two";
        let out = blanked(text, &[Span::new(4, 18)], &mut hidden);
        assert_eq!(out, "one         \n      two");
        assert_eq!((out.len(), out.find("two")), (text.len(), text.find("two")));
        assert_eq!(
            hidden.warning().unwrap().fact,
            "hidden text of 2 letters was left out"
        );
        assert_eq!(Hidden::default().warning(), None);
    }
}
