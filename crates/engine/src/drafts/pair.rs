//! A question with its answer: how a model is asked for one, and what is kept of what it writes. Pure.
//!
//! Small models write what they like around the two lines they are asked for; whatever can be told apart
//! is taken, and the rest is refused with a reason.

use rag_core::fold::{fold, is_unspaced};
use rag_core::{Chunk, Message, Role, Span, fold as folding};
use serde::Serialize;

use crate::align::overlap;

/// A question, and the place in the chunk that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) question: String,
    /// Byte range in the chunk's text.
    pub(super) answer: Span,
}

/// Why a draw gave no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Discarded {
    /// The model wrote no question with an answer.
    NoPair,
    /// The question is none, or far too short or too long for one.
    NoQuestion,
    /// The question speaks of "the passage", which who asks has not before them.
    SpeaksOfThePassage,
    /// The question is in another script than the passage.
    OtherScript,
    /// The question has no word of the passage.
    OtherMatter,
    /// The question was in the set before.
    Known,
    /// The answer stands nowhere in the passage.
    AnswerNotThere,
    /// The answer is half of the passage or more.
    AnswerTooLong,
    /// The sentence of the answer speaks of nothing that the question asks about.
    AnswerApart,
    /// The question holds its answer.
    GivenAway,
    /// The passage does not fit the model's context.
    TooLong,
    /// The passage does not stand in its file any more, or the file could not be read.
    FileChanged,
}

impl Discarded {
    /// The reason in a few words, for a line of counts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPair => "no question with an answer",
            Self::NoQuestion => "not a question",
            Self::SpeaksOfThePassage => "speaks of \"the passage\"",
            Self::OtherScript => "not in the passage's script",
            Self::OtherMatter => "about something else",
            Self::Known => "in the set before",
            Self::AnswerNotThere => "the answer is not in the passage",
            Self::AnswerTooLong => "the answer is too long",
            Self::AnswerApart => "the answer stands apart from what is asked",
            Self::GivenAway => "the question holds its answer",
            Self::TooLong => "too long for the model",
            Self::FileChanged => "the file has changed or can't be read",
        }
    }
}

const ENGLISH: &str = "You write questions for a quiz. For each passage, write one question about a \
fact in it that somebody who has not seen the passage understands, in the language of the passage. Then \
write the answer: a few words, copied from the passage exactly.";
const CHINESE: &str = "你为知识问答出题。针对每段资料，就其中的一个事实提出一个问题，没有看过资料的人也能读懂；再写出答案：从资料中原样抄录的几个字。";

/// One turn as it should go: a passage, a question and an answer. Small models follow an example where
/// they do not follow instructions.
const ENGLISH_TURN: [&str; 2] = [
    "Passage: The lighthouse on Gull Rock was lit for the first time in 1871. Its lamp burned colza oil \
     until the keepers changed to paraffin in 1894.",
    "Question: When did the lighthouse on Gull Rock change to paraffin?\nAnswer: in 1894",
];
const CHINESE_TURN: [&str; 2] = [
    "资料：青石桥建于清乾隆三年，全长四十二米，由当地石匠李永年主持修建。",
    "问题：青石桥是由谁主持修建的？\n答案：当地石匠李永年",
];

/// The conversation in which a model is asked about a chunk.
pub(super) fn prompt(chunk: &Chunk) -> Vec<Message> {
    let chinese = is_chinese(&chunk.text);
    let (system, [example, reply], passage) = if chinese {
        (CHINESE, CHINESE_TURN, "资料：")
    } else {
        (ENGLISH, ENGLISH_TURN, "Passage: ")
    };
    let said = |role, content: String| Message { role, content };
    vec![
        said(Role::System, system.to_owned()),
        said(Role::User, example.to_owned()),
        said(Role::Assistant, reply.to_owned()),
        said(
            Role::User,
            format!("{passage}{}", chunk.embedded_text().trim()),
        ),
    ]
}

/// Whether the model has written both lines and gone on to another.
pub(super) fn is_complete(written: &str) -> bool {
    let done = written.rfind('\n').map_or("", |end| &written[..end]);
    matches!(lines(done), (Some(_), Some(_)))
}

/// The question and the answer in what a model wrote about a chunk.
///
/// # Errors
/// Why there is none that could be used.
pub(super) fn read(written: &str, chunk: &Chunk) -> Result<Pair, Discarded> {
    let (Some(question), Some(answer)) = lines(written) else {
        return Err(Discarded::NoPair);
    };
    check_question(&question, chunk)?;
    let answer = find(&chunk.text, &answer).ok_or(Discarded::AnswerNotThere)?;
    check_answer(&question, answer, chunk)?;
    Ok(Pair { question, answer })
}

fn check_question(question: &str, chunk: &Chunk) -> Result<(), Discarded> {
    const SHORTEST: usize = 6;
    const LONGEST: usize = 300;
    let size = question.chars().filter(|c| !c.is_whitespace()).count();
    let asks = question.ends_with(['?', '？', '؟']);
    if !asks || !(SHORTEST..=LONGEST).contains(&size) {
        return Err(Discarded::NoQuestion);
    }
    let lower = question.to_lowercase();
    if SPEAKS_OF_THE_PASSAGE
        .iter()
        .any(|words| lower.contains(words))
    {
        return Err(Discarded::SpeaksOfThePassage);
    }
    if is_chinese(question) != is_chinese(&chunk.text) {
        return Err(Discarded::OtherScript);
    }
    if overlap(question, &chunk.embedded_text()) <= 0.0 {
        return Err(Discarded::OtherMatter);
    }
    Ok(())
}

fn check_answer(question: &str, answer: Span, chunk: &Chunk) -> Result<(), Discarded> {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    let text = answer.slice(&chunk.text);
    if letters(text) == 0 {
        return Err(Discarded::AnswerNotThere);
    }
    if letters(text) * 2 >= letters(&chunk.text) {
        return Err(Discarded::AnswerTooLong);
    }
    if fold(&question.to_lowercase()).contains(&fold(&text.to_lowercase())) {
        return Err(Discarded::GivenAway);
    }
    if overlap(question, around(&chunk.text, answer).slice(&chunk.text)) <= 0.0 {
        return Err(Discarded::AnswerApart);
    }
    Ok(())
}

/// The sentences that share a byte with `span`.
pub(super) fn around(text: &str, span: Span) -> Span {
    let touched = |sentence: &&Span| sentence.start < span.end && span.start < sentence.end;
    let all = rag_text::sentences(text);
    let first = all.iter().find(touched).map_or(span.start, |s| s.start);
    let last = all.iter().rfind(touched).map_or(span.end, |s| s.end);
    Span::new(first.min(span.start), last.max(span.end))
}

/// What refers to something that only the writer has before them, in lower case.
const SPEAKS_OF_THE_PASSAGE: [&str; 19] = [
    "the passage",
    "this passage",
    "the text",
    "this text",
    "the paragraph",
    "this paragraph",
    "the excerpt",
    "the article",
    "the author",
    "this section",
    "according to",
    "资料",
    "資料",
    "本文",
    "文中",
    "上文",
    "这段",
    "這段",
    "作者",
];

/// The question and the answer on their lines, each without its label, if they are there.
fn lines(written: &str) -> (Option<String>, Option<String>) {
    const QUESTION: [&str; 6] = ["question", "问题", "問題", "q", "问", "問"];
    const ANSWER: [&str; 5] = ["answer", "答案", "回答", "a", "答"];
    // What a model thinks before it writes is not for anybody to read.
    let written = written.rsplit("</think>").next().unwrap_or(written);
    let mut question: Option<String> = None;
    for line in written.lines() {
        let line =
            line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '#' | '-' | '>'));
        if line.is_empty() {
            continue;
        }
        if question.is_none() {
            let labelled = after_label(line, &QUESTION);
            // Both on one line, which is how some write them.
            let text = labelled.unwrap_or(line);
            if let Some(end) = text.find(['?', '？', '؟']) {
                let end = end + text[end..].chars().next().map_or(0, char::len_utf8);
                let rest = text[end..].trim();
                question = Some(bare(&text[..end]));
                if let Some(answer) = after_label(rest, &ANSWER).filter(|answer| !answer.is_empty())
                {
                    return (question, Some(bare(answer)));
                }
            } else if labelled.is_some() {
                question = Some(bare(text));
            }
        } else {
            let answer = after_label(line, &ANSWER).unwrap_or(line);
            if !answer.is_empty() {
                return (question, Some(bare(answer)));
            }
        }
    }
    (question, None)
}

/// What stands behind one of the labels, which may be numbered (`Q1:`) or set in bold.
fn after_label<'a>(line: &'a str, labels: &[&str]) -> Option<&'a str> {
    let (label, rest) = line.split_once([':', '：'])?;
    let label = label
        .trim_matches(|c: char| !c.is_alphabetic())
        .to_lowercase();
    let is_label = labels.contains(&label.as_str());
    is_label.then(|| rest.trim_matches(|c: char| c.is_whitespace() || c == '*'))
}

/// `text` without what is put around a quote.
fn bare(text: &str) -> String {
    let around =
        |c: char| c.is_whitespace() || matches!(c, '"' | '“' | '”' | '「' | '」' | '`' | '*');
    text.trim_matches(around).to_owned()
}

/// Where the answer stands in `text`: as it is written, or without a full stop that is not there, or with
/// a first letter that is large or small only at the beginning of a line.
fn find(text: &str, answer: &str) -> Option<Span> {
    let stopped = answer.trim_end_matches(['.', '。', '!', '！', ',', '，']);
    let forms = [
        answer.to_owned(),
        stopped.to_owned(),
        turned(answer),
        turned(stopped),
    ];
    forms.iter().find_map(|form| folding::find(text, form))
}

/// `text` with the case of its first letter turned.
fn turned(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else {
        return String::new();
    };
    let first: String = if first.is_uppercase() {
        first.to_lowercase().collect()
    } else {
        first.to_uppercase().collect()
    };
    first + letters.as_str()
}

/// Whether a text is mostly of a script without spaces.
fn is_chinese(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    let (unspaced, spaced): (Vec<char>, Vec<char>) = letters.partition(|c| is_unspaced(*c));
    // One character of the first says about as much as three letters of the second.
    unspaced.len() * 3 > spaced.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERN: &str = "The Tern was built in Bergen in 1978. She carries 60 passengers to the skerries \
                        and is moored at the old pier.";

    fn chunk(text: &str) -> Chunk {
        Chunk {
            text: text.to_owned(),
            heading: vec!["Fleet".to_owned()],
            ..Chunk::default()
        }
    }

    fn pair(written: &str, text: &str) -> Result<(String, String), Discarded> {
        let pair = read(written, &chunk(text))?;
        Ok((pair.question, pair.answer.slice(text).to_owned()))
    }

    #[test]
    fn the_pair_is_found_however_it_is_set_down() {
        let expected = Ok(("Where was the Tern built?".to_owned(), "Bergen".to_owned()));
        for written in [
            "Question: Where was the Tern built?\nAnswer: Bergen",
            "**Question:** Where was the Tern built?\n\n**Answer:** \"Bergen.\"\n\nQuestion: And when?",
            "Q1: Where was the Tern built? A1: bergen",
            "<think>Hm: a ship?</think>Where was the Tern built?\nBergen",
            "Sure! Here it is:\n- question: Where was the Tern built?\n- answer: Bergen",
        ] {
            assert_eq!(pair(written, TERN), expected, "{written}");
        }
        let bridge = "青石桥建于清乾隆三年，由当地石匠\n李永年主持修建，桥面用整块青石铺成。";
        let expected = Ok((
            "石桥的桥面是用什么铺成的？".to_owned(),
            "整块青石".to_owned(),
        ));
        for written in [
            "问题：石桥的桥面是用什么铺成的？\n答案：整块青石。",
            "問題: 石桥的桥面是用什么铺成的？答案：「整块青石」",
        ] {
            assert_eq!(pair(written, bridge), expected, "{written}");
        }
        // The answer is the file's own text, line break included.
        let (_, answer) = pair("问题：青石桥是由谁修建的？\n答案：石匠李永年", bridge).unwrap();
        assert_eq!(answer, "石匠\n李永年");
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_the_reason() {
        for (written, reason) in [
            ("", Discarded::NoPair),
            ("The Tern is a ship.", Discarded::NoPair),
            ("Question: Where was the Tern built?", Discarded::NoPair),
            ("Question: The Tern\nAnswer: Bergen", Discarded::NoQuestion),
            ("Question: Tern?\nAnswer: Bergen", Discarded::NoQuestion),
            (
                "Question: What does the passage say of the Tern?\nAnswer: built in Bergen",
                Discarded::SpeaksOfThePassage,
            ),
            (
                "Question: 渡船是在哪里建造的？\nAnswer: Bergen",
                Discarded::OtherScript,
            ),
            (
                "Question: When did the lighthouse change to paraffin?\nAnswer: in 1978",
                Discarded::OtherMatter,
            ),
            (
                "Question: Where was the Tern built?\nAnswer: Oslo",
                Discarded::AnswerNotThere,
            ),
            (
                "Question: Where was the Tern built?\nAnswer: ...",
                Discarded::AnswerNotThere,
            ),
            (
                "Question: What is the Tern?\nAnswer: The Tern was built in Bergen in 1978. She carries \
                 60 passengers to the skerries",
                Discarded::AnswerTooLong,
            ),
            (
                "Question: Was the Tern built in Bergen?\nAnswer: bergen",
                Discarded::GivenAway,
            ),
            (
                "Question: How old is the pier?\nAnswer: Bergen",
                Discarded::AnswerApart,
            ),
        ] {
            assert_eq!(pair(written, TERN), Err(reason), "{written}");
        }
    }

    #[test]
    fn a_model_is_stopped_once_both_lines_are_there() {
        assert!(!is_complete(
            "Question: Where was the Tern built?\nAnswer: Ber"
        ));
        assert!(is_complete(
            "Question: Where was the Tern built?\nAnswer: Bergen\n"
        ));
        assert!(!is_complete("Where was the Tern built?\n\n"));
        assert!(!is_complete(""));
    }

    #[test]
    fn a_chinese_passage_is_asked_about_in_chinese() {
        let chinese = prompt(&chunk("青石桥建于清乾隆三年。"));
        assert!(
            chinese[3].content.starts_with("资料：Fleet\n青石桥"),
            "{chinese:?}"
        );
        assert!(chinese.iter().all(|message| is_chinese(&message.content)));
        let english = prompt(&chunk(TERN));
        assert!(english[3].content.starts_with("Passage: Fleet\nThe Tern"));
        assert!(english.iter().all(|message| !is_chinese(&message.content)));
    }
}
