//! Filters: which of the known sources a question is about. Pure.

use std::cmp::Ordering;
use std::path::Path;

use ignore::gitignore::Gitignore;
use rag_core::calendar::Moment;
use rag_core::{Code, Error, Filter, Result, SourceState};
use rag_index::Scope;

use crate::selection::patterns;

/// What patterns start from: paths of sources are relative to the folder that was ingested.
const ROOT: &str = "/";

/// The sources of `known` that `filter` lets through, said the shorter way.
///
/// # Errors
/// `Usage` for a pattern that is none, and for a type that no file has.
pub(crate) fn scope(filter: &Filter, known: &[SourceState]) -> Result<Scope> {
    if *filter == Filter::default() {
        return Ok(Scope::All);
    }
    let within = (!filter.within.is_empty())
        .then(|| patterns(Path::new(ROOT), &filter.within))
        .transpose()?;
    let types: Vec<Type<'_>> = filter.types.iter().map(|name| Type::named(name)).collect();
    if let Some(unknown) = types.iter().find(|kind| !kind.is_known(known)) {
        return Err(unknown.refused(known));
    }
    let passes = |state: &&SourceState| {
        within.as_ref().is_none_or(|within| lies_in(within, state))
            && (types.is_empty() || types.iter().any(|kind| kind.is_of(state)))
            && is_in(&filter.languages, state)
            && is_filed_under(&filter.tags, state)
            && is_between(filter, state)
    };
    let (inside, outside): (Vec<_>, Vec<_>) = known.iter().partition(passes);
    let keys = |states: Vec<&SourceState>| {
        let keys = states.into_iter().map(|state| state.source.key.clone());
        keys.collect()
    };
    Ok(if inside.len() <= outside.len() {
        Scope::Only(keys(inside))
    } else {
        Scope::AllBut(keys(outside))
    })
}

fn lies_in(within: &Gitignore, state: &SourceState) -> bool {
    let path = Path::new(ROOT).join(&state.source.path);
    within.matched_path_or_any_parents(path, false).is_ignore()
}

fn is_in(languages: &[String], state: &SourceState) -> bool {
    let language = state.language.as_deref().unwrap_or_default();
    let speaks = |wanted: &String| stands_for(wanted, language, '-');
    languages.is_empty() || languages.iter().any(speaks)
}

fn is_filed_under(tags: &[String], state: &SourceState) -> bool {
    let is = |wanted: &String| {
        let wanted = wanted.trim_start_matches('#');
        state.tags.iter().any(|tag| stands_for(wanted, tag, '/'))
    };
    tags.is_empty() || tags.iter().any(is)
}

/// Whether `name` is `wanted`, in any case, or lies below it: `zh-Hans` below `zh`, `sea/storms` below
/// `sea`.
fn stands_for(wanted: &str, name: &str, separator: char) -> bool {
    let name = name.to_lowercase();
    let rest = name.strip_prefix(&wanted.to_lowercase());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

/// A file that was too fresh for its time to be kept is newer than any date asked for.
fn is_between(filter: &Filter, state: &SourceState) -> bool {
    let date = match (&state.date, u64::try_from(state.modified_ns)) {
        (Some(date), _) => date.clone(),
        (None, Ok(ns)) if ns > 0 => Moment::at(ns / 1_000_000_000).rfc3339(),
        (None, _) => return filter.until.is_none(),
    };
    let since = filter.since.as_ref().map(|since| since.holds(&date));
    let until = filter.until.as_ref().map(|until| until.holds(&date));
    since != Some(Ordering::Less) && until != Some(Ordering::Greater)
}

/// A type as it was asked for: an extension, and the formats that go by the name.
struct Type<'a> {
    name: &'a str,
    media_types: Vec<&'static str>,
}

impl<'a> Type<'a> {
    fn named(name: &'a str) -> Self {
        let name = name.strip_prefix('.').unwrap_or(name);
        Self {
            name,
            media_types: rag_text::media_types(name),
        }
    }

    fn is_of(&self, state: &SourceState) -> bool {
        let extension = Path::new(&state.source.path).extension();
        self.media_types.contains(&state.media_type.as_str())
            || extension.is_some_and(|extension| extension.eq_ignore_ascii_case(self.name))
    }

    fn is_known(&self, known: &[SourceState]) -> bool {
        !self.media_types.is_empty() || known.iter().any(|state| self.is_of(state))
    }

    fn refused(&self, known: &[SourceState]) -> Error {
        let extensions = known.iter().filter_map(|state| {
            let extension = Path::new(&state.source.path).extension()?;
            Some(extension.to_string_lossy().to_lowercase())
        });
        let mut extensions: Vec<String> = extensions.collect();
        extensions.sort();
        extensions.dedup();
        extensions.truncate(20);
        let fact = format!("`{}` is no type of file that is known", self.name);
        Error::new(Code::Usage, fact).hint(format!(
            "a type is the name of a format (pdf, markdown) or an extension; here are: {}",
            extensions.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use rag_core::{Outcome, Source, SourceKey};

    use super::*;

    fn state(path: &str, media_type: &str, language: &str, date: Option<&str>) -> SourceState {
        SourceState {
            source: Source {
                key: SourceKey(path.to_owned()),
                root: "/home/me/docs".into(),
                path: path.to_owned(),
            },
            hash: String::new(),
            rules: String::new(),
            size: 1,
            modified_ns: 1_700_000_000 * 1_000_000_000, // 2023-11-14
            title: None,
            language: Some(language.to_owned()),
            media_type: media_type.to_owned(),
            date: date.map(str::to_owned),
            tags: Vec::new(),
            outcome: Outcome::Read,
            reason: None,
            chunks: 1,
        }
    }

    fn known() -> Vec<SourceState> {
        vec![
            state(
                "reports/2025/annual.pdf",
                "application/pdf",
                "en",
                Some("2025-03-01"),
            ),
            state(
                "reports/年报",
                "application/pdf",
                "zh-Hans",
                Some("2026-03-01T08:00:00Z"),
            ),
            state("notes/storm.md", "text/markdown", "en-GB", None),
            state("notes/风暴.MD", "text/markdown", "zh-Hant", None),
        ]
    }

    /// The paths that pass.
    fn passing(filter: &Filter) -> Vec<String> {
        let known = known();
        let scope = scope(filter, &known).unwrap();
        let passes = |state: &&SourceState| match &scope {
            Scope::All => true,
            Scope::Only(keys) => keys.contains(&state.source.key),
            Scope::AllBut(keys) => !keys.contains(&state.source.key),
        };
        let paths = known.iter().filter(passes).map(|s| s.source.path.clone());
        paths.collect()
    }

    fn all(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn without_a_filter_all_sources_are_searched() {
        assert_eq!(scope(&Filter::default(), &known()).unwrap(), Scope::All);
    }

    #[test]
    fn patterns_are_those_of_gitignore_from_the_ingested_folder() {
        let within = |patterns: &[&str]| {
            passing(&Filter {
                within: all(patterns),
                ..Filter::default()
            })
        };
        assert_eq!(
            within(&["reports/"]),
            ["reports/2025/annual.pdf", "reports/年报"]
        );
        assert_eq!(within(&["/annual.pdf"]), [""; 0]);
        assert_eq!(
            within(&["annual.*", "风暴*"]),
            ["reports/2025/annual.pdf", "notes/风暴.MD"]
        );
    }

    #[test]
    fn a_type_is_a_format_or_an_extension() {
        let of = |types: &[&str]| {
            passing(&Filter {
                types: all(types),
                ..Filter::default()
            })
        };
        let pdfs = ["reports/2025/annual.pdf", "reports/年报"];
        assert_eq!(of(&["pdf"]), pdfs);
        assert_eq!(of(&[".PDF"]), pdfs);
        assert_eq!(of(&["markdown"]), ["notes/storm.md", "notes/风暴.MD"]);
        assert_eq!(of(&["md", "pdf"]).len(), 4);
        let filter = Filter {
            types: all(&["zzz"]),
            ..Filter::default()
        };
        let error = scope(&filter, &known()).unwrap_err();
        assert_eq!(error.code, Code::Usage);
        assert!(error.hint.unwrap().contains("here are: md, pdf"));
    }

    #[test]
    fn a_language_stands_for_its_scripts() {
        let of = |languages: &[&str]| {
            passing(&Filter {
                languages: all(languages),
                ..Filter::default()
            })
        };
        assert_eq!(of(&["zh"]), ["reports/年报", "notes/风暴.MD"]);
        assert_eq!(of(&["zh-hans"]), ["reports/年报"]);
        assert_eq!(of(&["en"]), ["reports/2025/annual.pdf", "notes/storm.md"]);
    }

    #[test]
    fn a_tag_stands_for_those_below_it_in_any_case() {
        let mut known = known();
        known[0].tags = vec!["Sea/Storms".into(), "log".into()];
        known[1].tags = vec!["seaside".into()];
        let of = |tags: &[&str]| {
            let filter = Filter {
                tags: all(tags),
                ..Filter::default()
            };
            scope(&filter, &known).unwrap()
        };
        let first = Scope::Only(vec![known[0].source.key.clone()]);
        assert_eq!(of(&["sea"]), first);
        assert_eq!(of(&["#sea/storms", "none"]), first);
        assert_eq!(of(&["none"]), Scope::Only(vec![]));
    }

    #[test]
    fn dates_are_the_documents_own_or_else_the_files() {
        let between = |since: Option<&str>, until: Option<&str>| {
            let period = |text: Option<&str>| text.map(|text| text.parse().unwrap());
            passing(&Filter {
                since: period(since),
                until: period(until),
                ..Filter::default()
            })
        };
        assert_eq!(between(Some("2026"), None), ["reports/年报"]);
        assert_eq!(
            between(Some("2025-03-01"), Some("2025")),
            ["reports/2025/annual.pdf"]
        );
        assert_eq!(
            between(None, Some("2023-11-14")),
            ["notes/storm.md", "notes/风暴.MD"]
        );
        assert_eq!(between(None, Some("2023-11-13")), [""; 0]);
    }

    #[test]
    fn a_file_of_this_moment_is_newer_than_any_date() {
        let mut fresh = known().remove(2);
        fresh.modified_ns = 0;
        let filter = |since: &str, until: Option<&str>| Filter {
            since: Some(since.parse().unwrap()),
            until: until.map(|until| until.parse().unwrap()),
            ..Filter::default()
        };
        assert!(is_between(&filter("2026", None), &fresh));
        assert!(!is_between(&filter("2020", Some("2026")), &fresh));
    }
}
