//! The planner: files seen × sources known → what to read, move, keep and drop. Pure.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rag_core::{Outcome, Source, SourceKey, SourceState};

use crate::extent::Extent;
use crate::name::place;
use crate::selection::Filter;
use crate::stamp::Stamp;

/// A file that the walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) source: Source,
    pub(crate) absolute: PathBuf,
    pub(crate) stamp: Stamp,
    /// BLAKE3 of its bytes, hex; none where nothing hangs on it yet.
    pub(crate) hash: Option<String>,
}

/// A path that was walked: a known source below it that was not seen is gone.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) path: PathBuf,
    /// Places below it that could not be looked at or are too large: nothing there is proven gone.
    pub(crate) spared: HashSet<PathBuf>,
    /// What the run is not about is not proven gone either.
    pub(crate) filter: Filter,
    /// Nor what the walk did not look at.
    pub(crate) extent: Arc<Extent>,
}

impl Scope {
    fn proves_gone(&self, source: &Source) -> bool {
        let full = place(source);
        full.starts_with(&self.path)
            && self.extent.covers(&full)
            && !full.ancestors().any(|above| self.spared.contains(above))
            && !self.filter.leaves_out(&full)
    }
}

/// What is read although it has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Again {
    #[default]
    Nothing,
    /// What could not be read before.
    Failed,
    Everything,
}

impl Again {
    fn covers(self, state: &SourceState) -> bool {
        match self {
            Self::Nothing => false,
            Self::Failed => state.outcome == Outcome::Failed,
            Self::Everything => true,
        }
    }
}

/// What is to be done with one source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// New or changed: read it and replace what is known of it.
    Read {
        file: Seen,
        known: Option<SourceState>,
    },
    /// The same bytes under another name: keep chunks and vectors.
    Move { from: SourceState, to: Seen },
    /// Nothing to do.
    Keep(SourceState),
    /// The same bytes, and a time that spares the next run from comparing them.
    Settle(SourceState),
    /// Gone: remove it.
    Drop(SourceState),
}

/// What decides beside the files and sources themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// Version of the reading and splitting rules: sources made by others are read again.
    pub(crate) rules: &'a str,
    pub(crate) again: Again,
}

impl Terms<'_> {
    /// Whether the source is to be read again though its file may not have changed.
    fn distrusts(self, state: &SourceState) -> bool {
        state.rules != self.rules || self.again.covers(state) || is_out_of_reach(state)
    }

    fn is_current(self, state: &SourceState, file: &Seen) -> bool {
        let same = match &file.hash {
            Some(hash) => *hash == state.hash,
            None => is_untouched(state, &file.stamp),
        };
        same && !self.distrusts(state)
    }

    fn is_movable(self, state: &SourceState) -> bool {
        matches!(state.outcome, Outcome::Read | Outcome::Partly) && !self.distrusts(state)
    }
}

/// Whether a source that was read once could not be read the last time: its chunks are of before.
pub(crate) fn is_out_of_reach(state: &SourceState) -> bool {
    state.outcome == Outcome::Failed && state.chunks > 0
}

/// Whether size and time say that the file has the bytes it was known by.
pub(crate) fn is_untouched(state: &SourceState, stamp: &Stamp) -> bool {
    stamp.modified_ns != 0 && (state.size, state.modified_ns) == (stamp.size, stamp.modified_ns)
}

/// Which of `seen` must be hashed before anything can be planned: those of which size and time leave it
/// open whether they have changed, and new ones that may be old ones under another name. All others
/// are hashed when their turn comes, if at all.
pub(crate) fn to_hash(
    seen: &[Seen],
    known: &[SourceState],
    scopes: &[Scope],
    terms: Terms<'_>,
) -> Vec<bool> {
    let here: HashSet<&SourceKey> = seen.iter().map(|file| &file.source.key).collect();
    let mut still: HashMap<&SourceKey, &SourceState> = HashMap::new();
    let mut gone: HashSet<u64> = HashSet::new();
    for state in known {
        if here.contains(&state.source.key) {
            still.insert(&state.source.key, state);
        } else if terms.is_movable(state) && is_gone(scopes, &state.source) {
            gone.insert(state.size);
        }
    }
    let open = |file: &Seen| match still.get(&file.source.key) {
        Some(state) => {
            state.size == file.stamp.size
                && !is_untouched(state, &file.stamp)
                && !terms.distrusts(state)
        }
        None => gone.contains(&file.stamp.size),
    };
    seen.iter().map(open).collect()
}

fn is_gone(scopes: &[Scope], source: &Source) -> bool {
    scopes.iter().any(|scope| scope.proves_gone(source))
}

/// Plans. Actions come in the order of `seen`, then the drops in the order of `known`.
#[must_use]
pub(crate) fn plan(
    seen: Vec<Seen>,
    known: Vec<SourceState>,
    scopes: &[Scope],
    terms: Terms<'_>,
) -> Vec<Action> {
    let here: HashSet<_> = seen.iter().map(|s| s.source.key.clone()).collect();
    let mut gone: Vec<Option<SourceState>> = Vec::new();
    let mut still: HashMap<_, SourceState> = HashMap::new();
    for state in known {
        if here.contains(&state.source.key) {
            still.insert(state.source.key.clone(), state);
        } else if is_gone(scopes, &state.source) {
            gone.push(Some(state));
        }
    }
    let mut by_content: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (at, state) in gone.iter().enumerate() {
        if let Some(state) = state.as_ref().filter(|state| terms.is_movable(state)) {
            let content = (state.hash.clone(), extension(&state.source));
            by_content.entry(content).or_default().push(at);
        }
    }
    let mut actions: Vec<Action> = Vec::with_capacity(seen.len());
    for file in seen {
        actions.push(match still.remove(&file.source.key) {
            Some(state) if terms.is_current(&state, &file) => stay(state, file),
            Some(state) => Action::Read {
                file,
                known: Some(state),
            },
            None => {
                let twin = file
                    .hash
                    .clone()
                    .and_then(|hash| by_content.get_mut(&(hash, extension(&file.source)))?.pop());
                match twin.and_then(|at| gone[at].take()) {
                    Some(from) => Action::Move { from, to: file },
                    None => Action::Read { file, known: None },
                }
            }
        });
    }
    actions.extend(gone.into_iter().flatten().map(Action::Drop));
    actions
}

/// What becomes of a source whose file has the bytes it had.
fn stay(mut state: SourceState, file: Seen) -> Action {
    if state.source != file.source {
        return Action::Move {
            from: state,
            to: file,
        };
    }
    let time = file.stamp.modified_ns;
    if time == 0 || time == state.modified_ns {
        return Action::Keep(state);
    }
    state.modified_ns = time;
    Action::Settle(state)
}

/// The extension has a say in how a file is read: the same bytes under another one are another document.
fn extension(source: &Source) -> String {
    let extension = Path::new(&source.path).extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::Selection;
    use proptest::prelude::*;

    const RULES: &str = "r1";
    const TERMS: Terms<'_> = Terms {
        rules: RULES,
        again: Again::Nothing,
    };

    fn source(path: &str) -> Source {
        Source {
            key: SourceKey(format!("key-{path}")),
            root: "/docs".into(),
            path: path.into(),
        }
    }

    fn seen(path: &str, hash: &str) -> Seen {
        Seen {
            source: source(path),
            absolute: PathBuf::from("/docs").join(path),
            stamp: Stamp::so(1, 1),
            hash: Some(hash.into()),
        }
    }

    fn known(path: &str, hash: &str) -> SourceState {
        SourceState {
            source: source(path),
            hash: hash.into(),
            rules: RULES.into(),
            size: 1,
            modified_ns: 1,
            title: None,
            language: None,
            media_type: "text/plain".into(),
            date: None,
            tags: Vec::new(),
            outcome: Outcome::Read,
            reason: None,
            chunks: 1,
        }
    }

    fn scope(path: &str, spared: &[&str], exclude: &[&str]) -> Scope {
        let selection = Selection {
            exclude: exclude.iter().map(ToString::to_string).collect(),
            ..Selection::default()
        };
        Scope {
            path: path.into(),
            spared: spared.iter().map(PathBuf::from).collect(),
            filter: Filter::new(Path::new(path), &selection).unwrap(),
            extent: Arc::default(),
        }
    }

    fn whole() -> Vec<Scope> {
        vec![scope("/docs", &[], &[])]
    }

    fn summary(actions: &[Action]) -> Vec<String> {
        let say = |action: &Action| match action {
            Action::Read { file, known: None } => format!("add {}", file.source.path),
            Action::Read { file, .. } => format!("replace {}", file.source.path),
            Action::Move { from, to } => format!("move {} {}", from.source.path, to.source.path),
            Action::Keep(state) => format!("keep {}", state.source.path),
            Action::Settle(state) => format!("settle {}", state.source.path),
            Action::Drop(state) => format!("drop {}", state.source.path),
        };
        actions.iter().map(say).collect()
    }

    #[test]
    fn new_changed_same_renamed_and_deleted_files_are_told_apart() {
        let plan = plan(
            vec![
                seen("new", "1"),
                seen("changed", "2"),
                seen("same", "3"),
                seen("to", "4"),
            ],
            vec![
                known("changed", "0"),
                known("same", "3"),
                known("from", "4"),
                known("gone", "5"),
            ],
            &whole(),
            TERMS,
        );
        let expected = [
            "add new",
            "replace changed",
            "keep same",
            "move from to",
            "drop gone",
        ];
        assert_eq!(summary(&plan), expected);
    }

    #[test]
    fn other_rules_mean_reading_again_and_no_move() {
        let files = vec![seen("same", "3"), seen("to", "4")];
        let plan = plan(
            files,
            vec![known("same", "3"), known("from", "4")],
            &whole(),
            Terms {
                rules: "r2",
                ..TERMS
            },
        );
        assert_eq!(summary(&plan), ["replace same", "add to", "drop from"]);
    }

    #[test]
    fn the_same_bytes_under_another_extension_are_read_again() {
        let plan = plan(
            vec![seen("a.md", "1")],
            vec![known("a.txt", "1")],
            &whole(),
            TERMS,
        );
        assert_eq!(summary(&plan), ["add a.md", "drop a.txt"]);
    }

    #[test]
    fn what_was_not_walked_or_could_not_be_looked_at_is_not_dropped() {
        let scopes = [scope("/docs/sub", &["/docs/sub/locked"], &[])];
        let all = ["out", "sub/in", "sub/locked/x", "subway"].map(|path| known(path, path));
        let plan = plan(Vec::new(), all.into(), &scopes, TERMS);
        assert_eq!(summary(&plan), ["drop sub/in"]);
    }

    #[test]
    fn what_a_filter_leaves_out_is_not_dropped() {
        let scopes = [scope("/docs", &[], &["*.tmp", "/drafts/"])];
        let all = ["a.tmp", "drafts/x/b.md", "c.md"].map(|path| known(path, path));
        let plan = plan(Vec::new(), all.into(), &scopes, TERMS);
        assert_eq!(summary(&plan), ["drop c.md"]);
    }

    #[test]
    fn a_look_at_some_places_proves_nothing_about_others() {
        let mut scope = whole();
        scope[0].extent = Arc::new(Extent::of(["/docs/a".into(), "/docs/b.md".into()]));
        let all = ["a/x", "ab/x", "b.md", "c.md"].map(|path| known(path, path));
        let plan = plan(Vec::new(), all.into(), &scope, TERMS);
        assert_eq!(summary(&plan), ["drop a/x", "drop b.md"]);
    }

    #[test]
    fn what_failed_is_read_again_only_on_demand_and_everything_only_by_force() {
        let mut failed = known("failed", "1");
        failed.outcome = Outcome::Failed;
        failed.chunks = 0;
        for (again, expected) in [
            (Again::Nothing, ["keep failed", "keep same"]),
            (Again::Failed, ["replace failed", "keep same"]),
            (Again::Everything, ["replace failed", "replace same"]),
        ] {
            let files = vec![seen("failed", "1"), seen("same", "2")];
            let known = vec![failed.clone(), known("same", "2")];
            let plan = plan(files, known, &whole(), Terms { again, ..TERMS });
            assert_eq!(summary(&plan), expected, "{again:?}");
        }
    }

    #[test]
    fn a_source_that_was_out_of_reach_is_read_as_soon_as_it_is_there() {
        let mut lost = known("a", "1");
        lost.outcome = Outcome::Failed;
        let plan = plan(vec![seen("a", "1")], vec![lost], &whole(), TERMS);
        assert_eq!(summary(&plan), ["replace a"]);
    }

    #[test]
    fn a_file_that_was_only_touched_keeps_its_chunks_and_gets_its_new_time() {
        let mut file = seen("a", "1");
        file.stamp = Stamp::so(1, 77);
        let plan = plan(vec![file], vec![known("a", "1")], &whole(), TERMS);
        assert_eq!(summary(&plan), ["settle a"]);
        let Action::Settle(state) = &plan[0] else {
            panic!("{plan:?}")
        };
        assert_eq!((state.modified_ns, state.chunks), (77, 1));
    }

    #[test]
    fn only_what_size_and_time_leave_open_is_hashed_before_planning() {
        let unhashed = |path: &str, size, modified_ns| Seen {
            stamp: Stamp::so(size, modified_ns),
            hash: None,
            ..seen(path, "")
        };
        let files = [
            unhashed("same", 1, 1),
            unhashed("touched", 1, 2),
            unhashed("fresh", 1, 0),
            unhashed("grown", 2, 2),
            unhashed("new", 5, 1),
            unhashed("new, as large as one that is gone", 9, 1),
        ];
        let mut gone = known("gone", "1");
        gone.size = 9;
        let states = ["same", "touched", "fresh", "grown"].map(|path| known(path, path));
        let states = [&states[..], &[gone]].concat();
        let hashed = to_hash(&files, &states, &whole(), TERMS);
        assert_eq!(hashed, [false, true, true, false, false, true]);
        // A file whose time is not to be relied on is never taken for unchanged without its hash.
        assert_eq!(
            summary(&plan(
                vec![files[2].clone()],
                vec![known("fresh", "1")],
                &whole(),
                TERMS
            )),
            ["replace fresh"]
        );
    }

    #[test]
    fn a_deleted_source_lends_its_vectors_to_one_new_file_only() {
        let files = vec![seen("a", "1"), seen("b", "1")];
        let plan = plan(files, vec![known("old", "1")], &whole(), TERMS);
        assert_eq!(summary(&plan), ["move old a", "add b"]);
    }

    proptest! {
        #[test]
        fn every_file_and_every_source_has_exactly_one_action(
            files in proptest::collection::btree_map(0..12u8, 0..4u8, 0..12),
            sources in proptest::collection::btree_map(0..12u8, 0..4u8, 0..12),
        ) {
            let seen_files = files.iter().map(|(p, h)| seen(&p.to_string(), &h.to_string()));
            let known_ones = sources.iter().map(|(p, h)| known(&p.to_string(), &h.to_string()));
            let plan = plan(seen_files.collect(), known_ones.collect(), &whole(), TERMS);
            let (mut here, mut there) = (Vec::new(), Vec::new());
            for action in &plan {
                match action {
                    Action::Read { file, known } => {
                        here.push(file.source.path.clone());
                        there.extend(known.iter().map(|state| state.source.path.clone()));
                    }
                    Action::Keep(state) | Action::Settle(state) => {
                        here.push(state.source.path.clone());
                        there.push(state.source.path.clone());
                    }
                    Action::Move { from, to } => {
                        prop_assert_eq!(Some(&from.hash), to.hash.as_ref());
                        here.push(to.source.path.clone());
                        there.push(from.source.path.clone());
                    }
                    Action::Drop(state) => there.push(state.source.path.clone()),
                }
            }
            here.sort();
            let mut expected: Vec<_> = files.keys().map(ToString::to_string).collect();
            expected.sort();
            prop_assert_eq!(&here, &expected);
            let unique: HashSet<_> = there.iter().collect();
            prop_assert_eq!(unique.len(), there.len());
            for path in sources.keys().map(ToString::to_string) {
                prop_assert!(there.contains(&path));
            }
        }
    }
}
