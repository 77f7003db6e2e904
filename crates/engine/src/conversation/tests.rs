//! Conversations over a knowledge base: rewriting before the search, prompts that are gone on from, and
//! what is kept on disk.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rag_core::{Filter, Finish, Generation, Generator, RewrittenBy, Sampling};
use tempfile::TempDir;

use super::*;
use crate::testing::{HashEmbedder, engine_with, files, ingest};
use crate::{KnowledgeBase, Settings};

const FLEET: &str = "# Fleet\n\nThe Tern was built in Bergen in 1978. She carries 60 passengers.\n\n\
                     The Petrel was built in Oslo in 1987. She carries 85 passengers.\n";

/// Answers each prompt by the next of its script and notes the prompts.
#[derive(Debug)]
struct Noting {
    script: Mutex<Vec<&'static str>>,
    prompts: Mutex<Vec<Vec<Message>>>,
}

impl Noting {
    fn new(script: &[&'static str]) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.iter().rev().copied().collect()),
            prompts: Mutex::default(),
        })
    }

    fn prompts(&self) -> Vec<Vec<Message>> {
        self.prompts.lock().unwrap().clone()
    }
}

fn written(messages: &[Message]) -> String {
    let turn = |message: &Message| format!("<{}>{}", message.role.as_str(), message.content);
    messages.iter().map(turn).collect()
}

impl Generator for Noting {
    fn name(&self) -> &'static str {
        "noting"
    }

    fn context_tokens(&self) -> usize {
        2000
    }

    fn prompt_tokens(&self, messages: &[Message]) -> Result<usize> {
        Ok(written(messages).len().div_ceil(4))
    }

    fn generate(
        &self,
        messages: &[Message],
        _sampling: &Sampling,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation> {
        self.prompts.lock().unwrap().push(messages.to_vec());
        let text = self.script.lock().unwrap().pop().unwrap_or_default();
        let _ = on_text(text);
        Ok(Generation {
            text: text.to_owned(),
            prompt_tokens: self.prompt_tokens(messages)?,
            reused_tokens: 0,
            generated_tokens: 1,
            finish: Finish::Stop,
            prefill_ms: 0.0,
            decode_ms: 0.0,
        })
    }
}

struct World {
    home: TempDir,
    _docs: TempDir,
    engine: Engine,
    conversation: Conversation,
}

impl World {
    fn new(generator: &Arc<Noting>, settings: Settings) -> Self {
        let (home, docs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        files(
            docs.path(),
            &[
                ("fleet.md", FLEET),
                ("shop.md", "The shop sells tea and cake.\n"),
            ],
        );
        let (engine, _) = engine_with(home.path(), HashEmbedder::default());
        let engine = engine
            .with_generator(Arc::clone(generator) as _)
            .with_settings(settings);
        ingest(&engine, docs.path());
        Self {
            home,
            _docs: docs,
            engine,
            conversation: Conversation::default(),
        }
    }

    fn ask_in(&mut self, mode: AnswerMode, text: &str) -> Reply {
        let question = Question {
            text: text.into(),
            mode,
            limit: 5,
            filter: Filter::default(),
            sampling: Sampling::greedy(100),
        };
        let reply = self
            .engine
            .converse(&question, &self.conversation, &mut |_| {});
        let reply = reply.unwrap();
        self.conversation.add(&reply);
        reply
    }

    fn ask(&mut self, text: &str) -> Reply {
        self.ask_in(AnswerMode::Generated, text)
    }

    fn kb(&self) -> KnowledgeBase {
        KnowledgeBase::new(self.home.path(), "test").unwrap()
    }
}

#[test]
fn a_follow_up_is_searched_for_and_answered_as_it_is_meant() {
    let script = [
        "The Tern was built in Bergen in 1978.",
        "The Tern carries 60 passengers.",
    ];
    let generator = Noting::new(&script);
    let mut world = World::new(&generator, Settings::default());
    let first = world.ask("Where was the Tern built?");
    assert_eq!(first.rewritten, None);
    let second = world.ask("How many passengers does she carry?");
    assert_eq!(
        second.answer.question,
        "How many passengers does she carry?"
    );
    let rewritten = second.rewritten.unwrap();
    assert_eq!(rewritten.text, "How many passengers does the Tern carry?");
    assert_eq!(rewritten.by, RewrittenBy::Rule);
    let quote = &second.answer.citations[0].quote;
    assert!(quote.ends_with("She carries 60 passengers."), "{quote}");
    let prompt = generator.prompts().pop().unwrap();
    assert!(prompt.last().unwrap().content.ends_with(&rewritten.text));
}

#[test]
fn quotes_alone_need_no_model_in_a_conversation_either() {
    let generator = Noting::new(&[]);
    let mut world = World::new(&generator, Settings::default());
    world.ask_in(AnswerMode::Extractive, "Where was the Tern built?");
    let reply = world.ask_in(AnswerMode::Extractive, "What about the Petrel?");
    assert_eq!(reply.rewritten.unwrap().text, "Where was the Petrel built?");
    assert!(reply.answer.text.contains("Oslo"), "{}", reply.answer.text);
    assert!(generator.prompts().is_empty());
}

/// How many characters two prompts have in common at their beginning.
fn shared(a: &[Message], b: &[Message]) -> usize {
    let (a, b) = (written(a), written(b));
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

#[test]
fn a_follow_up_on_the_same_passages_begins_with_the_prompt_before_up_to_its_question() {
    let script = [
        "The Tern was built in Bergen in 1978.",
        "The Petrel was built in Oslo in 1987.",
    ];
    let generator = Noting::new(&script);
    let mut world = World::new(&generator, Settings::default());
    world.ask("Where was the Tern built?");
    world.ask("What about the Petrel?");
    let prompts = generator.prompts();
    let passages = written(&prompts[0]).find("Question: ").unwrap();
    assert!(shared(&prompts[0], &prompts[1]) >= passages, "{prompts:#?}");
}

#[test]
fn a_model_that_is_shown_earlier_turns_goes_on_from_the_whole_prompt_before() {
    let script = [
        "The Tern was built in Bergen in 1978.",
        "The Petrel was built in Oslo in 1987.",
    ];
    let generator = Noting::new(&script);
    let settings = Settings {
        turns_shown: 3,
        ..Settings::default()
    };
    let mut world = World::new(&generator, settings);
    world.ask("Where was the Tern built?");
    world.ask("What about the Petrel?");
    let prompts = generator.prompts();
    assert_eq!(prompts[1][..2], prompts[0][..]);
    assert_eq!(prompts[1][2].content, script[0]);
    assert_eq!(
        prompts[1][3].content,
        "Question: Where was the Petrel built?"
    );
}

#[test]
fn a_model_that_rewrites_is_asked_behind_the_prompt_before() {
    let script = [
        "The Tern was built in Bergen in 1978.",
        "How many passengers does the Tern carry?",
        "The Tern carries 60 passengers.",
    ];
    let generator = Noting::new(&script);
    let settings = Settings {
        rewrites: true,
        turns_shown: 3,
        ..Settings::default()
    };
    let mut world = World::new(&generator, settings);
    world.ask("Where was the Tern built?");
    let reply = world.ask("How many passengers does she carry?");
    let rewritten = reply.rewritten.unwrap();
    assert_eq!(rewritten.text, script[1]);
    assert_eq!(rewritten.by, RewrittenBy::Model);
    let prompts = generator.prompts();
    assert_eq!(prompts[1][..2], prompts[0][..]);
    assert_eq!(reply.answer.citations.len(), 1);
}

#[test]
fn what_was_refused_is_still_what_is_spoken_of() {
    let generator = Noting::new(&["I don't know.", "The Tern carries 60 passengers."]);
    let mut world = World::new(&generator, Settings::default());
    let refused = world.ask("Who painted the Tern?");
    assert!(refused.answer.refused.is_some());
    let reply = world.ask("How many passengers does she carry?");
    assert_eq!(
        reply.rewritten.unwrap().text,
        "How many passengers does the Tern carry?"
    );
}

#[test]
fn the_conversation_is_kept_for_its_owner_and_can_be_erased() {
    let generator = Noting::new(&["The Tern was built in Bergen in 1978."]);
    let mut world = World::new(&generator, Settings::default());
    let kb = world.kb();
    assert_eq!(kb.conversation().unwrap(), Conversation::default());
    world.ask("Where was the Tern built?");
    kb.keep_conversation(&world.conversation).unwrap();
    kb.keep_typed(&["Where was the Tern built?".into()])
        .unwrap();
    let kept = kb.conversation().unwrap();
    let source = &kept.latest_answered().unwrap().sources[0];
    assert_eq!(source.citation.n, 1);
    assert!(source.file.ends_with("fleet.md") && source.file.is_file());
    assert_eq!(kb.typed().unwrap(), ["Where was the Tern built?"]);
    for name in ["conversation.json", "typed.txt"] {
        must_be_private(&kb.dir().join(name));
    }
    assert!(kb.erase_conversation().unwrap());
    assert!(!kb.erase_conversation().unwrap());
    assert_eq!(kb.conversation().unwrap(), Conversation::default());
    assert!(kb.typed().unwrap().is_empty());
}

#[cfg(unix)]
fn must_be_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}

#[cfg(not(unix))]
fn must_be_private(_: &Path) {}

#[test]
fn a_conversation_that_cites_a_forgotten_file_is_forgotten_with_it() {
    let generator = Noting::new(&["The Tern was built in Bergen in 1978."]);
    let mut world = World::new(&generator, Settings::default());
    let kb = world.kb();
    world.ask("Where was the Tern built?");
    kb.keep_conversation(&world.conversation).unwrap();
    world.engine.forget(&["shop.md".into()]).unwrap();
    assert_eq!(kb.conversation().unwrap().turns.len(), 1);
    world.engine.forget(&["fleet.md".into()]).unwrap();
    assert_eq!(kb.conversation().unwrap().turns.len(), 0);
}

#[test]
fn what_is_kept_by_a_later_format_counts_as_none() {
    let generator = Noting::new(&[]);
    let world = World::new(&generator, Settings::default());
    let kb = world.kb();
    std::fs::write(
        kb.dir().join("conversation.json"),
        "{\"format\": 9, \"told\": []}",
    )
    .unwrap();
    assert_eq!(kb.conversation().unwrap(), Conversation::default());
}
