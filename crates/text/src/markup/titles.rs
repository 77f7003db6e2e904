//! Headings of plain texts: chapters of novels, numbered sections of reports, underlined lines.
//!
//! A false heading parts what belongs together and puts wrong words above it, so whatever may as well be
//! an item of a list or a line of a table of contents is none.

use crate::lines::Line;

/// What makes a line a heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Marks below it: `=`, `-` or `~`.
    Underline(u8),
    /// 第三卷, Part Two: the level that chapters lie in.
    Volume,
    /// 第十二章, 序章, Chapter XII.
    Chapter,
    /// 第一节, Section 3.
    Section,
    /// 一、
    Numeral,
    /// （一）
    Bracketed,
    /// `3.2 Results`, by the number of its numbers.
    Numbered(u8),
    /// A LINE IN CAPITALS.
    Capitals,
}

/// Longest heading, in columns.
const MAX_WIDTH: usize = 80;

const WORDS: [&str; 20] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

/// Chapters without a number.
const NAMED: [&str; 16] = [
    "序", "序言", "序章", "序幕", "自序", "前言", "引言", "引子", "楔子", "尾声", "尾聲", "后记",
    "後記", "附录", "附錄", "终章",
];
const NAMED_IN_ENGLISH: [&str; 9] = [
    "prologue",
    "epilogue",
    "preface",
    "foreword",
    "introduction",
    "afterword",
    "acknowledgements",
    "acknowledgments",
    "contents",
];

impl Mark {
    /// Level from 1.
    pub(super) fn level(self) -> usize {
        match self {
            Self::Underline(b'=') | Self::Volume => 1,
            Self::Underline(b'-') | Self::Chapter => 2,
            Self::Underline(_) | Self::Section | Self::Capitals => 3,
            Self::Numeral => 4,
            Self::Bracketed => 5,
            Self::Numbered(numbers) => usize::from(numbers) + 1,
        }
    }

    /// Whether one such line alone says too little: it must come several times, in a text of some length,
    /// with space around it.
    pub(super) fn is_weak(self) -> bool {
        matches!(
            self,
            Self::Numeral | Self::Bracketed | Self::Numbered(_) | Self::Capitals
        )
    }
}

/// What the line itself has of a heading; `below` is the line that follows.
pub(super) fn mark_of(line: Line<'_>, below: Option<Line<'_>>) -> Option<Mark> {
    let words = line.words();
    let width = columns(words);
    if words.is_empty() || width > MAX_WIDTH || !words.contains(char::is_alphanumeric) {
        return None;
    }
    if let Some(mark) = below.and_then(|below| underline(below, width)) {
        return Some(Mark::Underline(mark));
    }
    if is_entry_of_contents(words) {
        return None;
    }
    if let Some(mark) = chinese_chapter(words).or_else(|| english_chapter(words)) {
        return Some(mark);
    }
    let ends_open = words.ends_with(|c: char| "。.，,；;：:、！？!?".contains(c));
    if ends_open {
        return None;
    }
    chinese_numeral(words)
        .or_else(|| numbered(words))
        .or_else(|| is_capitals(words).then_some(Mark::Capitals))
}

/// Columns that a text takes: two for each character that is not Latin.
pub(super) fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| if c < '\u{2E80}' { 1 } else { 2 })
        .sum()
}

/// The mark of a line that underlines a title of so many columns.
fn underline(below: Line<'_>, width: usize) -> Option<u8> {
    let marks = below.words().as_bytes();
    let mark = *marks.first().filter(|b| b"=-~".contains(b))?;
    let fits = marks.len() >= 3 && marks.len() * 3 >= width && marks.len() <= width * 2 + 4;
    (fits && marks.iter().all(|b| *b == mark)).then_some(mark)
}

/// `Chapter 3 ....... 17`
fn is_entry_of_contents(words: &str) -> bool {
    let before = words.trim_end_matches(|c: char| c.is_ascii_digit() || c.is_whitespace());
    words.contains("....") || words.contains("……") || words.contains(". . .") || {
        let gap = &words[before.len()..];
        gap.starts_with("  ") && gap.trim().len() < gap.len()
    }
}

fn is_chinese_number(c: char) -> bool {
    "一二三四五六七八九十百千零〇两兩0123456789０１２３４５６７８９".contains(c)
}

/// 第…章 with its title.
fn chinese_chapter(words: &str) -> Option<Mark> {
    if NAMED.contains(&words) {
        return Some(Mark::Chapter);
    }
    let rest = words.strip_prefix('第')?;
    let number: usize = rest
        .chars()
        .take_while(|c| is_chinese_number(*c) || *c == ' ')
        .map(char::len_utf8)
        .sum();
    let after = &rest[number..];
    let unit = after.chars().next()?;
    let title = &after[unit.len_utf8()..];
    let mark = match unit {
        '卷' | '部' | '篇' | '集' | '编' | '編' => Mark::Volume,
        '章' | '回' | '话' | '話' | '幕' => Mark::Chapter,
        '节' | '節' => Mark::Section,
        _ => return None,
    };
    // 第一章的内容…: a sentence that speaks of the chapter.
    let is_apart = title.is_empty()
        || title.starts_with(|c: char| c.is_whitespace() || "：:·．.、—《（(".contains(c));
    let is_short = columns(words) <= 60 && !title.contains(['。', '，']);
    let is_title =
        is_apart || is_short && !title.starts_with(['的', '中', '里', '，', '。', '和', '与']);
    (number > 0 && is_title && is_short).then_some(mark)
}

/// `Chapter XII. The gate`, `PART TWO`, `Appendix A`
fn english_chapter(words: &str) -> Option<Mark> {
    let lower = words.to_lowercase();
    if NAMED_IN_ENGLISH.contains(&lower.trim_end_matches(['.', ':'])) {
        return Some(Mark::Chapter);
    }
    let (name, rest) = lower.split_once(' ')?;
    let mark = match name {
        "part" | "book" | "volume" => Mark::Volume,
        "chapter" | "appendix" => Mark::Chapter,
        "section" => Mark::Section,
        _ => return None,
    };
    let number = rest.split([' ', '.', ':', ',', '—', '-']).next()?;
    let is_roman = !number.is_empty() && number.bytes().all(|b| b"ivxlc".contains(&b));
    let is_number = number.bytes().all(|b| b.is_ascii_digit()) && !number.is_empty();
    let is_letter = name == "appendix" && number.len() == 1;
    let title = rest[number.len()..].trim_start();
    // `Part two of the agreement says` is a sentence: a title comes after a mark, or in capitals.
    let is_apart = title.is_empty()
        || title.starts_with(['.', ':', '—', '-', ','])
        || words
            .chars()
            .filter(|c| c.is_alphabetic())
            .all(char::is_uppercase)
        || words[words.len() - title.len()..].starts_with(char::is_uppercase);
    let is_sentence = title.len() > 40 && words.ends_with('.');
    let counts = is_roman || is_number || is_letter || WORDS.contains(&number);
    (counts && is_apart && !is_sentence && words.starts_with(char::is_uppercase)).then_some(mark)
}

/// 一、 and （一）
fn chinese_numeral(words: &str) -> Option<Mark> {
    let bracketed = words.strip_prefix(['（', '(']);
    let rest = bracketed.unwrap_or(words);
    let is_numeral = |c: &char| "一二三四五六七八九十".contains(*c);
    let number: usize = rest
        .chars()
        .take_while(is_numeral)
        .map(char::len_utf8)
        .sum();
    if number == 0 || columns(words) > 44 {
        return None;
    }
    let mut after = rest[number..].chars();
    match (bracketed, after.next()) {
        (None, Some('、' | '．')) => Some(Mark::Numeral),
        (Some(_), Some('）' | ')')) => Some(Mark::Bracketed),
        _ => None,
    }
    .filter(|_| after.next().is_some())
}

/// `3.2 Results`, `3. Results`
fn numbered(words: &str) -> Option<Mark> {
    let (number, title) = words.split_once([' ', '\t', '\u{3000}'])?;
    let digits = number.strip_suffix('.').unwrap_or(number);
    let parts: Vec<&str> = digits.split('.').collect();
    let is_number =
        |part: &&str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let first = title.trim_start().chars().next()?;
    let is_title = first.is_uppercase() || first > '\u{2E80}';
    let fits = parts.len() <= 4 && parts.iter().all(is_number) && is_title && columns(words) <= 60;
    // A number alone before a word may as well count things; with a mark or several it orders.
    let orders = parts.len() > 1 || number.ends_with('.');
    (fits && orders).then_some(Mark::Numbered(parts.len() as u8))
}

fn is_capitals(words: &str) -> bool {
    let letters = words.chars().filter(|c| c.is_alphabetic());
    let (all, capital) = letters.fold((0, 0), |(all, capital), c| {
        (all + 1, capital + usize::from(c.is_ascii_uppercase()))
    });
    all >= 4 && capital == all && words.chars().filter(char::is_ascii_digit).count() * 2 < all
}

#[cfg(test)]
mod tests {
    use crate::lines::lines;

    use super::*;

    fn mark(text: &str) -> Option<Mark> {
        let mut lines = lines(text);
        let line = lines.next().unwrap();
        mark_of(line, lines.next())
    }

    #[test]
    fn chapters_of_chinese_novels_are_headings() {
        assert_eq!(mark("　　第十二章 港口的风暴"), Some(Mark::Chapter));
        assert_eq!(mark("第一百零五回　青岚水库"), Some(Mark::Chapter));
        assert_eq!(mark("第三卷"), Some(Mark::Volume));
        assert_eq!(mark("第1节：记录"), Some(Mark::Section));
        assert_eq!(mark("楔子"), Some(Mark::Chapter));
        assert_eq!(mark("第一章的内容讲述了一个故事，很长。"), None);
        assert_eq!(mark("第二天早上他醒了"), None);
        assert_eq!(mark("第十二章 港口的风暴……………12"), None);
        assert_eq!(mark("一、总则"), Some(Mark::Numeral));
        assert_eq!(mark("（二）适用范围"), Some(Mark::Bracketed));
        assert_eq!(mark("一、公司每年举行一次安全检查。"), None);
    }

    #[test]
    fn chapters_and_numbered_sections_in_english_are_headings() {
        assert_eq!(mark("CHAPTER XII. THE GATE"), Some(Mark::Chapter));
        assert_eq!(mark("Chapter 3: Storms"), Some(Mark::Chapter));
        assert_eq!(mark("Part Two"), Some(Mark::Volume));
        assert_eq!(mark("Part two of the agreement"), None);
        assert_eq!(mark("Chapter 3 ........ 17"), None);
        assert_eq!(mark("3.2 Results of the count"), Some(Mark::Numbered(2)));
        assert_eq!(mark("3 ships were lost"), None);
        assert_eq!(mark("MAINTENANCE LOG - MV PETREL"), Some(Mark::Capitals));
        assert_eq!(mark("Title\n====="), Some(Mark::Underline(b'=')));
        assert_eq!(mark("A sentence that is not underlined\n--"), None);
    }
}
