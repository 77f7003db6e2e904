//! Conversations: questions that lean on those before them, and what is remembered of them.
//!
//! A turn goes the way of every question (`ask.rs`). What a conversation adds is before it, a question
//! that stands by itself ([`rewrite`]), and within it a prompt that begins like the one before
//! ([`Earlier`]).

mod chinese;
mod english;
mod keep;
mod model;
mod rewrite;

use std::path::PathBuf;

use rag_core::{
    Answer, AnswerMode, Citation, Cited, Message, Mode, Query, Result, Rewritten, SourceKey, Span,
};
use serde::{Deserialize, Serialize};

use crate::ask::{Ask, AskEvent, Question};
use crate::engine::Engine;
use crate::everything::Asked;
use crate::in_progress::InProgress;
use crate::prompt::{Room, compose};
use crate::retrieve::{self, Models};

/// Questions and answers in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Conversation {
    pub turns: Vec<Turn>,
}

/// A question and what it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// As it was typed.
    pub asked: String,
    /// As it was searched for and answered: it stands by itself.
    pub searched: String,
    pub mode: AnswerMode,
    /// With its marks; empty where the question was refused.
    pub answer: String,
    /// The sentences of the answer that have a citation, without marks.
    pub supported: String,
    pub sources: Vec<CitedFile>,
    /// The prompt, as far as it is worth continuing from; not kept on disk.
    #[serde(skip)]
    prompt: Vec<Message>,
    /// The passages in the order of the prompt.
    #[serde(skip)]
    shown: Vec<PassageId>,
}

/// A citation and the file that it is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CitedFile {
    #[serde(flatten)]
    pub citation: Citation,
    pub key: SourceKey,
    #[serde(with = "crate::name::as_text")]
    pub file: PathBuf,
}

/// A passage, whatever found it: its source and its span there.
pub(crate) type PassageId = (SourceKey, Span);

/// What a conversation puts into the prompt of its next turn.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Earlier<'a> {
    /// The passages of the prompt before, in its order.
    pub(crate) shown: &'a [PassageId],
    /// Turns that the model is shown, the oldest first.
    pub(crate) turns: &'a [Turn],
}

/// What a turn got.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// `question` is what was typed.
    pub answer: Answer,
    /// None where the question stood by itself.
    pub rewritten: Option<Rewritten>,
    turn: Turn,
}

impl Conversation {
    /// Takes a reply in as the latest turn.
    pub fn add(&mut self, reply: &Reply) {
        self.turns.push(reply.turn.clone());
        let long_ago = self.turns.len().saturating_sub(2);
        for turn in &mut self.turns[..long_ago] {
            turn.prompt = Vec::new(); // only that of the latest answer is gone on from
        }
    }

    /// The latest turn that was answered, whose sources are those that people mean.
    #[must_use]
    pub fn latest_answered(&self) -> Option<&Turn> {
        self.turns
            .iter()
            .rev()
            .find(|turn| !turn.sources.is_empty())
    }

    /// What the next prompt takes from the latest turns, of which the model is shown at most `most`.
    fn earlier(&self, most: usize) -> Earlier<'_> {
        let latest = self.turns.iter().rev();
        let mut with_prompt = latest.filter(|turn| !turn.shown.is_empty());
        let answered = |turn: &Turn| !turn.supported.is_empty();
        let run = self.turns.iter().rev().take_while(|turn| answered(turn));
        let from = self.turns.len() - run.count().min(most);
        Earlier {
            shown: with_prompt.next().map_or(&[], |turn| &turn.shown),
            turns: &self.turns[from..],
        }
    }
}

impl Turn {
    fn of(answer: &Answer, searched: &str) -> Self {
        let supported: Vec<&str> = answer
            .sentences
            .iter()
            .filter(|sentence| !sentence.citations.is_empty())
            .map(|sentence| sentence.text.as_str())
            .collect();
        let of_file = |(citation, cited): (&Citation, &Cited)| CitedFile {
            citation: citation.clone(),
            key: cited.source.key.clone(),
            file: crate::name::place(&cited.source),
        };
        let sources = answer.citations.iter().zip(&answer.cited).map(of_file);
        Self {
            asked: answer.question.clone(),
            searched: searched.to_owned(),
            mode: answer.mode,
            answer: answer.text.clone(),
            supported: supported.join(" "),
            sources: sources.collect(),
            prompt: Vec::new(),
            shown: Vec::new(),
        }
    }
}

impl Reply {
    /// The turn that [`Conversation::add`] takes in.
    #[must_use]
    pub fn turn(&self) -> &Turn {
        &self.turn
    }
}

impl Engine {
    /// [`Engine::ask`] within a conversation: the question is first made to stand by itself, where it
    /// does not. The conversation is left as it is; [`Conversation::add`] takes the reply in.
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn converse(
        &self,
        question: &Question,
        conversation: &Conversation,
        on_event: &mut dyn FnMut(AskEvent<'_>),
    ) -> Result<Reply> {
        let rewritten = self.rewritten(question, conversation)?;
        if let Some(rewritten) = &rewritten {
            on_event(AskEvent::Rewritten(rewritten));
        }
        let alone = Question {
            text: rewritten
                .as_ref()
                .map_or_else(|| question.text.clone(), |rewritten| rewritten.text.clone()),
            ..question.clone()
        };
        let earlier = conversation.earlier(self.settings.turns_shown);
        let mut answer = self.ask_after(&alone, earlier, on_event)?;
        answer.question.clone_from(&question.text);
        let mut turn = Turn::of(&answer, &alone.text);
        self.remember_prompt(&alone, &answer, earlier, &mut turn)?;
        Ok(Reply {
            answer,
            rewritten,
            turn,
        })
    }

    /// [`Engine::ask_everything`] as a turn of a conversation.
    ///
    /// # Errors
    /// As [`Engine::ask_everything`].
    pub fn count_in_turn(&self, question: &Question, asked: &Asked) -> Result<Reply> {
        let answer = self.ask_everything(&question.text, asked, &question.filter)?;
        let turn = Turn::of(&answer, &question.text);
        Ok(Reply {
            answer,
            rewritten: None,
            turn,
        })
    }

    fn ask_after(
        &self,
        question: &Question,
        earlier: Earlier<'_>,
        on_event: &mut dyn FnMut(AskEvent<'_>),
    ) -> Result<Answer> {
        let _answering = InProgress::begin(&self.answering);
        let store = self.reader()?;
        let ask = Ask {
            earlier,
            ..self.asking(&store)?
        };
        ask.run(question, on_event)
    }

    /// Notes the prompt that the answer was written after, for the next turn to continue from.
    fn remember_prompt(
        &self,
        question: &Question,
        answer: &Answer,
        earlier: Earlier<'_>,
        turn: &mut Turn,
    ) -> Result<()> {
        let (Some(generator), true) = (self.generator.as_deref(), answer.usage.prompt_tokens > 0)
        else {
            return Ok(());
        };
        let room = Room {
            passages: self.settings.passage_tokens,
            answer: question.sampling.max_tokens,
        };
        let prompt = compose(&question.text, &answer.hits, generator, room, earlier)?;
        turn.shown = prompt.order;
        turn.prompt = prompt.messages;
        Ok(())
    }

    /// The question as it stands by itself; none where it does already.
    fn rewritten(
        &self,
        question: &Question,
        conversation: &Conversation,
    ) -> Result<Option<Rewritten>> {
        let mut readings = rewrite::readings(&question.text, &conversation.turns);
        if readings.is_none() {
            return Ok(None);
        }
        let store = self.reader()?;
        let mut search = |text: &str| {
            let query = Query {
                text: text.to_owned(),
                mode: Mode::Words,
                limit: rewrite::LOOKED_AT,
                filter: question.filter.clone(),
            };
            let models = Models {
                embedder: None,
                reranker: None,
            };
            retrieve::search(&store, models, &query, self.settings.breadth(), &mut |_| {})
        };
        if self.settings.rewrites
            && question.mode == AnswerMode::Generated
            && let Some(generator) = self.generator.as_deref()
        {
            readings.by_model =
                model::reading(&question.text, &conversation.turns, generator, &self.stop)?;
        }
        rewrite::choose(&readings, &question.text, &mut search)
    }
}

#[cfg(test)]
mod tests;
