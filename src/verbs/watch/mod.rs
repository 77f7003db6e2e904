//! `rag watch`: the knowledge base kept in step with its files, and what is said of it.

mod log;
mod startup;
mod status;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rag_core::Code;
use rag_engine::{Bell, Engine, Settings, WatchEvent, WatchStatus, Watching, WorkerPool};
use rag_model::RestingEmbedder;

use self::log::Log;
use crate::args::{Following, Watch, WatchVerb};
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::{Printer, stop_soon};
use crate::verbs::ingest::selection;
use crate::wiring;

pub(crate) fn run(config: &Config, options: &Watch, printer: &mut Printer) -> anyhow::Result<Exit> {
    match &options.verb {
        Some(WatchVerb::Install {
            paths,
            print,
            following,
        }) => {
            let service = startup::Service::new(config, paths, following)?;
            if *print {
                printer.text(&service.file())?;
                return Ok(Exit::Done);
            }
            return service.install(printer);
        }
        Some(WatchVerb::Uninstall) => return startup::uninstall(config, printer),
        None => {}
    }
    if options.status {
        return status::run(config, printer);
    }
    rag_engine::give_way(); // before there are threads, which take their priority from this one
    let mut watching = Watching::of(options.paths.clone());
    watching.on_battery = options.following.on_battery.into();
    let bell = Bell::default();
    let stop = stop_soon({
        let bell = bell.clone();
        move || bell.ring()
    })?;
    let mut flag = options.following.embedder.as_deref();
    loop {
        let post = Post::of(config, &options.following, flag)?;
        let engine = post.engine.with_stop_switch(Arc::clone(&stop));
        let mut log = Log::new(printer);
        let mut broken = None;
        let ended = engine.watch(&watching, &bell, &mut |event| {
            if matches!(event, WatchEvent::Resting) {
                post.embedder.rest();
                post.readers.rest();
            }
            if let Err(error) = log.tell(event) {
                // Nobody reads what is said any more.
                broken = Some(error);
                stop.store(true, Ordering::Relaxed);
                bell.ring();
            }
        });
        let error = match (broken, ended) {
            (Some(broken), _) => return Err(broken.into()),
            (None, Ok(())) => return Ok(Exit::Done),
            (None, Err(error)) => error,
        };
        if error.code != Code::Incompatible || !wiring::has_changed(config, &post.name)? {
            return Err(error.into());
        }
        // Somebody has changed the embedder meanwhile.
        printer.say(&error.one_line());
        flag = None;
    }
}

/// An engine for a watch, with what is put down while nothing happens.
struct Post {
    engine: Engine,
    embedder: Arc<RestingEmbedder>,
    readers: Arc<WorkerPool>,
    /// The embedder's.
    name: String,
}

impl Post {
    fn of(config: &Config, options: &Following, flag: Option<&str>) -> rag_core::Result<Self> {
        let (name, embedder) = wiring::resting_embedder(config, flag)?;
        let readers = wiring::readers(config)?;
        let settings = Settings {
            selection: selection(&options.selecting),
            readers: options.jobs.map_or(0, usize::from),
            ..Settings::default()
        };
        let engine = wiring::engine_over(config, Arc::clone(&readers))?
            .with_settings(settings)
            .with_embedder(Arc::clone(&embedder) as _);
        Ok(Self {
            engine,
            embedder,
            readers,
            name,
        })
    }
}

/// The process of the watch, as far as it has said so.
fn process(status: Option<&WatchStatus>) -> String {
    status.map_or_else(String::new, |status| {
        format!(" (process {}, since {})", status.pid, status.since)
    })
}
