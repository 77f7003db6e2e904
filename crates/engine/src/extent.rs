//! How much of its paths a walk looks at: all of them, or only the places of which something was heard.
//! Where it did not look, nothing is proven gone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What a walk looks at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extent {
    /// None for everything.
    places: Option<Places>,
    /// Folders that are not entered: what lies there says nothing.
    away: HashSet<PathBuf>,
}

#[derive(Debug, Clone, Default)]
struct Places {
    /// Files and folders, with all that is below them.
    at: HashSet<PathBuf>,
    /// The folders on the way to them. They are listed from the top, since ignore files on the way
    /// have a say in what is below.
    above: HashSet<PathBuf>,
}

impl Extent {
    /// Only these files and folders, which need not exist.
    pub(crate) fn of(places: impl IntoIterator<Item = PathBuf>) -> Self {
        let at: HashSet<PathBuf> = places.into_iter().collect();
        let above = at.iter().flat_map(|place| place.ancestors().skip(1));
        let above = above.map(Path::to_owned).collect();
        Self {
            places: Some(Places { at, above }),
            away: HashSet::new(),
        }
    }

    /// The same without these folders.
    pub(crate) fn without(mut self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        self.away.extend(folders);
        self
    }

    pub(crate) fn away(&self) -> &HashSet<PathBuf> {
        &self.away
    }

    /// Whether it is everything there is.
    pub(crate) fn is_everything(&self) -> bool {
        self.places.is_none()
    }

    /// Whether `path` is to be looked at.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let Some(places) = &self.places else {
            return true;
        };
        path.ancestors().any(|above| places.at.contains(above))
    }

    /// Whether a walk from the top comes by `path`.
    pub(crate) fn leads_by(&self, path: &Path) -> bool {
        if self.away.contains(path) {
            return false;
        }
        let is_above = |places: &Places| places.above.contains(path);
        self.places.as_ref().is_none_or(is_above) || self.covers(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_walk_goes_by_what_is_on_the_way_and_looks_at_the_places_and_below() {
        let extent = Extent::of(paths(&["/d/a", "/d/b/c.md"]));
        for (path, leads, covers) in [
            ("/d", true, false),
            ("/d/a", true, true),
            ("/d/a/x/y.md", true, true),
            ("/d/ab", false, false),
            ("/d/b", true, false),
            ("/d/b/c.md", true, true),
            ("/d/b/d.md", false, false),
        ] {
            let path = Path::new(path);
            assert_eq!(
                (extent.leads_by(path), extent.covers(path)),
                (leads, covers)
            );
        }
        let all = Extent::default();
        assert!(all.leads_by(Path::new("/d")) && all.covers(Path::new("/d")));
        assert!(all.is_everything() && !extent.is_everything());
    }

    #[test]
    fn what_is_away_is_not_entered() {
        let extent = Extent::default().without(paths(&["/d/disk"]));
        assert!(!extent.leads_by(Path::new("/d/disk")));
        assert!(extent.leads_by(Path::new("/d/disks")));
    }
}
