//! What a page says about itself: its title and its date.

use scraper::{ElementRef, Html};
use serde_json::Value;

use crate::markup::front::iso_date;

#[derive(Debug, Default)]
pub(super) struct Meta {
    pub(super) title: Option<String>,
    pub(super) date: Option<String>,
}

/// Names of `meta` elements that give the day on which a page was published.
const PUBLISHED: [&str; 14] = [
    "article:published_time",
    "og:published_time",
    "datepublished",
    "date",
    "pubdate",
    "publishdate",
    "publish_date",
    "publication_date",
    "dc.date",
    "dc.date.issued",
    "dcterms.date",
    "dcterms.issued",
    "citation_publication_date",
    "parsely-pub-date",
];

const MODIFIED: [&str; 4] = [
    "article:modified_time",
    "og:updated_time",
    "datemodified",
    "last-modified",
];

/// Longest text that is looked through for data about the page.
const MAX_DATA: usize = 1 << 20;

#[derive(Debug, Default)]
struct Seen {
    title: Option<String>,
    shared_title: Option<String>,
    site: Option<String>,
    headings: Vec<String>,
    published: Option<String>,
    modified: Option<String>,
    times: Vec<String>,
}

/// Title and date of a page.
pub(super) fn of(html: &Html) -> Meta {
    let mut seen = Seen::default();
    for node in html.tree.root().descendants() {
        if let Some(element) = ElementRef::wrap(node) {
            seen.see(element);
        }
    }
    let one_time = match &seen.times[..] {
        [only] => Some(only.clone()),
        _ => None,
    };
    Meta {
        date: seen.published.take().or(one_time).or(seen.modified.take()),
        title: seen.title(),
    }
}

impl Seen {
    fn see(&mut self, element: ElementRef<'_>) {
        let get = |name| element.value().attr(name);
        match element.value().name() {
            "title" if self.title.is_none() && !is_in_picture(element) => {
                self.title = words(element);
            }
            "h1" if self.headings.len() < 3 => {
                let heading = words(element);
                // Generators hang a link to the heading on it.
                let bare = heading.map(|h| h.trim_end_matches(['¶', '#', '§', ' ']).to_owned());
                self.headings.extend(bare);
            }
            "meta" => {
                let key = get("property")
                    .or_else(|| get("name"))
                    .or_else(|| get("itemprop"));
                if let (Some(key), Some(content)) = (key, get("content")) {
                    self.see_meta(&key.to_ascii_lowercase(), content.trim());
                }
            }
            "time" => {
                let date = get("datetime").and_then(iso_date);
                if get("itemprop") == Some("datePublished") || get("pubdate").is_some() {
                    self.published = self.published.take().or(date);
                } else if let Some(date) = date.filter(|date| !self.times.contains(date)) {
                    self.times.push(date);
                }
            }
            "script" if get("type") == Some("application/ld+json") => self.see_data(element),
            _ => {}
        }
    }

    fn see_meta(&mut self, key: &str, content: &str) {
        let given = || (!content.is_empty()).then(|| content.to_owned());
        match key {
            "og:title" if self.shared_title.is_none() => self.shared_title = given(),
            "og:site_name" if self.site.is_none() => self.site = given(),
            key if PUBLISHED.contains(&key) && self.published.is_none() => {
                self.published = iso_date(content);
            }
            key if MODIFIED.contains(&key) && self.modified.is_none() => {
                self.modified = iso_date(content);
            }
            _ => {}
        }
    }

    /// Data for search engines (schema.org in JSON-LD).
    fn see_data(&mut self, script: ElementRef<'_>) {
        let text: String = script.text().collect();
        if text.len() > MAX_DATA {
            return;
        }
        let Ok(data) = serde_json::from_str::<Value>(&text) else {
            return;
        };
        let mut open = vec![&data];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(values) => open.extend(values.iter().rev()),
                Value::Object(fields) => {
                    let day = |key| fields.get(key).and_then(Value::as_str).and_then(iso_date);
                    self.published = self.published.take().or_else(|| day("datePublished"));
                    self.modified = self.modified.take().or_else(|| day("dateModified"));
                    open.extend(fields.values());
                }
                _ => {}
            }
        }
    }

    /// The title without the name of the site, where something else on the page says which part of it
    /// that is.
    fn title(self) -> Option<String> {
        let title = match (&self.title, &self.shared_title) {
            (Some(title), Some(shared)) if !title.contains(shared.as_str()) => Some(title),
            (title, shared) => shared.as_ref().or(title.as_ref()),
        };
        let Some(title) = title else {
            return self.headings.into_iter().next();
        };
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(heading) = self
            .headings
            .iter()
            .find(|heading| parts(&title).any(|part| part == **heading))
        {
            return Some(heading.clone());
        }
        let site = self.site.as_deref().unwrap_or_default();
        let kept = match parts(&title).last() {
            Some(last) if last == site && last.len() < title.len() => {
                let kept = title[..title.len() - last.len()].trim_end();
                kept.trim_end_matches(SEPARATORS).trim_end()
            }
            _ => title.as_str(),
        };
        (!kept.is_empty()).then(|| kept.to_owned())
    }
}

/// What stands between the title of a page and the name of its site.
const SEPARATORS: [char; 9] = ['|', '-', '–', '—', '·', '•', '»', '_', ':'];

/// A title cut at its separators: those that words have within them (`-`, `:`) count only with spaces.
fn parts(title: &str) -> impl Iterator<Item = &str> {
    let is_loose = |at: usize, c: char| {
        let before = title[..at].ends_with(' ');
        let after = title[at + c.len_utf8()..].starts_with(' ');
        before && after || matches!(c, '|' | '_' | '—' | '»')
    };
    let mut ends: Vec<(usize, usize)> = title
        .char_indices()
        .filter(|(at, c)| SEPARATORS.contains(c) && is_loose(*at, *c))
        .map(|(at, c)| (at, at + c.len_utf8()))
        .collect();
    ends.push((title.len(), title.len()));
    let mut start = 0;
    ends.into_iter().map(move |(end, next)| {
        let part = title[start..end].trim();
        start = next;
        part
    })
}

fn words(element: ElementRef<'_>) -> Option<String> {
    const LONGEST: usize = 1_000;
    let words: Vec<&str> = element
        .text()
        .flat_map(str::split_whitespace)
        .take(LONGEST)
        .collect();
    let words = words.join(" ");
    (!words.is_empty() && words.len() <= LONGEST).then_some(words)
}

fn is_in_picture(element: ElementRef<'_>) -> bool {
    let mut above = element.ancestors().filter_map(ElementRef::wrap);
    above.any(|above| above.value().name() == "svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(page: &str) -> Meta {
        of(&Html::parse_document(page))
    }

    fn title(page: &str) -> Option<String> {
        meta(page).title
    }

    #[test]
    fn the_name_of_the_site_is_no_part_of_the_title() {
        let told = |page: &str| title(page).unwrap();
        assert_eq!(told("<title>Oil - Skerry Line</title><h1>Oil</h1>"), "Oil");
        assert_eq!(told("<title>灯塔_青屿轮渡</title><h1>灯塔</h1>"), "灯塔");
        assert_eq!(told("<title>A - b: c</title>"), "A - b: c");
        let site = "<meta property=og:site_name content='Skerry Line'>";
        assert_eq!(
            told(&format!("<title>Oil | Skerry Line</title>{site}")),
            "Oil"
        );
        assert_eq!(
            told(&format!("<title>Skerry Line</title>{site}")),
            "Skerry Line"
        );
        let shared = "<meta property=og:title content='Lamp oil'>";
        assert_eq!(
            told(&format!("<title>Lamp oil » News</title>{shared}")),
            "Lamp oil"
        );
        assert_eq!(
            told("<h1>Only <i>this</i><a href=#x>¶</a></h1>"),
            "Only this"
        );
        assert_eq!(title("<svg><title>x</title></svg><p>y"), None);
    }

    #[test]
    fn the_date_is_that_of_publication() {
        let date = |page: &str| meta(page).date;
        let published =
            "<meta property='article:published_time' content='2026-11-21T09:15:00+00:00'>";
        assert_eq!(
            date(&format!("<time datetime=2020-01-01>x</time>{published}")).as_deref(),
            Some("2026-11-21T09:15:00+00:00")
        );
        let linked = r#"<script type="application/ld+json">{"@graph":[{"dateModified":"2026-12-01"},{"datePublished":"2026-11-21"}]}</script>"#;
        assert_eq!(date(linked).as_deref(), Some("2026-11-21"));
        assert_eq!(
            date("<time datetime=2026-11-21>x</time>").as_deref(),
            Some("2026-11-21")
        );
        assert_eq!(
            date("<time datetime=2026-11-21>x</time><time datetime=2026-11-22>y</time>"),
            None
        );
    }
}
