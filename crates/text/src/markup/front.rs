//! What a text says of itself before it begins: title, date, tags.

use rag_core::Span;

use crate::lines::lines;

/// What was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Front {
    pub(super) title: Option<String>,
    pub(super) date: Option<String>,
    pub(super) tags: Vec<String>,
    /// Lines that are worth finding: tags, authors, a summary.
    pub(super) told: Vec<Span>,
}

/// Keys whose values people look for.
const TOLD: [&str; 14] = [
    "tags",
    "tag",
    "keywords",
    "categories",
    "category",
    "aliases",
    "alias",
    "description",
    "summary",
    "abstract",
    "subtitle",
    "author",
    "authors",
    "topics",
];

/// Those of them under which a text is filed.
const TAGS: [&str; 6] = [
    "tags",
    "tag",
    "keywords",
    "categories",
    "category",
    "topics",
];

const DATES: [&str; 6] = [
    "date",
    "updated",
    "modified",
    "lastmod",
    "created",
    "published",
];

impl Front {
    /// Reads the top-level keys of YAML (`title: x`), TOML (`title = "x"`) or Logseq (`title:: x`) at
    /// `span`.
    pub(super) fn read(text: &str, span: Span) -> Self {
        let mut front = Self::default();
        let mut date_rank = DATES.len();
        // A value may go on in indented lines and list entries.
        let mut is_told = false;
        let mut files = false;
        for line in lines(span.slice(text)) {
            let goes_on = line.indent() > 0 || line.text.starts_with("- ");
            let place = line.span.shifted(span.start);
            if goes_on && is_told {
                if let Some(last) = front.told.last_mut() {
                    last.end = place.end;
                }
                if files {
                    front.tags.extend(tags(line.text));
                }
                continue;
            }
            is_told = false;
            let Some((key, value)) = line.text.split_once([':', '=']).filter(|_| !goes_on) else {
                continue;
            };
            let key = key.trim().to_lowercase();
            let value = unquoted(value.trim_start_matches(':'));
            if key == "title" && front.title.is_none() {
                front.title = Some(value.to_owned()).filter(|title| !title.is_empty());
            } else if let Some(rank) = DATES.iter().position(|date| *date == key)
                && rank < date_rank
                && let Some(date) = iso_date(value)
            {
                date_rank = rank;
                front.date = Some(date);
            } else if TOLD.contains(&key.as_str()) && value != "[]" {
                is_told = true;
                files = TAGS.contains(&key.as_str());
                if files {
                    front.tags.extend(tags(value));
                }
                front.told.push(place);
            }
        }
        front
    }
}

/// The tags of `a, b`, of `[a, "b"]`, of `- a`, of `#a #b` and of Logseq's `[[a]] [[b]]`.
pub(super) fn tags(value: &str) -> Vec<String> {
    let value = value.trim();
    let value = value.strip_prefix("- ").unwrap_or(value);
    let inner = value.trim_matches(['[', ']']);
    // Words are tags of their own only where each is marked as one.
    let marked = inner.split_whitespace().all(|word| word.starts_with('#'));
    let split: Vec<&str> = if marked {
        inner.split_whitespace().collect()
    } else if value.contains("]] [[") {
        inner.split("]] [[").collect()
    } else {
        inner.split([',', '，', '、']).collect()
    };
    let bare = split.into_iter().map(|tag| {
        let tag = unquoted(tag.trim_matches(['[', ']', ' ']));
        tag.trim_start_matches('#').trim().to_owned()
    });
    bare.filter(|tag| !tag.is_empty()).collect()
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
        .trim()
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// A date as people write it, as `2026-11-21`, with a time of day if it is in the form of RFC 3339.
///
/// Understood are 2026-11-21, 2026/11/21, 2026.11.21, 2026年11月21日, 21 November 2026 and November 21,
/// 2026; 11/12/2026 is not, as it means two days.
pub(crate) fn iso_date(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['<', '[', '(']);
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() || "年月日".contains(c))
        .filter(|word| !word.is_empty())
        .take(4)
        .collect();
    let numbers: Vec<Option<u32>> = words.iter().map(|word| number(word)).collect();
    let month = |word: &str| {
        let start = word.get(..3)?.to_ascii_lowercase();
        let at = MONTHS.iter().position(|month| **month == start)?;
        Some(at as u32 + 1)
    };
    let (year, month, day) = match (&numbers[..], &words[..]) {
        ([Some(year), Some(month), Some(day), ..], _) => (*year, *month, *day),
        ([Some(day), None, Some(year), ..], [_, name, ..])
        | ([None, Some(day), Some(year), ..], [name, ..]) => (*year, month(name)?, *day),
        _ => return None,
    };
    let is_day =
        (1000..=2999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_day {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let time = text.strip_prefix(&date).and_then(|rest| rfc3339_time(rest));
    Some(date + time.unwrap_or_default())
}

/// The time of day at the start of `text`, if it says how it relates to universal time.
fn rfc3339_time(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| {
        bytes
            .get(from..to)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let colon = |at: usize| bytes.get(at) == Some(&b':');
    let is_clock = bytes.first() == Some(&b'T')
        && digits(1, 3)
        && colon(3)
        && digits(4, 6)
        && colon(6)
        && digits(7, 9);
    if !is_clock {
        return None;
    }
    let fraction = text[9..].strip_prefix('.').map_or(0, |rest| {
        1 + rest.bytes().take_while(u8::is_ascii_digit).count()
    });
    let zone = 9 + fraction;
    match bytes.get(zone)? {
        b'Z' => Some(&text[..=zone]),
        b'+' | b'-'
            if digits(zone + 1, zone + 3) && colon(zone + 3) && digits(zone + 4, zone + 6) =>
        {
            Some(&text[..zone + 6])
        }
        _ => None,
    }
}

/// A number that may be a day, month or year, with an English ending (`21st`).
fn number(word: &str) -> Option<u32> {
    let end = word
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(word.len());
    let (digits, rest) = word.split_at(end);
    let is_ending = ["", "st", "nd", "rd", "th"].contains(&rest) || rest.starts_with('T');
    (is_ending && digits.len() <= 4).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_in_one_form() {
        for text in [
            "2026-11-21",
            "2026/11/21",
            "2026年11月21日",
            "21 November 2026",
            "21st Nov 2026",
            "November 21, 2026",
            "<2026-11-21 Sat>",
            "2026-11-21 10:00",
            "2026-11-21T10:00",
        ] {
            assert_eq!(iso_date(text).as_deref(), Some("2026-11-21"), "{text}");
        }
        let exact = "2026-11-21T10:00:00.5+08:00";
        assert_eq!(iso_date(exact).as_deref(), Some(exact));
        for text in [
            "11/12/2026",
            "",
            "\\today",
            "2026-13-01",
            "2026",
            "v1.2.3",
            "中文",
        ] {
            assert_eq!(iso_date(text), None, "{text}");
        }
    }

    #[test]
    fn tags_come_in_many_forms() {
        for (value, expected) in [
            ("a, b c", &["a", "b c"][..]),
            ("[a, \"b c\", 'd']", &["a", "b c", "d"]),
            ("#a #b/c", &["a", "b/c"]),
            ("[[港口]] [[sea]]", &["港口", "sea"]),
            ("[[港口]], [[sea]]", &["港口", "sea"]),
            ("- 港口", &["港口"]),
            ("港口、灯塔，sea", &["港口", "灯塔", "sea"]),
            ("[]", &[]),
        ] {
            assert_eq!(tags(value), expected, "{value}");
        }
    }

    #[test]
    fn title_date_and_tags_are_told() {
        let text = "title: 'Storms: a list'\ndate: 2026-11-21\ncreated: 2020-01-01\ntags:\n  - sea\n- port\ndraft: no\nauthor: Tern\n";
        let front = Front::read(text, Span::new(0, text.len()));
        assert_eq!(front.title.as_deref(), Some("Storms: a list"));
        assert_eq!(front.date.as_deref(), Some("2026-11-21"));
        let told: Vec<&str> = front.told.iter().map(|span| span.slice(text)).collect();
        assert_eq!(front.tags, ["sea", "port"]);
        assert_eq!(told, ["tags:\n  - sea\n- port", "author: Tern"]);
    }
}
