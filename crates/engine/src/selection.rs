//! What an ingest is about: patterns, sizes and the rules of ignore files. What it is not about is
//! neither read nor forgotten.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rag_core::{Code, Error, Result};

/// Which files an ingest takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Patterns as in `.gitignore`, from each path that is given. Where there are any, only files that
    /// fit one are taken in.
    pub include: Vec<String>,
    /// Patterns of files and folders to leave out; they win over `include`.
    pub exclude: Vec<String>,
    /// Larger files are passed over with a reason.
    pub max_file_bytes: u64,
    pub ignore_files: IgnoreFiles,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            max_file_bytes: 512 << 20,
            ignore_files: IgnoreFiles::Followed,
        }
    }
}

/// What becomes of `.gitignore`, `.ignore` and `.ragignore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoreFiles {
    Followed,
    Disregarded,
}

/// The patterns of a [`Selection`], from one path that is walked.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    include: Option<Gitignore>,
    exclude: Gitignore,
}

impl Filter {
    /// `folder` is what patterns with a slash start from.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none.
    pub(crate) fn new(folder: &Path, selection: &Selection) -> Result<Self> {
        let include = (!selection.include.is_empty())
            .then(|| patterns(folder, &selection.include))
            .transpose()?;
        Ok(Self {
            include,
            exclude: patterns(folder, &selection.exclude)?,
        })
    }

    /// Whether the run is not about this file, wherever the reason lies on the way to it.
    pub(crate) fn leaves_out(&self, file: &Path) -> bool {
        let fits = |patterns: &Gitignore| {
            file.starts_with(patterns.path())
                && patterns
                    .matched_path_or_any_parents(file, false)
                    .is_ignore()
        };
        fits(&self.exclude) || self.include.as_ref().is_some_and(|include| !fits(include))
    }

    /// Whether the run is about nothing in this folder. Its parents were asked before.
    pub(crate) fn leaves_out_folder(&self, folder: &Path) -> bool {
        self.exclude.matched(folder, true).is_ignore()
    }
}

pub(crate) fn patterns(folder: &Path, lines: &[String]) -> Result<Gitignore> {
    let mut builder = GitignoreBuilder::new(folder);
    for line in lines {
        let wrong = |why: String| {
            Error::new(
                Code::Usage,
                format!("`{line}` is no pattern of files: {why}"),
            )
            .hint("patterns are as in .gitignore: *.pdf, /drafts/, notes/**/2024-*")
        };
        if line.trim_end().is_empty() || line.starts_with('#') {
            return Err(wrong("it is empty or a comment".to_owned()));
        }
        builder
            .add_line(None, line)
            .map_err(|cause| wrong(cause.to_string()))?;
    }
    builder.build().map_err(|cause| {
        Error::new(Code::Usage, "these patterns can't be used together").because(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let all = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect();
        let selection = Selection {
            include: all(include),
            exclude: all(exclude),
            ..Selection::default()
        };
        Filter::new(Path::new("/docs"), &selection).unwrap()
    }

    #[test]
    fn without_patterns_nothing_is_left_out() {
        assert!(!filter(&[], &[]).leaves_out(Path::new("/docs/a/b.md")));
    }

    #[test]
    fn only_what_fits_an_include_and_no_exclude_is_taken_in() {
        let filter = filter(&["*.pdf", "/letters/"], &["drafts/", "*.tmp.pdf"]);
        for (path, left_out) in [
            ("/docs/a.pdf", false),
            ("/docs/deep/down/a.pdf", false),
            ("/docs/a.md", true),
            ("/docs/letters/a.md", false),
            ("/docs/letters/1999/a.md", false),
            ("/docs/old/letters/a.md", true),
            ("/docs/drafts/a.pdf", true),
            ("/docs/letters/drafts/a.md", true),
            ("/docs/a.tmp.pdf", true),
        ] {
            assert_eq!(filter.leaves_out(Path::new(path)), left_out, "{path}");
        }
        assert!(filter.leaves_out_folder(Path::new("/docs/drafts")));
        assert!(!filter.leaves_out_folder(Path::new("/docs/other")));
    }

    #[test]
    fn what_is_no_pattern_is_refused_by_name() {
        for bad in ["", "# a comment", "[z-a]", "{a"] {
            let selection = Selection {
                include: vec![bad.into()],
                ..Selection::default()
            };
            let error = Filter::new(Path::new("/docs"), &selection).unwrap_err();
            assert_eq!(error.code, Code::Usage, "{bad:?}");
            assert!(error.fact.contains(&format!("`{bad}`")), "{error}");
        }
    }
}
