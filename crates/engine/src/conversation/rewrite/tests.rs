//! Follow-ups: what they lean on, what they may mean, and which meaning is taken.

use rag_core::AnswerMode;

use super::*;
use crate::testing::hit;

/// A turn that was answered.
pub(crate) fn turn(searched: &str, supported: &str) -> Turn {
    Turn {
        asked: searched.to_owned(),
        searched: searched.to_owned(),
        mode: AnswerMode::Generated,
        answer: supported.to_owned(),
        supported: supported.to_owned(),
        sources: Vec::new(),
        prompt: Vec::new(),
        shown: Vec::new(),
    }
}

const FLEET: [&str; 4] = [
    "The Tern was built in 1998 at the Marrow yard. She carries 96 passengers and 12 cars. The master of \
     the Tern is Brigid Sorley, who lives in Aldren.",
    "The Petrel was built in 2007. The Petrel carries 148 passengers. The master of the Petrel is Anton Reyes.",
    "An adult ticket to Stora Holm costs 10 crowns. A child ticket to Stora Holm costs 5 crowns.",
    "The daily allowance is 60 crowns.",
];
const BOATS: [&str; 3] = [
    "燕鸥号于1998年在马罗船厂建造。燕鸥号的船长是李海。燕鸥号可载客96人。",
    "海燕号于2007年建造。海燕号的船长是王宁。",
    "每个夜班发放夜班津贴45元。每个早班发放早班津贴20元。年假为五天。",
];

/// The meaning of `question` after `before` among `texts`; the question itself where it stands alone.
fn meant(before: (&str, &str), question: &str, texts: &[&str]) -> String {
    let turns = [turn(before.0, before.1)];
    let readings = readings(question, &turns);
    let hits: Vec<Hit> = texts.iter().map(|text| hit("a.md", text)).collect();
    let chosen = choose(&readings, question, &mut |_| Ok(hits.clone())).unwrap();
    chosen.map_or_else(|| question.to_owned(), |rewritten| rewritten.text)
}

#[test]
fn a_pronoun_stands_for_what_the_documents_say_it_of() {
    let before = (
        "Who is the master of the Tern?",
        "The master of the Tern is Brigid Sorley.",
    );
    let cases = [
        ("When was she built?", "When was the Tern built?"),
        (
            "How many cars does it carry?",
            "How many cars does the Tern carry?",
        ),
        ("Where does she live?", "Where does Brigid Sorley live?"),
    ];
    for (question, expected) in cases {
        assert_eq!(meant(before, question, &FLEET), expected);
    }
    let before = ("When was the Tern built?", "");
    assert_eq!(
        meant(before, "Who is her master?", &FLEET),
        "Who is the Tern's master?"
    );
    assert_eq!(
        meant(before, "And who commands that vessel?", &FLEET),
        "And who commands the Tern?"
    );
}

#[test]
fn a_question_that_is_cut_short_is_that_before_asked_of_something_else() {
    let before = ("When was the Tern built?", "The Tern was built in 1998.");
    for question in [
        "What about the Petrel?",
        "And the Petrel?",
        "how about Petrel",
    ] {
        assert_eq!(
            meant(before, question, &FLEET),
            "When was the Petrel built?"
        );
    }
    let before = ("What does an adult ticket to Stora Holm cost?", "");
    assert_eq!(
        meant(before, "And for a child?", &FLEET),
        "What does a child ticket to Stora Holm cost?"
    );
    let before = ("How many passengers does the Tern carry?", "");
    assert_eq!(
        meant(before, "How many cars?", &FLEET),
        "How many cars does the Tern carry?"
    );
}

#[test]
fn a_question_with_a_subject_of_its_own_stands_alone() {
    let before = ("When was the Tern built?", "The Tern was built in 1998.");
    for question in [
        "Who is the master of the Petrel?",
        "What does a ticket to Stora Holm cost?",
        "How much is the daily allowance?",
        "What is the boiling point of the yard?",
        "Is it true that the Tern carries cars?",
    ] {
        assert_eq!(meant(before, question, &FLEET), question);
    }
}

#[test]
fn a_question_without_a_name_is_of_what_was_spoken_of_if_the_documents_say_so() {
    let before = ("When was the Tern built?", "");
    assert_eq!(
        meant(before, "Who is the master?", &FLEET),
        "The Tern: who is the master?"
    );
}

#[test]
fn a_chinese_pronoun_stands_for_what_was_spoken_of() {
    let before = ("燕鸥号是哪一年建造的？", "燕鸥号于1998年建造。");
    for (question, expected) in [
        ("它的船长是谁？", "燕鸥号的船长是谁？"),
        ("那它可载客多少人？", "那燕鸥号可载客多少人？"),
        ("其船长是谁？", "燕鸥号的船长是谁？"),
        ("船长是谁？", "燕鸥号：船长是谁？"),
    ] {
        assert_eq!(meant(before, question, &BOATS), expected);
    }
}

#[test]
fn a_chinese_question_that_is_cut_short_is_asked_of_something_else() {
    let before = ("燕鸥号是哪一年建造的？", "燕鸥号于1998年建造。");
    assert_eq!(
        meant(before, "那海燕号呢？", &BOATS),
        "海燕号是哪一年建造的？"
    );
    let before = ("每个夜班的夜班津贴是多少？", "");
    assert_eq!(
        meant(before, "早班呢？", &BOATS),
        "每个早班的早班津贴是多少？"
    );
}

#[test]
fn a_chinese_question_with_a_subject_of_its_own_stands_alone() {
    let before = ("燕鸥号是哪一年建造的？", "燕鸥号于1998年建造。");
    for question in [
        "年假有几天？",
        "其他员工的夜班津贴是多少？",
        "海燕号的船长是谁？",
    ] {
        assert_eq!(meant(before, question, &BOATS), question);
    }
}

#[test]
fn the_first_question_of_a_conversation_leans_on_nothing() {
    assert!(readings("When was she built?", &[]).is_none());
}

#[test]
fn what_leans_on_nothing_is_not_searched_for_twice() {
    let turns = [turn("When was the Tern built?", "")];
    assert!(readings("Who is the master of the Petrel?", &turns).is_none());
}

#[test]
fn the_reading_of_the_model_counts_as_long_as_the_documents_speak_of_it_as_much() {
    let turns = [turn("When was the Tern built?", "")];
    let mut readings = readings("Who is her master?", &turns);
    let hits = [hit("a.md", FLEET[0])];
    let mut by = |text: &str| {
        readings.by_model = Some(text.to_owned());
        let chosen = choose(&readings, "Who is her master?", &mut |_| Ok(hits.to_vec()));
        chosen.unwrap().unwrap().by
    };
    assert_eq!(by("Who is the master of the Tern?"), RewrittenBy::Model);
    assert_eq!(by("Who is the master of the regatta?"), RewrittenBy::Rule);
}
