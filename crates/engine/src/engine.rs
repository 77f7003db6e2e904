//! The engine: one knowledge base, the ports it works with, and the verbs as methods.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rag_core::{
    Answer, Chunk, Code, Document, Embedder, Error, Extractor, Generator, Hit, Plan, Query, Report,
    Reranker, Result, TokenCounter,
};
use rag_index::{Layout, Store};

use crate::ask::{Ask, AskEvent, Question};
use crate::conversation::Earlier;
use crate::drafts::{Desk, Drafting, Drafts, no_generator};
use crate::evaluate::{
    self, AnswerScores, Answered, Answering, EvalEvent, Evaluation, Gold, Scores,
};
use crate::extent::Extent;
use crate::in_progress::InProgress;
use crate::ingest::{Bounds, Ingest, IngestEvent, chunks_of, rules};
use crate::kb::{KnowledgeBase, Summary};
use crate::plan::Terms;
use crate::reindex::{self, Reindex, ReindexPlan};
use crate::retrieve::{self, Models};
use crate::settings::Settings;
use crate::survey::survey;

/// One knowledge base with its ports. Models are needed only by the verbs that use them.
pub struct Engine {
    pub(crate) kb: KnowledgeBase,
    extractor: Arc<dyn Extractor>,
    embedder: Option<Arc<dyn Embedder>>,
    reranker: Option<Arc<dyn Reranker>>,
    pub(crate) generator: Option<Arc<dyn Generator>>,
    pub(crate) settings: Settings,
    /// What questions are put to; none where they are put to what is there at the time.
    held: Option<Arc<Store>>,
    /// The store that was opened last: opening takes longer than a search.
    opened: Mutex<Option<Arc<Store>>>,
    /// Questions that are being answered.
    pub(crate) answering: AtomicUsize,
    pub(crate) stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("kb", &self.kb)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Engine {
    #[must_use]
    pub fn new(kb: KnowledgeBase, extractor: Arc<dyn Extractor>) -> Self {
        Self {
            kb,
            extractor,
            embedder: None,
            reranker: None,
            generator: None,
            settings: Settings::default(),
            held: None,
            opened: Mutex::default(),
            answering: AtomicUsize::new(0),
            stop: Arc::default(),
        }
    }

    #[must_use]
    pub fn with_embedder(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.embedder = Some(embedder);
        self
    }

    /// For searches in [`rag_core::Mode::Rerank`].
    #[must_use]
    pub fn with_reranker(mut self, reranker: Arc<dyn Reranker>) -> Self {
        self.reranker = Some(reranker);
        self
    }

    #[must_use]
    pub fn with_generator(mut self, generator: Arc<dyn Generator>) -> Self {
        self.generator = Some(generator);
        self
    }

    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Holds on to the vectors that the knowledge base has now: questions are put to these, also when
    /// those of another embedder have taken their place. For whoever asks once and needs the time
    /// between to load the right embedder, which comes with it by name.
    ///
    /// # Errors
    /// `NoKnowledgeBase`.
    pub fn holding(mut self) -> Result<(Self, String)> {
        let store = self.kb.reader()?;
        let embedder = store.layout().embedder.clone();
        self.held = Some(Arc::new(store));
        Ok((self, embedder))
    }

    /// Ends the running verb by this switch, which may be that of others too.
    #[must_use]
    pub fn with_stop_switch(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = stop;
        self
    }

    /// A switch that ends the running verb at the next safe point.
    #[must_use]
    pub fn stop_switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Brings the knowledge base in step with the files under `paths`.
    ///
    /// # Errors
    /// `Io` for a path that is not there, `Incompatible` for a knowledge base of another embedder,
    /// `Locked`, `Interrupted`. A bad file is a row in the report, not an error.
    pub fn ingest(
        &self,
        paths: &[PathBuf],
        on_event: &mut dyn FnMut(IngestEvent<'_>),
    ) -> Result<Report> {
        let bounds = Bounds {
            extent: &Extent::default(),
            proof: &|| Ok(()),
            is_tidied: true,
            readers: None,
            doing: "rag ingest",
            is_brief: false,
        };
        self.ingest_within(paths, &bounds, on_event)
    }

    /// [`Engine::ingest`], bounded.
    pub(crate) fn ingest_within(
        &self,
        paths: &[PathBuf],
        bounds: &Bounds<'_>,
        on_event: &mut dyn FnMut(IngestEvent<'_>),
    ) -> Result<Report> {
        let embedder = self.embedder()?;
        for path in paths {
            crate::walk::must_exist(path)?; // before a knowledge base is made for nothing
        }
        let store = Store::open(&self.kb.dir(), &layout_of(embedder))
            .map_err(|error| self.kb.in_hint(error))?;
        store.note_writer(bounds.doing, bounds.is_brief);
        let ingest = Ingest {
            store: &store,
            extent: self.grounds(bounds.extent),
            embedder,
            extractor: &*self.extractor,
            sizes: self.settings.sizes(embedder.max_tokens()),
            selection: &self.settings.selection,
            again: self.settings.again,
            bounds,
            readers: bounds.readers.unwrap_or(self.settings.readers),
            stop: &self.stop,
        };
        ingest.run(paths, on_event)
    }

    /// What [`Engine::ingest`] would do with `paths`, without doing it: nothing is written, and no
    /// knowledge base is made where there is none.
    ///
    /// # Errors
    /// As [`Engine::ingest`], short of `Locked`.
    pub fn plan(&self, paths: &[PathBuf]) -> Result<Plan> {
        let started = Instant::now();
        let embedder = self.embedder()?;
        let known = match self.reader() {
            Ok(store) => store.sources()?,
            Err(error) if error.code == Code::NoKnowledgeBase => Vec::new(),
            Err(error) => return Err(error),
        };
        let rules = rules(&*self.extractor, self.settings.sizes(embedder.max_tokens()));
        let terms = Terms {
            rules: &rules,
            again: self.settings.again,
        };
        let paths = (paths, &self.grounds(&Extent::default()));
        let survey = survey(paths, known, &self.settings.selection, terms, &self.stop)?;
        let mut plan = survey.shown(terms);
        plan.took_ms = started.elapsed().as_millis() as u64;
        Ok(plan)
    }

    /// Makes the knowledge base anew for the engine's embedder, beside the vectors that there are, which
    /// are searched until all new ones are there. None where it is that embedder's already. A run that
    /// was cut short is gone on with.
    ///
    /// The sources stay what they are known as: one whose file is gone, out of reach or not what it was
    /// is made of what is stored of it and has a row that says so; new files are left for an ingest.
    ///
    /// # Errors
    /// `NoKnowledgeBase`, `Locked`, `Interrupted`; `Incompatible` where a run for another embedder was
    /// cut short; `Io` where the disk has no room for both. The old vectors stay in all of these.
    pub fn reindex(&self, on_event: &mut dyn FnMut(IngestEvent<'_>)) -> Result<Option<Report>> {
        let embedder = self.embedder()?;
        let old = self.kb.writer()?;
        let layout = layout_of(embedder);
        if old.layout().is_comparable(&layout) {
            return Ok(None);
        }
        old.note_writer("rag reindex", false);
        let dir = self.kb.dir();
        let begun = Store::open_successor(&dir)?;
        reindex::must_have_room(&dir, &old, begun.as_ref(), &layout)?;
        drop(begun);
        let next = old
            .successor(&layout)
            .map_err(|error| self.kb.in_hint(error))?;
        let reindex = Reindex {
            old: &old,
            next: &next,
            embedder,
            extractor: &*self.extractor,
            sizes: self.settings.sizes(embedder.max_tokens()),
            readers: self.settings.readers,
            stop: &self.stop,
        };
        let report = reindex.run(on_event)?;
        next.take_over(old)?;
        Ok(Some(report))
    }

    /// What [`Engine::reindex`] would do, without doing it.
    ///
    /// # Errors
    /// As [`Engine::reindex`], short of `Locked`.
    pub fn plan_reindex(&self) -> Result<Option<ReindexPlan>> {
        let embedder = self.embedder()?;
        let old = self.kb.reader()?;
        let layout = layout_of(embedder);
        if old.layout().is_comparable(&layout) {
            return Ok(None);
        }
        let next = Store::open_successor(&self.kb.dir())?;
        let next = next.filter(|next| next.layout().is_comparable(&layout));
        let sizes = self.settings.sizes(embedder.max_tokens());
        let rules = rules(&*self.extractor, sizes);
        reindex::plan(&old, next.as_ref(), embedder, &rules, sizes).map(Some)
    }

    /// Gives up an unfinished [`Engine::reindex`]; false where there is none.
    ///
    /// # Errors
    /// `NoKnowledgeBase`, `Locked`.
    pub fn cancel_reindex(&self) -> Result<bool> {
        self.kb.writer()?.discard_successor()
    }

    /// Reads one file as an ingest does. Nothing is written.
    ///
    /// # Errors
    /// Whatever the reader reports.
    pub fn read(&self, path: &Path) -> Result<Document> {
        self.extractor.extract(path)
    }

    /// The chunks that an ingest makes of a document, for an embedder that counts like `counter` and
    /// whose texts may have so many tokens.
    ///
    /// # Errors
    /// `Malformed` for a text that can't be split.
    pub fn chunks(
        &self,
        document: &Document,
        counter: &dyn TokenCounter,
        max_tokens: usize,
    ) -> Result<Vec<Chunk>> {
        chunks_of(document, self.settings.sizes(max_tokens), counter)
    }

    /// The best hits for a query, best first. `on_note` is told on a line what was done otherwise than
    /// asked (hits that were not read again) or than usual (a question read in parts).
    ///
    /// # Errors
    /// `NoKnowledgeBase`, `Incompatible`, and whatever the store or the embedder reports. No query is
    /// refused for its characters or its length.
    pub fn search_noting(&self, query: &Query, on_note: &mut dyn FnMut(&str)) -> Result<Vec<Hit>> {
        let _answering = InProgress::begin(&self.answering);
        let store = self.reader()?;
        let breadth = self.settings.breadth();
        retrieve::search(&store, self.models(), query, breadth, on_note)
    }

    /// [`Engine::search_noting`] for callers that have nobody to tell.
    ///
    /// # Errors
    /// The same.
    pub fn search(&self, query: &Query) -> Result<Vec<Hit>> {
        self.search_noting(query, &mut |_| {})
    }

    /// Answers from the documents, with citations, or refuses.
    ///
    /// # Errors
    /// As [`Engine::search`], and `ModelMissing`, `PromptTooLong`, `ModelInvalid`.
    pub fn ask(
        &self,
        question: &Question,
        on_event: &mut dyn FnMut(AskEvent<'_>),
    ) -> Result<Answer> {
        let _answering = InProgress::begin(&self.answering);
        let store = self.reader()?;
        self.asking(&store)?.run(question, on_event)
    }

    pub(crate) fn asking<'a>(&'a self, store: &'a Store) -> Result<Ask<'a>> {
        Ok(Ask {
            store,
            embedder: self.embedder()?,
            generator: self.generator.as_deref(),
            extractor: &*self.extractor,
            settings: &self.settings,
            earlier: Earlier::default(),
            stop: &self.stop,
        })
    }

    /// Runs a question set against the knowledge base in each of its modes and scores the hits.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn evaluate(
        &self,
        evaluation: &Evaluation,
        on_event: &mut dyn FnMut(EvalEvent<'_>),
    ) -> Result<Vec<Scores>> {
        let store = self.reader()?;
        evaluate::run(evaluation, on_event, &mut |query| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            let breadth = self.settings.breadth();
            retrieve::search(&store, self.models(), query, breadth, &mut |_| {})
        })
    }

    /// Answers a question set and judges the answers. No question is refused for want of confidence while
    /// it is asked, so that the scores tell what every threshold would do.
    ///
    /// # Errors
    /// As [`Engine::ask`].
    pub fn evaluate_answers(
        &self,
        answering: &Answering,
        on_answer: &mut dyn FnMut(&Answer, &Answered),
    ) -> Result<AnswerScores> {
        let store = self.reader()?;
        let settings = Settings {
            least_confidence: 0.0,
            ..self.settings.clone()
        };
        let ask = Ask {
            settings: &settings,
            ..self.asking(&store)?
        };
        let least = self.settings.least_confidence;
        evaluate::answer(answering, least, on_answer, &mut |gold| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            ask.run(&answering.question(gold), &mut |_| {})
        })
    }

    /// Questions about what the knowledge base holds, drafted by the generator; none of `known` comes
    /// again.
    ///
    /// # Errors
    /// `NoKnowledgeBase`, `Incompatible`, `ModelMissing`.
    pub fn drafts(&self, drafting: &Drafting, known: &[Gold]) -> Result<Drafts<'_>> {
        let desk = Desk {
            store: self.reader()?,
            generator: self.generator.as_deref().ok_or_else(no_generator)?,
            extractor: &*self.extractor,
            stop: &self.stop,
        };
        Drafts::new(desk, drafting, known)
    }

    /// What the knowledge base holds.
    ///
    /// # Errors
    /// `NoKnowledgeBase` where there is none.
    pub fn status(&self) -> Result<Summary> {
        self.kb.summary()
    }

    /// Removes the sources at and under `paths`, whether the files still exist or not.
    ///
    /// # Errors
    /// `NoKnowledgeBase`, `Locked`.
    pub fn forget(&self, paths: &[PathBuf]) -> Result<Report> {
        self.kb.forget(paths)
    }

    /// Whether a question is being answered.
    pub(crate) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    /// `extent` without the place of the knowledge bases, which would never come to rest.
    fn grounds(&self, extent: &Extent) -> Extent {
        let own = crate::walk::absolute(&self.kb.shelf());
        extent.clone().without([own])
    }

    /// Whether there is an embedder.
    ///
    /// # Errors
    /// `ModelMissing`.
    pub(crate) fn must_embed(&self) -> Result<()> {
        self.embedder().map(|_| ())
    }

    pub(crate) fn models(&self) -> Models<'_> {
        Models {
            embedder: self.embedder.as_deref(),
            reranker: self.reranker.as_deref(),
        }
    }

    fn embedder(&self) -> Result<&dyn Embedder> {
        self.embedder.as_deref().ok_or_else(|| {
            Error::new(Code::ModelMissing, "no embedder is loaded").hint("rag models pull starter")
        })
    }

    /// What reads files.
    pub(crate) fn extractor(&self) -> &dyn Extractor {
        &*self.extractor
    }

    /// Opens the store for reading and holds it against the embedder, where there is one.
    pub(crate) fn reader(&self) -> Result<Arc<Store>> {
        let store = match &self.held {
            Some(held) => Arc::clone(held),
            None => self.present()?,
        };
        if let Some(embedder) = &self.embedder
            && !store.layout().is_comparable(&layout_of(&**embedder))
        {
            return Err(self.kb.mismatch(&store.layout().embedder, embedder.name()));
        }
        Ok(store)
    }

    /// The store as it is now, opened once for as long as it is the one that is searched.
    fn present(&self) -> Result<Arc<Store>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.as_ref().filter(|store| store.is_present()) {
            return Ok(Arc::clone(store));
        }
        *opened = None; // closed before another one is opened
        let store = Arc::new(self.kb.reader()?);
        *opened = Some(Arc::clone(&store));
        Ok(store)
    }
}

/// What a store of this embedder's vectors has in common.
fn layout_of(embedder: &dyn Embedder) -> Layout {
    Layout {
        dimensions: embedder.dimensions(),
        fingerprint: embedder.fingerprint().to_owned(),
        embedder: embedder.name().to_owned(),
    }
}

/// The error of a verb that was stopped.
pub(crate) fn interrupted() -> Error {
    Error::new(Code::Interrupted, "interrupted")
}
