//! Whether a question is put to everything: asks how many places or which sources, and not for something
//! that stands in one of them. Pure.
//!
//! The rule: a question is over everything when it names the documents, or places in them, as what is to
//! be counted or listed ("how many documents mention X", "every mention of X", "how often is X named",
//! 哪些文档提到 X), or asks for all of something by a short name ("list all storms", 列出所有风暴), or for how
//! many there are in all documents ("how many storms are in my notes", 文档里有多少风暴). "How many
//! employees does X have?", 有多少员工 and "list all members of the crew" stay ordinary: the figure or the
//! list stands in some document, and counting a word would answer another question. [`Asked::is_near`]
//! tells of these, so that whoever asks can be told how to ask for the other reading.

use serde::{Deserialize, Serialize};

use super::{chinese, english};

pub use rag_core::everything::Counted;

/// A question over everything, as it was understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub counted: Counted,
    /// What must stand in a text, as it was written, without quotation marks.
    pub subject: String,
    /// Whether it was quoted, and so may only stand as it is.
    pub is_quoted: bool,
}

impl Asked {
    /// What `question` asks for over everything; none for an ordinary question.
    #[must_use]
    pub fn of(question: &str) -> Option<Self> {
        let question = question.trim();
        english::asked(question).or_else(|| chinese::asked(question))
    }

    /// The same for whoever wants it so: an ordinary question is looked for by its own words. None
    /// without a letter or digit.
    #[must_use]
    pub fn told(question: &str) -> Option<Self> {
        Self::of(question).or_else(|| Self::new(Counted::Places, question))
    }

    /// Whether an ordinary question asks for a number or a list that could be meant over everything.
    #[must_use]
    pub fn is_near(question: &str) -> bool {
        let question = question.trim();
        english::is_near(question) || chinese::is_near(question)
    }

    pub(super) fn new(counted: Counted, subject: &str) -> Option<Self> {
        const OPEN: [char; 9] = ['"', '“', '”', '「', '『', '«', '\'', '‘', '《'];
        const CLOSE: [char; 11] = ['"', '”', '“', '」', '』', '»', '\'', '’', '》', '?', '？'];
        let is_end = |c: char| {
            c.is_whitespace()
                || matches!(
                    c,
                    '.' | '。' | '?' | '？' | '!' | '！' | ',' | '，' | ':' | '：'
                )
        };
        let subject = subject.trim_matches(is_end);
        let bare = subject
            .trim_start_matches(OPEN)
            .trim_end_matches(CLOSE)
            .trim_matches(is_end);
        let is_quoted = subject.starts_with(OPEN) && subject.ends_with(CLOSE);
        bare.contains(char::is_alphanumeric).then(|| Self {
            counted,
            subject: bare.to_owned(),
            is_quoted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn over_everything(counted: Counted, subject: &str, questions: &[&str]) {
        for question in questions {
            let asked = Asked::of(question).map(|asked| (asked.counted, asked.subject));
            assert_eq!(asked, Some((counted, subject.to_owned())), "{question}");
        }
    }

    #[test]
    fn which_and_how_many_documents_have_a_word_is_a_question_over_everything() {
        over_everything(
            Counted::Sources,
            "Ever Given",
            &[
                "Which documents mention Ever Given?",
                "which files mention the Ever Given",
                "What documents contain the phrase \"Ever Given\"?",
                "How many documents mention the Ever Given?",
                "How many of the reports refer to the Ever Given?",
                "How many documents are there that mention Ever Given?",
                "In which documents is the Ever Given mentioned?",
                "In how many files does the Ever Given appear?",
                "List all documents that mention the Ever Given.",
                "list the files containing \"Ever Given\"",
                "Please show me every note which talks about the Ever Given",
                "Can you count the documents mentioning the Ever Given?",
                "all files where the Ever Given is mentioned",
                "documents that mention Ever Given",
            ],
        );
    }

    #[test]
    fn how_often_a_word_stands_somewhere_is_a_question_over_everything() {
        over_everything(
            Counted::Places,
            "storms",
            &[
                "How often are storms mentioned?",
                "How many times do storms appear in the documents?",
                "How many mentions of storms are there?",
                "Find every mention of storms.",
                "list all occurrences of the word “storms”",
                "List all storms",
                "list all the storms in my documents",
                "Show me all storms across the notes",
                "Where are storms mentioned?",
                "How many storms are there in my documents?",
                "How many storms are in the knowledge base?",
            ],
        );
    }

    #[test]
    fn a_figure_or_a_list_that_stands_in_a_document_is_an_ordinary_question() {
        for question in [
            "How many employees does the company have?",
            "How many passengers can the Tern carry?",
            "How many storms did the keeper count in 1998?",
            "How many pages are in the annual report?",
            "How many times may a ticket be used?",
            "List the rules for dogs.",
            "List all members of the crew.",
            "List all the steps to restart the engine",
            "Which document do I need to board?",
            "Which document describes how to restart the engine?",
            "Which files mention that the gearbox failed?",
            "What reports are due in May?",
            "Where is the first aid kit found?",
            "Where was the Tern built?",
            "list all documents",
            "What is the name of the ferry?",
            "",
            "How many",
        ] {
            assert_eq!(Asked::of(question), None, "{question}");
        }
    }

    #[test]
    fn in_chinese_which_documents_is_a_question_over_everything() {
        over_everything(
            Counted::Sources,
            "变速箱",
            &[
                "哪些文档提到变速箱？",
                "哪些文件提到了变速箱",
                "哪几份报告里提到过变速箱？",
                "请问有多少文档提到了变速箱？",
                "有多少份文件提到变速箱",
                "一共有几个文件包含“变速箱”？",
                "变速箱在哪些文档中被提到？",
                "变速箱在哪些文件里出现过",
                "列出所有提到变速箱的文件",
                "帮我找出全部提到变速箱的文档。",
                "提到变速箱的文件有哪些？",
                "提到变速箱的文档有多少",
            ],
        );
        over_everything(
            Counted::Sources,
            "變速箱",
            &[
                "哪些檔案提到變速箱？",
                "有多少份文件提到了變速箱",
                "變速箱在哪些文檔裡出現過？",
            ],
        );
    }

    #[test]
    fn in_chinese_how_often_is_a_question_over_everything() {
        over_everything(
            Counted::Places,
            "风暴",
            &[
                "风暴被提到了多少次？",
                "风暴一共出现了几次",
                "文档里有多少个风暴？",
                "我的文件中一共提到了多少次风暴？",
                "列出所有风暴",
                "列出所有的风暴。",
                "请列举全部提到风暴的地方",
                "哪里提到了风暴？",
                "有多少处提到风暴",
            ],
        );
    }

    #[test]
    fn in_chinese_a_figure_that_stands_in_a_document_is_an_ordinary_question() {
        for question in [
            "公司有多少员工？",
            "有多少员工？",
            "燕鸥号能载多少乘客？",
            "这份文件里有多少页？",
            "列出所有员工的职责",
            "列出狗的规定",
            "哪些文件需要签字？",
            "渡轮在哪里停靠？",
            "列出所有文件",
            "第三季度的营业收入是多少？",
        ] {
            assert_eq!(Asked::of(question), None, "{question}");
        }
    }

    #[test]
    fn an_ordinary_question_for_a_number_or_a_list_is_near() {
        for question in [
            "How many employees does the company have?",
            "List all members of the crew.",
            "公司有多少员工？",
            "列出所有员工的职责",
        ] {
            assert!(Asked::is_near(question), "{question}");
        }
        for question in [
            "Where was the Tern built?",
            "渡轮在哪里停靠？",
            "营业收入是多少？",
            "List the rules",
        ] {
            assert!(!Asked::is_near(question), "{question}");
        }
    }

    #[test]
    fn who_wants_it_so_gets_any_words_counted() {
        let told = Asked::told("safety rules?").unwrap();
        assert_eq!(
            (told.subject.as_str(), told.is_quoted),
            ("safety rules", false)
        );
        assert!(Asked::told("\"safety rules\"").unwrap().is_quoted);
        assert_eq!(Asked::told("?!"), None);
    }
}
