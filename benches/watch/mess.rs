//! Somebody who creates, edits, renames, moves and deletes at random, from a seed.

use std::fs;
use std::path::{Path, PathBuf};

/// Numbers that only look random (Knuth's MMIX constants).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

pub(crate) struct Mess<'a> {
    dir: &'a Path,
    trash: &'a Path,
    random: Random,
    made: usize,
    thrown: Vec<PathBuf>,
}

impl<'a> Mess<'a> {
    pub(crate) fn new(dir: &'a Path, trash: &'a Path, seed: u64) -> Self {
        Self {
            dir,
            trash,
            random: Random(seed),
            made: 0,
            thrown: Vec::new(),
        }
    }

    fn text(&mut self) -> String {
        self.made += 1;
        let made = self.made;
        let section = |n| format!("# Part {n}\n\nVersion {made} of the harbour log, part {n}.\n\n");
        (0..=self.random.below(4)).map(section).collect()
    }

    /// The files, or the folders, that are there.
    fn there(&self, folders: bool) -> Vec<PathBuf> {
        let (mut found, mut open) = (Vec::new(), vec![self.dir.to_owned()]);
        while let Some(folder) = open.pop() {
            for path in fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
            {
                let is_folder = path.is_dir();
                if is_folder {
                    open.push(path.clone());
                }
                if is_folder == folders {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    fn one(&mut self, folders: bool) -> Option<PathBuf> {
        let all = self.there(folders);
        (!all.is_empty()).then(|| all[self.random.below(all.len())].clone())
    }

    fn name(&mut self, kind: &str) -> PathBuf {
        let folder = match self.random.below(3) {
            0 => None,
            _ => self.one(true),
        };
        let folder = folder.unwrap_or_else(|| self.dir.to_owned());
        folder.join(format!("{kind}{}", self.random.below(80)))
    }

    /// One change.
    pub(crate) fn make(&mut self) {
        let (file, folder) = (self.one(false), self.one(true));
        match (self.random.below(16), file, folder) {
            (0..4, _, _) if self.there(false).len() < 300 => {
                let (path, text) = (self.name("f").with_extension("md"), self.text());
                fs::write(path, text).unwrap();
            }
            (4, _, _) if self.there(true).len() < 20 => {
                let _ = fs::create_dir(self.name("d")); // there already
            }
            (5..8, Some(file), _) => {
                let text = self.text();
                fs::write(file, text).unwrap();
            }
            (8..10, Some(file), _) => {
                let (draft, text) = (file.with_extension("tmp"), self.text());
                fs::write(&draft, text).unwrap();
                fs::rename(draft, file).unwrap();
            }
            (10..12, Some(file), _) => {
                let to = self.name("f").with_extension("md");
                fs::rename(file, to).unwrap();
            }
            (12, _, Some(folder)) => {
                let to = self.name("d");
                if !to.exists() && !to.starts_with(&folder) {
                    fs::rename(folder, to).unwrap();
                }
            }
            (13, Some(file), _) => fs::remove_file(file).unwrap(),
            (14, _, Some(folder)) => {
                self.made += 1;
                let to = self.trash.join(self.made.to_string());
                fs::rename(folder, &to).unwrap();
                self.thrown.push(to);
            }
            (15, _, _) => {
                if let Some(thrown) = self.thrown.pop() {
                    let to = self.name("d");
                    if !to.exists() {
                        fs::rename(thrown, to).unwrap();
                    }
                }
            }
            _ => {}
        }
    }
}
