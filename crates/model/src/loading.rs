//! An embedder whose files are read while others work: a search by words goes on meanwhile, and a
//! question that needs no vectors does not wait at all.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use rag_core::{Code, Embedder, Error, Purpose, Result, TokenCounter};

use crate::device::Device;
use crate::embedder::{EmbedderSpec, LocalEmbedder};
use crate::model_files::ModelFiles;

/// A [`LocalEmbedder`] that is on its way. What its record says is known at once; whoever needs its
/// files waits for them.
#[derive(Debug)]
pub struct LoadingEmbedder {
    spec: EmbedderSpec,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Loading(JoinHandle<Result<LocalEmbedder>>),
    Loaded(Arc<LocalEmbedder>),
    /// With the reason, until it was told.
    Failed(Option<Error>),
}

impl LoadingEmbedder {
    /// Begins to load the model in `files`.
    ///
    /// # Errors
    /// `Internal` where the system gives no thread. What is wrong with the files is said by
    /// [`Embedder::embed`].
    pub fn begin(files: ModelFiles, spec: EmbedderSpec, device: Device) -> Result<Self> {
        let own = spec.clone();
        let thread = Builder::new().name("rag-model".to_owned());
        let loading = thread.spawn(move || LocalEmbedder::load(&files, own, &device));
        let loading = loading.map_err(|error| {
            let fact = format!(
                "the system gives no thread to load `{}`: {error}",
                spec.name
            );
            Error::new(Code::Internal, fact)
        })?;
        Ok(Self {
            spec,
            state: Mutex::new(State::Loading(loading)),
        })
    }

    /// The embedder, once it is there.
    fn loaded(&self) -> Option<Arc<LocalEmbedder>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Loading(_) = &*state
            && let State::Loading(loading) = std::mem::replace(&mut *state, State::Failed(None))
        {
            *state = match loading.join() {
                Ok(Ok(embedder)) => State::Loaded(Arc::new(embedder)),
                Ok(Err(error)) => State::Failed(Some(error)),
                Err(panic) => std::panic::resume_unwind(panic),
            };
        }
        match &*state {
            State::Loaded(embedder) => Some(Arc::clone(embedder)),
            State::Loading(_) | State::Failed(_) => None,
        }
    }

    /// Why it could not be loaded: the cause to the first who asks.
    fn reason(&self) -> Error {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Failed(reason) = &mut *state
            && let Some(reason) = reason.take()
        {
            return reason;
        }
        let name = &self.spec.name;
        let fact = format!("`{name}` could not be loaded");
        Error::new(Code::ModelInvalid, fact).hint(format!("rag models verify {name}"))
    }
}

impl TokenCounter for LoadingEmbedder {
    fn count_tokens(&self, text: &str) -> usize {
        // Of one that could not be loaded, `embed` says so. A token has at least one byte.
        self.loaded()
            .map_or(text.len(), |embedder| embedder.count_tokens(text))
    }
}

impl Embedder for LoadingEmbedder {
    fn fingerprint(&self) -> &str {
        &self.spec.fingerprint
    }

    fn name(&self) -> &str {
        &self.spec.name
    }

    fn languages(&self) -> &[String] {
        &self.spec.languages
    }

    fn dimensions(&self) -> usize {
        self.spec.dimensions
    }

    fn max_tokens(&self) -> usize {
        self.loaded()
            .map_or(self.spec.max_tokens, |embedder| embedder.max_tokens())
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        match self.loaded() {
            Some(embedder) => embedder.embed(texts, purpose),
            None => Err(self.reason()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{save_encoder, tiny_bert, tiny_spec, tiny_word_tokenizer};

    fn spec(dimensions: usize) -> EmbedderSpec {
        EmbedderSpec {
            dimensions,
            ..tiny_spec()
        }
    }

    #[test]
    fn it_embeds_as_one_that_was_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (tensors, config) = tiny_bert();
        let files = save_encoder(folder.path(), &tensors, &config, &tiny_word_tokenizer());
        let waited = LocalEmbedder::load(&files, spec(32), &Device::cpu()).unwrap();
        let loading = LoadingEmbedder::begin(files, spec(32), Device::cpu()).unwrap();
        let texts = ["a b c", "d"];
        assert_eq!(
            loading.embed(&texts, Purpose::Query).unwrap(),
            waited.embed(&texts, Purpose::Query).unwrap()
        );
        assert_eq!(loading.max_tokens(), waited.max_tokens());
        assert_eq!(loading.count_tokens("a b"), 2);
    }

    #[test]
    fn what_is_wrong_with_its_files_is_said_when_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let (tensors, config) = tiny_bert();
        let files = save_encoder(folder.path(), &tensors, &config, &tiny_word_tokenizer());
        let loading = LoadingEmbedder::begin(files, spec(7), Device::cpu()).unwrap();
        assert_eq!(loading.dimensions(), 7);
        assert_eq!(loading.count_tokens("a b"), 3);
        for said in ["not of length 7", "could not be loaded"] {
            let error = loading.embed(&["a"], Purpose::Query).unwrap_err();
            assert_eq!(error.code, Code::ModelInvalid);
            assert!(error.one_line().contains(said), "{}", error.one_line());
        }
    }
}
