//! The table of contents of a book: what its chapters are called.

use std::collections::HashMap;

use super::{
    package::{Package, attribute, local},
    path::resolved,
};
use crate::data::xml::{self, Token, tokens, unescaped};

/// The name of each file of the book, the outermost one where several point into it.
pub(super) fn labels(
    package: &Package,
    mut text_of: impl FnMut(&str) -> Option<String>,
) -> HashMap<String, String> {
    let mut labels = HashMap::new();
    if let Some(place) = &package.nav
        && let Some(text) = text_of(place)
    {
        by_nav(&text, place, &mut labels);
    }
    if labels.is_empty()
        && let Some(place) = &package.ncx
        && let Some(text) = text_of(place)
    {
        by_ncx(&text, place, &mut labels);
    }
    labels
}

/// Links of the first `nav` element that is a table of contents (EPUB 3.3, section 7.4).
fn by_nav(text: &str, place: &str, labels: &mut HashMap<String, String>) {
    let mut inside = false;
    let mut target: Option<String> = None;
    let mut words = String::new();
    for (_, token) in tokens(text) {
        match token {
            Token::Open { inner, .. } if local(xml::name_of(inner)) == "nav" => {
                let kind = attribute(inner, "epub:type").or_else(|| attribute(inner, "role"));
                inside = kind.is_none_or(|kind| kind.contains("toc"));
            }
            Token::Close { name } if local(name) == "nav" => {
                if inside && !labels.is_empty() {
                    return;
                }
                inside = false;
            }
            Token::Open { inner, .. } if inside && local(xml::name_of(inner)) == "a" => {
                target = attribute(inner, "href");
                words.clear();
            }
            Token::Close { name } if inside && local(name) == "a" => {
                if let Some(target) = target.take() {
                    keep(labels, resolved(place, &target), &words);
                }
            }
            Token::Text(text) if target.is_some() => words.push_str(&unescaped(text)),
            _ => {}
        }
    }
}

/// `navPoint` elements: a label, then a place (OPF 2.0.1, section 2.4.1).
fn by_ncx(text: &str, place: &str, labels: &mut HashMap<String, String>) {
    let mut inside = false;
    let mut words = String::new();
    for (_, token) in tokens(text) {
        match token {
            Token::Open { inner, .. } => match local(xml::name_of(inner)) {
                "navLabel" => {
                    inside = true;
                    words.clear();
                }
                "content" => {
                    if let Some(target) = attribute(inner, "src") {
                        keep(labels, resolved(place, &target), &words);
                    }
                }
                "pageList" => return,
                _ => {}
            },
            Token::Close { name } if local(name) == "navLabel" => inside = false,
            Token::Text(text) if inside => words.push_str(&unescaped(text)),
            _ => {}
        }
    }
}

fn keep(labels: &mut HashMap<String, String>, place: String, words: &str) {
    const LONGEST: usize = 300;
    let name = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if !name.is_empty() && name.len() <= LONGEST {
        labels.entry(place).or_insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chapters_are_named_by_both_kinds_of_contents() {
        let nav = r#"<nav epub:type="landmarks"><a href="c1.xhtml">Start</a></nav>
            <nav epub:type="toc"><ol><li><a href="c1.xhtml">The <i>Lamp</i></a><ol>
            <li><a href="c1.xhtml#s2">Oil</a></li></ol></li></ol></nav>"#;
        let ncx = r#"<navMap><navPoint><navLabel><text>灯塔</text></navLabel><content src="text/c2.html#x"/>
            </navPoint></navMap><pageList><pageTarget><navLabel><text>9</text></navLabel>
            <content src="c9.html"/></pageTarget></pageList>"#;
        let package = |nav: bool| Package {
            nav: nav.then(|| "OEBPS/nav.xhtml".to_owned()),
            ncx: Some("toc.ncx".to_owned()),
            ..Package::default()
        };
        let text_of = |place: &str| Some(if place == "toc.ncx" { ncx } else { nav }.to_owned());
        let found = labels(&package(true), text_of);
        assert_eq!(found.len(), 1);
        assert_eq!(found["OEBPS/c1.xhtml"], "The Lamp");
        let found = labels(&package(false), text_of);
        assert_eq!(found.len(), 1);
        assert_eq!(found["text/c2.html"], "灯塔");
    }
}
