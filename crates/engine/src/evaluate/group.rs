//! Groups of a question set, which are reported apart.

use std::collections::BTreeSet;

use super::Gold;

/// What questions are grouped by: its name, and a question's value.
pub(super) type Kind = (&'static str, fn(&Gold) -> Option<&String>);

pub(super) const LANG: Kind = ("lang", |gold| gold.lang.as_ref());
pub(super) const SUBSET: Kind = ("subset", |gold| gold.subset.as_ref());
pub(super) const KIND: Kind = ("kind", |gold| gold.kind.as_ref());

/// What was judged by each value of each kind, with a name (`lang zh-Hans`); a kind of one value would
/// say the same again.
pub(super) fn grouped<J: Copy>(judged: &[(&Gold, J)], kinds: &[Kind]) -> Vec<(String, Vec<J>)> {
    let mut groups = Vec::new();
    for (kind, of) in kinds {
        let values: BTreeSet<&String> = judged.iter().filter_map(|(gold, _)| of(gold)).collect();
        for value in values.iter().filter(|_| values.len() > 1) {
            let some = judged.iter().filter(|(gold, _)| of(gold) == Some(value));
            let some = some.map(|(_, judged)| *judged).collect();
            groups.push((format!("{kind} {value}"), some));
        }
    }
    groups
}
