//! A follow-up made to stand by itself by the language model, as far as what it writes can be held to
//! the conversation: no name, number or matter that nobody spoke of.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use rag_core::fold::is_unspaced;
use rag_core::{Generator, Message, Result, Role, Sampling};

use super::Turn;
use crate::align::terms;
use crate::engine::interrupted;

const ENGLISH: &str = "Rewrite my next question so that it can be understood without this \
conversation: put what I mean in the place of words like \"it\", \"she\" or \"there\", and add what \
the question leaves out. Write only the rewritten question. My next question: ";
const CHINESE: &str = "请把我的下一个问题改写成不看以上对话也能看懂的完整问题：把代词换成所指的事物，补上省略的内容。\
只写改写后的问题。我的下一个问题：";

/// Turns that are told again where the last prompt can't be gone on from.
const TOLD: usize = 3;
/// Share of the question's own terms that must come again.
const KEPT: f32 = 0.6;

/// What the model makes of `question`; none where it can't be held to the conversation.
///
/// The last prompt is gone on from, so that its passages need not be read again, neither now nor for the
/// answer.
///
/// # Errors
/// Whatever the model reports, but for a prompt that is too long; `Interrupted`.
pub(super) fn reading(
    question: &str,
    turns: &[Turn],
    generator: &dyn Generator,
    stop: &AtomicBool,
) -> Result<Option<String>> {
    let Some(last) = turns.last() else {
        return Ok(None);
    };
    let sampling = Sampling::greedy(96);
    let messages = messages(question, turns, last);
    if generator.prompt_tokens(&messages)? + sampling.max_tokens > generator.context_tokens() {
        return Ok(None);
    }
    let generation = generator.generate(&messages, &sampling, &mut |_| {
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    if stop.load(Ordering::Relaxed) {
        return Err(interrupted());
    }
    Ok(held(&generation.text, question, turns))
}

fn messages(question: &str, turns: &[Turn], last: &Turn) -> Vec<Message> {
    let user = |content| Message {
        role: Role::User,
        content,
    };
    let assistant = |content: &str| Message {
        role: Role::Assistant,
        content: content.to_owned(),
    };
    let chinese = question.chars().any(is_unspaced);
    let request = if chinese { CHINESE } else { ENGLISH };
    let request = user(format!("{request}{}", question.trim()));
    if !last.prompt.is_empty() && !last.supported.is_empty() {
        let mut messages = last.prompt.clone();
        messages.extend([assistant(&last.supported), request]);
        return messages;
    }
    let mut messages = Vec::new();
    for turn in &turns[turns.len().saturating_sub(TOLD)..] {
        let said = if turn.supported.is_empty() {
            "—"
        } else {
            &turn.supported
        };
        messages.extend([user(turn.searched.clone()), assistant(said)]);
    }
    messages.push(request);
    messages
}

/// The first line of what was written, if it asks what was asked and speaks of nothing else than the
/// conversation.
fn held(written: &str, question: &str, turns: &[Turn]) -> Option<String> {
    let line = written
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    let line = line.trim_matches(['"', '“', '”', '「', '」', ' ']);
    let is_chinese = |text: &str| text.chars().any(is_unspaced);
    let told = turns
        .iter()
        .map(|turn| format!("{}\n{}\n{}", turn.asked, turn.searched, turn.supported));
    let told = terms(&told.collect::<Vec<_>>().join("\n"));
    let (own, new) = (terms(question), terms(line));
    let known: HashSet<&String> = told.union(&own).collect();
    // Joined words give pairs of characters that nobody said; whole words must have been said.
    let strange = new.iter().filter(|term| !known.contains(term));
    let strange = strange.filter(|term| !is_chinese(term) || !spoken(term, &known));
    let kept = own.intersection(&new).count() as f32;
    let is_held = line.chars().count() <= 4 * question.chars().count() + 200
        && is_chinese(line) == is_chinese(question)
        && strange.count() == 0
        && kept >= KEPT * own.len() as f32
        && line != question.trim();
    is_held.then(|| line.to_owned())
}

/// Whether each character of the term was said.
fn spoken(term: &str, known: &HashSet<&String>) -> bool {
    let said = |c: char| known.iter().any(|term| term.contains(c));
    term.chars().all(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::rewrite::tests::turn;

    #[test]
    fn what_the_model_writes_is_held_to_the_words_of_the_conversation() {
        let turns = [turn(
            "When was the Tern built?",
            "The Tern was built in 1998.",
        )];
        let held = |written| held(written, "Who is her master?", &turns);
        let right = "Who is the master of the Tern?";
        assert_eq!(held(right).as_deref(), Some(right));
        assert_eq!(
            held("\n\"Who is the master of the Tern?\"\nBecause").as_deref(),
            Some(right)
        );
        for wrong in [
            "",
            "Who is her master?",
            "Who is the master of the Petrel?",
            "When was the Tern built?",
            "The master of the Tern is Captain Ahab.",
            "燕鸥号的船长是谁？",
        ] {
            assert_eq!(held(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn chinese_that_was_said_may_be_joined_anew() {
        let turns = [turn("燕鸥号是哪一年建造的？", "燕鸥号建于1998年。")];
        let right = "燕鸥号的船长是谁？";
        assert_eq!(
            held(right, "它的船长是谁？", &turns).as_deref(),
            Some(right)
        );
        assert_eq!(held("海燕号的船长是谁？", "它的船长是谁？", &turns), None);
    }
}
