//! The planner: files seen × sources known → what to read, move, keep and drop. Pure.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rag_core::{Outcome, Source, SourceState};

/// A file that the walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) source: Source,
    pub(crate) absolute: PathBuf,
    /// In bytes.
    pub(crate) size: u64,
    /// Modification time in nanoseconds since 1970; 0 where it can't be relied on.
    pub(crate) modified_ns: i64,
    /// BLAKE3 of its bytes, hex; none where size and time say that it has not changed.
    pub(crate) hash: Option<String>,
}

/// A path that was walked: a known source below it that was not seen is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) path: PathBuf,
    /// Places below it that could not be looked at: nothing there is proven gone.
    pub(crate) spared: Vec<PathBuf>,
}

impl Scope {
    fn proves_gone(&self, source: &Source) -> bool {
        let full = Path::new(&source.root).join(&source.path);
        full.starts_with(&self.path) && !self.spared.iter().any(|spared| full.starts_with(spared))
    }
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) actions: Vec<Action>,
}

/// What is to be done with one source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// New or changed: read it and replace what is known of it.
    Read(Seen),
    /// The same bytes under another name: keep chunks and vectors.
    Move { from: SourceState, to: Seen },
    /// Nothing to do.
    Keep(SourceState),
    /// Gone: remove it.
    Drop(SourceState),
}

/// Whether size and time leave it open that the file has changed, so that its hash is needed.
pub(crate) fn needs_hash(seen: &Seen, known: Option<&SourceState>) -> bool {
    known.is_none_or(|state| {
        state.size != seen.size || state.modified_ns != seen.modified_ns || seen.modified_ns == 0
    })
}

/// Plans. `rules` is the version of the reading and splitting rules: sources made by others are read
/// again. Actions come in the order of `seen`, then the drops in the order of `known`.
#[must_use]
pub(crate) fn plan(
    seen: Vec<Seen>,
    known: Vec<SourceState>,
    scopes: &[Scope],
    rules: &str,
) -> Plan {
    let here: HashSet<_> = seen.iter().map(|s| s.source.key.clone()).collect();
    let mut gone: Vec<Option<SourceState>> = Vec::new();
    let mut still: HashMap<_, SourceState> = HashMap::new();
    for state in known {
        if here.contains(&state.source.key) {
            still.insert(state.source.key.clone(), state);
        } else if scopes.iter().any(|scope| scope.proves_gone(&state.source)) {
            gone.push(Some(state));
        }
    }
    let mut by_content: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (at, state) in gone.iter().enumerate() {
        if let Some(state) = state.as_ref().filter(|state| is_movable(state, rules)) {
            let content = (state.hash.clone(), extension(&state.source));
            by_content.entry(content).or_default().push(at);
        }
    }
    let mut actions: Vec<Action> = Vec::with_capacity(seen.len());
    for mut file in seen {
        actions.push(match still.remove(&file.source.key) {
            Some(state) if is_current(&state, &file, rules) => {
                if state.source == file.source {
                    Action::Keep(state)
                } else {
                    Action::Move {
                        from: state,
                        to: file,
                    }
                }
            }
            Some(state) => {
                file.hash.get_or_insert(state.hash);
                Action::Read(file)
            }
            None => {
                let twin = file
                    .hash
                    .clone()
                    .and_then(|hash| by_content.get_mut(&(hash, extension(&file.source)))?.pop());
                match twin.and_then(|at| gone[at].take()) {
                    Some(from) => Action::Move { from, to: file },
                    None => Action::Read(file),
                }
            }
        });
    }
    actions.extend(gone.into_iter().flatten().map(Action::Drop));
    Plan { actions }
}

/// The extension has a say in how a file is read: the same bytes under another one are another document.
fn extension(source: &Source) -> String {
    let extension = Path::new(&source.path).extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

fn is_current(state: &SourceState, file: &Seen, rules: &str) -> bool {
    state.rules == rules && file.hash.as_ref().is_none_or(|hash| *hash == state.hash)
}

fn is_movable(state: &SourceState, rules: &str) -> bool {
    state.rules == rules && matches!(state.outcome, Outcome::Read | Outcome::Partly)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rag_core::SourceKey;

    const RULES: &str = "r1";

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
            size: 1,
            modified_ns: 1,
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
            outcome: Outcome::Read,
            reason: None,
            chunks: 1,
        }
    }

    fn whole() -> Vec<Scope> {
        vec![Scope {
            path: "/docs".into(),
            spared: Vec::new(),
        }]
    }

    fn summary(plan: &Plan) -> Vec<String> {
        let say = |action: &Action| match action {
            Action::Read(to) => format!("read {}", to.source.path),
            Action::Move { from, to } => format!("move {} {}", from.source.path, to.source.path),
            Action::Keep(state) => format!("keep {}", state.source.path),
            Action::Drop(state) => format!("drop {}", state.source.path),
        };
        plan.actions.iter().map(say).collect()
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
            RULES,
        );
        let expected = [
            "read new",
            "read changed",
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
            "r2",
        );
        assert_eq!(summary(&plan), ["read same", "read to", "drop from"]);
    }

    #[test]
    fn the_same_bytes_under_another_extension_are_read_again() {
        let plan = plan(
            vec![seen("a.md", "1")],
            vec![known("a.txt", "1")],
            &whole(),
            RULES,
        );
        assert_eq!(summary(&plan), ["read a.md", "drop a.txt"]);
    }

    #[test]
    fn what_was_not_walked_or_could_not_be_looked_at_is_not_dropped() {
        let scopes = [Scope {
            path: "/docs/sub".into(),
            spared: vec!["/docs/sub/locked".into()],
        }];
        let all = ["out", "sub/in", "sub/locked/x", "subway"].map(|path| known(path, path));
        let plan = plan(Vec::new(), all.into(), &scopes, RULES);
        assert_eq!(summary(&plan), ["drop sub/in"]);
    }

    #[test]
    fn a_deleted_source_lends_its_vectors_to_one_new_file_only() {
        let files = vec![seen("a", "1"), seen("b", "1")];
        let plan = plan(files, vec![known("old", "1")], &whole(), RULES);
        assert_eq!(summary(&plan), ["move old a", "read b"]);
    }

    proptest! {
        #[test]
        fn every_file_and_every_source_has_exactly_one_action(
            files in proptest::collection::btree_map(0..12u8, 0..4u8, 0..12),
            sources in proptest::collection::btree_map(0..12u8, 0..4u8, 0..12),
        ) {
            let seen_files = files.iter().map(|(p, h)| seen(&p.to_string(), &h.to_string()));
            let known_ones = sources.iter().map(|(p, h)| known(&p.to_string(), &h.to_string()));
            let plan = plan(seen_files.collect(), known_ones.collect(), &whole(), RULES);
            let (mut here, mut there) = (Vec::new(), Vec::new());
            for action in &plan.actions {
                match action {
                    Action::Read(to) => here.push(to.source.path.clone()),
                    Action::Keep(state) => {
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
                prop_assert!(there.contains(&path) || here.contains(&path));
            }
        }
    }
}
