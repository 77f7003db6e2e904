//! In which language a text is written: by script where the script tells, by statistics only where
//! these are sure.
//!
//! Statistics are wrong on short texts (measured: "hybrid search" → Welsh), so they are asked only for
//! longer ones and believed only where `whatlang` calls itself reliable. No answer is an answer.

/// So many letters from the start decide.
const SAMPLE_LETTERS: usize = 4000;

/// Fewer letters than this are too few for statistics.
const MIN_LETTERS_FOR_STATISTICS: usize = 60;

/// Characters that are written in one way in Simplified and in another in Traditional Chinese, among
/// the most frequent of both; the n-th of one is the n-th of the other. Characters that exist in both
/// (后, 里, 台) are left out.
const SIMPLIFIED: &str = "们这国来为时说会对开关学发经现无见问间车长门东书买卖过还进让语话读谁认记设计论证诉访评词试该请调谢识从众业两严乐产亲亿仅优传伤体华单历压厂义习乡云电动务劳势区协变号员响";
const TRADITIONAL: &str = "們這國來為時說會對開關學發經現無見問間車長門東書買賣過還進讓語話讀誰認記設計論證訴訪評詞試該請調謝識從眾業兩嚴樂產親億僅優傳傷體華單歷壓廠義習鄉雲電動務勞勢區協變號員響";

/// BCP 47 tag of the language of `text`; none where it can't be told.
pub(crate) fn language_of(text: &str) -> Option<String> {
    let counts = Counts::of(text);
    if let Some(tag) = counts.by_script() {
        return Some(tag.to_owned());
    }
    if counts.letters < MIN_LETTERS_FOR_STATISTICS {
        return None;
    }
    // A title page of names and addresses says little of a long text, so its middle is asked too.
    let middle = text.floor_char_boundary(text.len() / 2);
    let by_statistics = |text: &str| {
        let sample: String = text.chars().take(SAMPLE_LETTERS * 2).collect();
        whatlang::detect(&sample).filter(whatlang::Info::is_reliable)
    };
    let info = by_statistics(text).or_else(|| by_statistics(&text[middle..]))?;
    Some(short_tag(info.lang().code()).to_owned())
}

/// A declared tag (`zh-CN`, `en_GB`) in the form used here; none where it is no tag.
pub(crate) fn normal_tag(declared: &str) -> Option<String> {
    let tag = declared.trim().replace('_', "-");
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let primary = tag.split('-').next().unwrap_or_default();
    if tag.len() > 35
        || !tag.split('-').all(is_part)
        || !(2..=3).contains(&primary.len())
        || !primary.bytes().all(|b| b.is_ascii_alphabetic())
    {
        return None;
    }
    let lower = tag.to_ascii_lowercase();
    Some(match lower.as_str() {
        "zh-cn" | "zh-sg" | "zh-hans" | "zh-hans-cn" => "zh-Hans".to_owned(),
        "zh-tw" | "zh-hk" | "zh-mo" | "zh-hant" | "zh-hant-tw" | "zh-hant-hk" => {
            "zh-Hant".to_owned()
        }
        _ => tag,
    })
}

#[derive(Debug, Default)]
struct Counts {
    letters: usize,
    han: usize,
    kana: usize,
    hangul: usize,
    simplified: usize,
    traditional: usize,
}

impl Counts {
    fn of(text: &str) -> Self {
        let mut counts = Self::default();
        for c in text
            .chars()
            .filter(|c| c.is_alphabetic())
            .take(SAMPLE_LETTERS)
        {
            counts.letters += 1;
            match c {
                '\u{3040}'..='\u{30FF}' => counts.kana += 1,
                '\u{AC00}'..='\u{D7AF}' | '\u{1100}'..='\u{11FF}' => counts.hangul += 1,
                '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}' => {
                    counts.han += 1;
                    let (simple, full) = (SIMPLIFIED.contains(c), TRADITIONAL.contains(c));
                    counts.simplified += usize::from(simple && !full);
                    counts.traditional += usize::from(full && !simple);
                }
                _ => {}
            }
        }
        counts
    }

    /// A Chinese text may hold many Latin names, whose letters are more than its characters would
    /// be, so a quarter suffices.
    fn by_script(&self) -> Option<&'static str> {
        let is_share = |count: usize| count > 0 && count * 4 >= self.letters;
        if is_share(self.hangul) {
            Some("ko")
        } else if is_share(self.kana + self.han) && self.kana * 20 > self.han {
            Some("ja")
        } else if is_share(self.han) {
            Some(if self.traditional > self.simplified {
                "zh-Hant"
            } else {
                "zh-Hans"
            })
        } else {
            None
        }
    }
}

/// The two-letter tag that BCP 47 wants where there is one; `whatlang` speaks ISO 639-3.
fn short_tag(code: &str) -> &str {
    const SHORT: [(&str, &str); 52] = [
        ("eng", "en"),
        ("spa", "es"),
        ("por", "pt"),
        ("fra", "fr"),
        ("deu", "de"),
        ("ita", "it"),
        ("nld", "nl"),
        ("rus", "ru"),
        ("ukr", "uk"),
        ("bel", "be"),
        ("pol", "pl"),
        ("ces", "cs"),
        ("slk", "sk"),
        ("slv", "sl"),
        ("hrv", "hr"),
        ("srp", "sr"),
        ("bul", "bg"),
        ("mkd", "mk"),
        ("ron", "ro"),
        ("hun", "hu"),
        ("ell", "el"),
        ("tur", "tr"),
        ("fin", "fi"),
        ("est", "et"),
        ("lav", "lv"),
        ("lit", "lt"),
        ("swe", "sv"),
        ("dan", "da"),
        ("nob", "nb"),
        ("cat", "ca"),
        ("ara", "ar"),
        ("heb", "he"),
        ("pes", "fa"),
        ("urd", "ur"),
        ("hin", "hi"),
        ("ben", "bn"),
        ("mar", "mr"),
        ("tam", "ta"),
        ("tel", "te"),
        ("tha", "th"),
        ("vie", "vi"),
        ("ind", "id"),
        ("jav", "jv"),
        ("kor", "ko"),
        ("jpn", "ja"),
        ("cmn", "zh"),
        ("afr", "af"),
        ("epo", "eo"),
        ("lat", "la"),
        ("kat", "ka"),
        ("hye", "hy"),
        ("cym", "cy"),
    ];
    SHORT
        .iter()
        .find(|(long, _)| *long == code)
        .map_or(code, |(_, short)| short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ways_of_writing_chinese_are_told_apart() {
        let tag = |text: &str| language_of(text).unwrap();
        assert_eq!(tag("他们说这个国家的经济发展很快。"), "zh-Hans");
        assert_eq!(tag("他們說這個國家的經濟發展很快。"), "zh-Hant");
        assert_eq!(tag("LanceDB 是一个向量数据库 embedded"), "zh-Hans");
    }

    #[test]
    fn kana_and_hangul_tell_their_languages() {
        assert_eq!(language_of("これは日本語の文章です。").unwrap(), "ja");
        assert_eq!(language_of("이것은 한국어 문장입니다.").unwrap(), "ko");
    }

    #[test]
    fn statistics_are_believed_only_on_enough_text() {
        assert_eq!(language_of("hybrid search"), None);
        assert_eq!(language_of("什么是RRF?").as_deref(), Some("zh-Hans"));
        let english = "The keeper of the lighthouse wrote down every storm of that winter, and the \
                       council asked him why there had been so many of them.";
        assert_eq!(language_of(english).as_deref(), Some("en"));
        assert_eq!(language_of(""), None);
        assert_eq!(language_of("12 345 678"), None);
    }

    #[test]
    fn declared_tags_are_brought_to_one_form() {
        assert_eq!(normal_tag("zh_CN").as_deref(), Some("zh-Hans"));
        assert_eq!(normal_tag("zh-HK").as_deref(), Some("zh-Hant"));
        assert_eq!(normal_tag(" en-GB ").as_deref(), Some("en-GB"));
        assert_eq!(normal_tag("{{ lang }}"), None);
        assert_eq!(normal_tag(""), None);
    }

    #[test]
    fn the_two_tables_have_the_same_length() {
        assert_eq!(SIMPLIFIED.chars().count(), TRADITIONAL.chars().count());
    }
}
