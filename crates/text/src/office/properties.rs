//! What a file says of itself: its title, its language and when it was last changed.

use super::xml::{Token, Xml};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Properties {
    pub(super) title: Option<String>,
    pub(super) date: Option<String>,
    pub(super) language: Option<String>,
}

impl Properties {
    /// Of `docProps/core.xml` (ECMA-376, part 2, 11) and of `OpenDocument`'s `meta.xml`.
    pub(super) fn of(xml: &str) -> Self {
        let mut created = None;
        let mut properties = Self::default();
        let mut xml = Xml::new(xml);
        while let Some(token) = xml.next() {
            let Token::Open(tag) = token else { continue };
            let name = tag.name().to_owned();
            match &*name {
                "title" => properties.title = title_of(&xml.text()),
                "modified" => properties.date = date_of(&xml.text()),
                // `OpenDocument` has `dc:date` for the last change.
                "date" => properties.date = properties.date.or(date_of(&xml.text())),
                "created" | "creation-date" => created = date_of(&xml.text()),
                "language" => properties.language = said(&xml.text()),
                _ => {}
            }
        }
        properties.date = properties.date.or(created);
        properties
    }
}

/// A title, unless a program made it up.
pub(super) fn title_of(text: &str) -> Option<String> {
    said(text).filter(|title| !is_made_up(title))
}

fn said(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// `2026-11-21` or with a time of day as in RFC 3339; a time without a zone and fractions of seconds
/// are left out.
pub(super) fn date_of(text: &str) -> Option<String> {
    let text = text.trim();
    let day = text.get(..10)?;
    let digits = |text: &str, at: &[usize]| {
        let bytes = text.as_bytes();
        at.iter()
            .all(|at| bytes.get(*at).is_some_and(u8::is_ascii_digit))
    };
    let is_day = digits(day, &[0, 1, 2, 3, 5, 6, 8, 9]) && day.as_bytes()[4] == b'-';
    // Programs that don't know write the beginning of their calendar.
    if !is_day || day.as_bytes()[7] != b'-' || ["1601", "1970", "1899", "0000"].contains(&&day[..4])
    {
        return None;
    }
    let time = text
        .get(10..19)
        .filter(|time| digits(time, &[1, 2, 4, 5, 7, 8]));
    match time.filter(|time| time.starts_with('T')) {
        Some(time) if text.ends_with('Z') => Some(format!("{day}{time}Z")),
        _ => Some(day.to_owned()),
    }
}

/// Titles that programs put where people gave none.
fn is_made_up(title: &str) -> bool {
    let title = title.to_lowercase();
    let names = [
        "powerpoint presentation",
        "powerpoint 演示文稿",
        "powerpoint 簡報",
        "untitled",
        "word document",
        "presentation",
        "document1",
        "slide 1",
        "幻灯片 1",
    ];
    names.contains(&&*title) || title.starts_with("microsoft word - ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_counts_before_the_beginning() {
        let xml = "<cp:coreProperties><dc:title> Keepers\n of light </dc:title>\
            <dcterms:created>1931-01-02T03:04:05Z</dcterms:created>\
            <dcterms:modified>1932-01-02T03:04:05Z</dcterms:modified></cp:coreProperties>";
        let properties = Properties::of(xml);
        assert_eq!(properties.title.as_deref(), Some("Keepers of light"));
        assert_eq!(properties.date.as_deref(), Some("1932-01-02T03:04:05Z"));
        let xml = "<m><dc:date>2026-11-21T10:00:00.123456</dc:date><title>Untitled</title></m>";
        let properties = Properties::of(xml);
        assert_eq!(properties.date.as_deref(), Some("2026-11-21"));
        assert_eq!(properties.title, None);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "yesterday",
            "1601-01-01T00:00:00Z",
            "21.11.2026",
            "日日日日日",
        ] {
            assert_eq!(date_of(text), None, "{text}");
        }
    }
}
