//! The loop of a watch: hints in, looks out. It decides when and where to look; a look is an ingest that
//! is bounded to some places ([`crate::extent`]), under the writer lock for as long as it takes.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rag_core::{Code, Result, Status};
use rag_index::Upkeep;

use crate::Engine;
use crate::engine::interrupted;
use crate::extent::Extent;
use crate::ingest::{Bounds, IngestEvent};
use crate::name::place;
use crate::walk::{absolute, folders};
use crate::watch::debounce::{Due, Hint, Pace};
use crate::watch::ear::{About, EACH_FOLDER, Ear};
use crate::watch::inbox::{Hints, Inbox};
use crate::watch::mounts::Mounts;
use crate::watch::news::is_news;
use crate::watch::owed::Owed;
use crate::watch::power::{Power, Work};
use crate::watch::roots::{Footing, Identity, Look, Root, same_ground};
use crate::watch::status::{WatchStatus, utc_now};
use crate::watch::{Bell, Looked, WatchEvent, Watching};

/// How often a root that is away is looked for.
const AWAY: Duration = Duration::from_secs(5);
/// How often the power is asked for while changes wait for it.
const POWER: Duration = Duration::from_secs(30);
/// How long another writer is given before it is asked again.
const LOCKED: Duration = Duration::from_secs(1);
/// The first delay after a failure; it doubles.
const RETRY: Duration = Duration::from_secs(2);
/// The longest delay after a failure is the first times this power of two.
const MOST_DOUBLINGS: u32 = 6;
/// What is done in case an event was missed may take this share of the time: one in so many.
const SHARE: u32 = 100;

/// A watch that runs.
pub(crate) struct Follow<'e, 'f> {
    engine: &'e Engine,
    watching: &'e Watching,
    on_event: &'e mut (dyn FnMut(WatchEvent<'_>) + 'f),
    inbox: Arc<Inbox>,
    ear: std::result::Result<Ear, String>,
    roots: Vec<Root>,
    status: WatchStatus,
    owed: Owed,
    work: Work,
    /// When the power is asked for again.
    power_at: Duration,
    /// When everything is looked at in case an event was missed.
    settle_at: Option<Duration>,
    /// When models may be put down.
    rest_at: Option<Duration>,
    /// Failures in a row.
    failures: u32,
    /// The troubles that were told, by source.
    told: HashMap<String, Option<String>>,
}

impl<'e, 'f> Follow<'e, 'f> {
    pub(crate) fn begin(
        engine: &'e Engine,
        watching: &'e Watching,
        bell: &Bell,
        on_event: &'e mut (dyn FnMut(WatchEvent<'_>) + 'f),
    ) -> Self {
        let inbox = bell.inbox();
        inbox.set_pace(watching.pace);
        let mut paths: Vec<PathBuf> = watching.paths.iter().map(|path| absolute(path)).collect();
        paths.sort();
        paths.dedup();
        let about = About {
            roots: paths.clone(),
            own: absolute(&engine.kb.shelf()),
        };
        let mut before: HashMap<PathBuf, _> = WatchStatus::read(&engine.kb.dir())
            .into_iter()
            .flat_map(|status| status.roots)
            .map(|root| (root.path.clone(), root))
            .collect();
        let root = |path: PathBuf| {
            let before = before.remove(&path);
            Root::new(path, before)
        };
        let roots: Vec<Root> = paths.into_iter().map(root).collect();
        let status = WatchStatus::new(roots.iter().map(|root| root.status.clone()).collect());
        Self {
            engine,
            watching,
            on_event,
            ear: Ear::new(about, Arc::clone(&inbox)),
            inbox,
            roots,
            status,
            owed: Owed::default(),
            work: Work::Usual,
            power_at: Duration::ZERO,
            settle_at: None,
            rest_at: None,
            failures: 0,
            told: HashMap::new(),
        }
    }

    /// Catches up, and follows until it is stopped.
    pub(crate) fn run(mut self) -> Result<()> {
        let mut due = Some(Due::Everything);
        loop {
            if self.engine.stop.load(Ordering::Relaxed) {
                self.write_down();
                return Err(interrupted());
            }
            self.mind_power();
            self.mind_deafness();
            self.mind_roots();
            if self.work != Work::Paused
                && let Some(due) = due.take().or_else(|| self.inbox.take())
            {
                self.look(due)?;
                continue;
            }
            self.tidy()?;
            self.rest();
            let minds = match self.work {
                Work::Paused => Hints::Left,
                Work::Slow | Work::Usual => Hints::Minded,
            };
            self.inbox.wait(self.next(), minds);
        }
    }

    /// When there will be something to do besides hints.
    fn next(&self) -> Option<Duration> {
        let roots = self.roots.iter();
        let roots = roots.filter(|root| !matches!(root.status.footing, Footing::Events));
        let waits = self.inbox.pending() > 0 || self.work == Work::Paused;
        let power = (waits && self.minds_power()).then_some(self.power_at);
        let own = [self.owed.due_at(), self.settle_at, self.rest_at, power];
        let own = own.into_iter().flatten();
        own.chain(roots.map(|root| root.look_at)).min()
    }

    // -- what may change between looks --------------------------------------------------------------

    fn minds_power(&self) -> bool {
        self.watching.on_battery != crate::watch::OnBattery::Run
    }

    /// Asks where the power comes from, while anything hangs on it.
    fn mind_power(&mut self) {
        let now = self.inbox.now();
        let waits = self.inbox.pending() > 0 || self.work == Work::Paused || now < POWER;
        if !self.minds_power() || !waits || now < self.power_at {
            return;
        }
        self.power_at = now + POWER;
        let work = self.watching.on_battery.with(Power::now());
        if work == self.work {
            return;
        }
        self.work = work;
        self.inbox.set_pace(match work {
            Work::Slow => Pace::slow(),
            Work::Usual | Work::Paused => self.watching.pace,
        });
        match work {
            Work::Paused => self.wait_for("the machine runs on its battery (--on-battery pause)"),
            Work::Slow => self.wait_for("the machine runs on its battery: changes are gathered"),
            Work::Usual => self.status.waiting = None,
        }
    }

    /// Where the system gives no more events, what was followed by them is polled.
    fn mind_deafness(&mut self) {
        let Some(reason) = self.inbox.was_deaf() else {
            return;
        };
        let look_at = self.inbox.now() + self.watching.poll;
        let polling = self.polling(reason);
        for root in &mut self.roots {
            if root.status.footing == Footing::Events {
                root.status.footing.clone_from(&polling);
                root.look_at = look_at;
                (self.on_event)(WatchEvent::Root(&root.status));
            }
        }
        self.write_down();
    }

    fn polling(&self, reason: String) -> Footing {
        Footing::Polling {
            every_s: self.watching.poll.as_secs(),
            reason,
        }
    }

    /// Roots that are polled or away are looked for when their time has come, and everything once
    /// more when nothing has happened for a while.
    fn mind_roots(&mut self) {
        let now = self.inbox.now();
        if self.settle_at.is_some_and(|at| at <= now) {
            self.settle_at = None;
            self.inbox.hear(Hint::Lost);
        }
        let mut mounts = None;
        for at in 0..self.roots.len() {
            let root = &mut self.roots[at];
            if root.look_at > now {
                continue;
            }
            match root.status.footing {
                Footing::Unknown | Footing::Events => {}
                Footing::Polling { .. } => {
                    root.look_at = now + self.watching.poll;
                    let path = root.path().to_owned();
                    self.inbox.hear(Hint::Touched(path));
                }
                Footing::Away { .. } => {
                    let mounts = mounts.get_or_insert_with(Mounts::now);
                    if let Some(path) = self.visit(at, mounts) {
                        self.inbox.hear(Hint::Touched(path));
                    }
                }
            }
        }
    }

    /// Looks whether a root is there, and follows it where it is not followed yet. Gives back its path
    /// where all of it must be looked at.
    fn visit(&mut self, at: usize, mounts: &Mounts) -> Option<PathBuf> {
        let root = &self.roots[at];
        let path = root.path().to_owned();
        let look = Look::at(&path, mounts);
        let judged = root.judge(&look, || known_below(self.engine, &path));
        let (footing, fresh) = match judged {
            Err(reason) => {
                if let Ok(ear) = &mut self.ear {
                    ear.let_go(&path);
                }
                let root = &mut self.roots[at];
                root.followed = None;
                root.look_at = self.inbox.now() + AWAY.min(self.watching.poll);
                (Footing::Away { reason }, None)
            }
            Ok(identity) => {
                let away = self.roots[at].status.away.clone();
                self.roots[at].remember(&look, identity, mounts);
                let is_followed = self.roots[at].followed == Some(identity);
                if is_followed && self.roots[at].status.away == away {
                    return None;
                }
                self.roots[at].look_at = self.inbox.now() + self.watching.poll;
                let footing = self.follow(&path, mounts);
                self.roots[at].followed = Some(identity);
                (footing, Some(path))
            }
        };
        let root = &mut self.roots[at];
        if root.status.footing != footing || fresh.is_some() {
            root.status.footing = footing;
            (self.on_event)(WatchEvent::Root(&self.roots[at].status));
            self.write_down();
        }
        fresh
    }

    fn follow(&mut self, path: &Path, mounts: &Mounts) -> Footing {
        if let Some(kind) = mounts.remote(path) {
            let reason = format!("a file system of type `{kind}` does not tell what others change");
            return self.polling(reason);
        }
        let followed = match &mut self.ear {
            Ok(ear) => ear.follow(path),
            Err(reason) => Err(reason.clone()),
        };
        match followed {
            Ok(()) => Footing::Events,
            Err(reason) => self.polling(reason),
        }
    }

    // -- looking ----------------------------------------------------------------------------------

    fn look(&mut self, due: Due) -> Result<()> {
        let mounts = Mounts::now();
        let mut fresh = Vec::new();
        for at in 0..self.roots.len() {
            fresh.extend(self.visit(at, &mounts));
        }
        let there: Vec<&Root> = self.roots.iter().filter(|root| root.is_there()).collect();
        let paths: Vec<PathBuf> = there.iter().map(|root| root.path().to_owned()).collect();
        if paths.is_empty() {
            return Ok(()); // whichever comes back is looked at as a whole
        }
        let away: HashSet<PathBuf> = there.iter().flat_map(|root| root.away()).collect();
        let seen: Vec<(PathBuf, Option<Identity>)> = there
            .iter()
            .map(|root| (root.path().to_owned(), root.followed))
            .collect();
        let extent = match &due {
            Due::Everything => Extent::default(),
            Due::Places(places) => Extent::of(places.iter().cloned().chain(fresh)),
        };
        let extent = extent.without(away);
        self.follow_folders(&paths, &extent)?;
        let places = match &due {
            Due::Everything => None,
            Due::Places(places) => Some(places.len()),
        };
        (self.on_event)(WatchEvent::Looking { places });
        let is_same = || same_ground(&seen, &mounts);
        let outcome = self.look_at(&paths, &extent, &is_same);
        self.settle(due, outcome)
    }

    /// Where each folder needs a watch of its own, those that are new get theirs before they are looked
    /// into.
    fn follow_folders(&mut self, paths: &[PathBuf], extent: &Extent) -> Result<()> {
        let Ok(ear) = &mut self.ear else {
            return Ok(());
        };
        if !EACH_FOLDER {
            return Ok(());
        }
        let folders = folders(paths, &self.engine.settings.selection, extent)?;
        if let Err(reason) = ear.follow_each(&folders) {
            self.inbox.fall_deaf(reason);
        }
        Ok(())
    }

    fn look_at(
        &mut self,
        paths: &[PathBuf],
        extent: &Extent,
        is_same: &dyn Fn() -> Result<()>,
    ) -> Result<Looked> {
        let is_all = extent.is_everything();
        let bounds = Bounds {
            extent,
            proof: is_same,
            is_tidied: false,
            readers: match self.work {
                Work::Slow => Some(1),
                Work::Usual | Work::Paused => None,
            },
            doing: if is_all {
                "rag watch looks at everything"
            } else {
                "rag watch takes in changes"
            },
            is_brief: !is_all,
        };
        let mut read_in_part = 0;
        let (told, on_event) = (&mut self.told, &mut *self.on_event);
        let report = self.engine.ingest_within(paths, &bounds, &mut |event| {
            if let IngestEvent::Done { row, bytes } = event {
                let is_trouble = matches!(row.status, Status::Partly | Status::Failed);
                read_in_part += u64::from(is_trouble && bytes > 0);
                if is_news(told, row, bytes) {
                    on_event(WatchEvent::File(row));
                }
            }
        })?;
        let totals = report.totals;
        Ok(Looked {
            read: totals.read + read_in_part,
            moved: totals.moved,
            removed: totals.removed,
            failed: totals.failed,
            chunks: totals.chunks,
            embedded: totals.embedded,
            took_ms: report.took_ms,
            pending: self.inbox.pending(),
        })
    }

    /// What comes of a look.
    fn settle(&mut self, due: Due, outcome: Result<Looked>) -> Result<()> {
        let now = self.inbox.now();
        self.rest_at = Some(now + self.watching.rest);
        match outcome {
            Ok(looked) => {
                self.failures = 0;
                self.status.waiting = None;
                let took = Duration::from_millis(looked.took_ms);
                self.settle_at = match due {
                    Due::Everything => None,
                    Due::Places(_) => Some(now + self.watching.settle.max(took * SHARE)),
                };
                if looked.is_change() || due == Due::Everything {
                    self.owed.add(looked.chunks, now);
                }
                self.status.last_look = Some(utc_now());
                if looked.is_change() {
                    self.status.last_change.clone_from(&self.status.last_look);
                }
                (self.on_event)(WatchEvent::Looked(&looked));
                self.write_down();
                Ok(())
            }
            Err(error) => match error.code {
                Code::Interrupted => {
                    self.write_down();
                    Err(error)
                }
                Code::Locked => {
                    self.inbox.put_back(due, LOCKED);
                    self.wait_for(&error.one_line());
                    Ok(())
                }
                Code::Io | Code::Internal => {
                    let delay = RETRY * (1 << self.failures.min(MOST_DOUBLINGS));
                    self.failures += 1;
                    self.inbox.put_back(due, delay);
                    self.wait_for(&error.one_line());
                    Ok(())
                }
                _ => Err(error),
            },
        }
    }

    // -- between looks ------------------------------------------------------------------------------

    /// Pays the upkeep that is owed, unless a question is being answered.
    fn tidy(&mut self) -> Result<()> {
        let now = self.inbox.now();
        if self.owed.due_at().is_none_or(|at| at > now) {
            return Ok(());
        }
        if self.engine.is_answering() {
            self.owed.put_off(now + LOCKED);
            return Ok(());
        }
        let started = Instant::now();
        let tidied = self.engine.kb.writer().and_then(|store| {
            store.note_writer("rag watch tidies up", true);
            store.maintain(Upkeep::AfterIngest)
        });
        match tidied {
            Ok(()) => {
                self.owed.clear();
                let took_ms = started.elapsed().as_millis() as u64;
                (self.on_event)(WatchEvent::Tidied { took_ms });
                Ok(())
            }
            Err(error) if error.code == Code::Locked => {
                self.owed.put_off(now + LOCKED);
                Ok(())
            }
            Err(error) if matches!(error.code, Code::Io | Code::Internal) => {
                self.owed.put_off(now + POWER);
                self.wait_for(&error.one_line());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn rest(&mut self) {
        if self.rest_at.is_some_and(|at| at <= self.inbox.now()) {
            self.rest_at = None;
            (self.on_event)(WatchEvent::Resting);
        }
    }

    /// Says once why nothing is done.
    fn wait_for(&mut self, reason: &str) {
        if self.status.waiting.as_deref() != Some(reason) {
            self.status.waiting = Some(reason.to_owned());
            (self.on_event)(WatchEvent::Waiting(reason));
        }
        self.write_down();
    }

    /// Writes down how things are. Who can't be told so is told by the events.
    fn write_down(&mut self) {
        self.status.pending = self.inbox.pending();
        self.status.roots = self.roots.iter().map(|root| root.status.clone()).collect();
        let _ = self.status.write(&self.engine.kb.dir());
    }
}

/// How many sources are known at or below `path`.
fn known_below(engine: &Engine, path: &Path) -> usize {
    let sources = engine.kb.reader().and_then(|store| store.sources());
    let sources = sources.unwrap_or_default().into_iter();
    sources
        .filter(|state| place(&state.source).starts_with(path))
        .count()
}
