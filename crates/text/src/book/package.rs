//! The package document of a book: what it is called, what it is made of and in which order
//! (EPUB 3.3, section 5; OPF 2.0.1).

use std::collections::{HashMap, HashSet};

use super::path::resolved;
use crate::data::xml::{self, Token, tokens, unescaped};

/// What is read of a package document.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) title: Option<String>,
    pub(super) creators: Vec<String>,
    pub(super) language: Option<String>,
    pub(super) date: Option<String>,
    /// The chapters in order, each once.
    pub(super) spine: Vec<Item>,
    /// Where the contents of an EPUB 3 stand.
    pub(super) nav: Option<String>,
    /// Where the contents of an EPUB 2 stand.
    pub(super) ncx: Option<String>,
}

/// A file of the book.
#[derive(Debug, Clone, Default)]
pub(super) struct Item {
    pub(super) place: String,
    media_type: String,
    /// Whether it is the table of contents.
    pub(super) is_contents: bool,
}

impl Item {
    /// Whether it is a page of text, as all chapters should be.
    pub(super) fn is_page(&self) -> bool {
        let by_name = || {
            let extension = self.place.rsplit('.').next().unwrap_or_default();
            matches!(extension, "html" | "xhtml" | "htm" | "xml")
        };
        let told = self.media_type.as_str();
        told.contains("html") || told.contains("dtbook") || told.is_empty() && by_name()
    }
}

/// Most authors that are named.
const MAX_CREATORS: usize = 20;

impl Package {
    /// Reads the document that stands at `place`.
    pub(super) fn of(text: &str, place: &str) -> Self {
        let mut package = Self::default();
        let mut items: HashMap<String, Item> = HashMap::new();
        let mut seen = HashSet::new();
        let mut spine = Vec::new();
        let mut ncx = None;
        let mut open = "";
        let mut words = String::new();
        for (_, token) in tokens(text) {
            match token {
                Token::Open { inner, is_empty } => {
                    let get = |name| attribute(inner, name);
                    let name = local(xml::name_of(inner));
                    match name {
                        "item" => {
                            let (Some(id), Some(href)) = (get("id"), get("href")) else {
                                continue;
                            };
                            let properties = get("properties").unwrap_or_default();
                            let item = Item {
                                place: resolved(place, &href),
                                media_type: get("media-type").unwrap_or_default(),
                                is_contents: properties.split_whitespace().any(|p| p == "nav"),
                            };
                            items.insert(id, item);
                        }
                        "spine" => ncx = get("toc"),
                        "itemref" => spine.extend(get("idref")),
                        _ => {}
                    }
                    open = if is_empty { "" } else { name };
                    words.clear();
                }
                Token::Text(text) => words.push_str(&unescaped(text)),
                Token::Data(text) => words.push_str(text),
                Token::Close { .. } => {
                    package.tell(open, &words);
                    open = "";
                }
            }
        }
        package.nav = items
            .values()
            .find(|item| item.is_contents)
            .map(|item| item.place.clone());
        let is_ncx = |item: &&Item| item.media_type == "application/x-dtbncx+xml";
        package.ncx = ncx
            .and_then(|id| items.get(&id))
            .or_else(|| items.values().find(is_ncx))
            .map(|item| item.place.clone());
        // What the order names and the list of files doesn't is named as missing.
        let listed = spine.into_iter().map(|id| {
            let unknown = || Item {
                place: id.clone(),
                ..Item::default()
            };
            items.get(&id).cloned().unwrap_or_else(unknown)
        });
        package.spine = listed
            .filter(|item| seen.insert(item.place.clone()))
            .collect();
        package
    }

    /// Takes an element of the metadata.
    fn tell(&mut self, element: &str, words: &str) {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.is_empty() {
            return;
        }
        match element {
            "title" if self.title.is_none() => self.title = Some(words),
            "language" if self.language.is_none() => self.language = Some(words),
            "date" if self.date.is_none() => self.date = Some(words),
            "creator" if self.creators.len() < MAX_CREATORS => self.creators.push(words),
            _ => {}
        }
    }
}

/// The path of the package document that a container names.
pub(super) fn rootfile(container: &str) -> Option<String> {
    tokens(container).find_map(|(_, token)| match token {
        Token::Open { inner, .. } if local(xml::name_of(inner)) == "rootfile" => {
            attribute(inner, "full-path").map(|path| resolved("", &path))
        }
        _ => None,
    })
}

/// The files that are encrypted so that only a licence opens them. Fonts are disguised by two methods
/// that need none (EPUB 3.3, section 4.2.6, and Adobe's).
pub(super) fn encrypted(text: &str) -> HashSet<String> {
    const DISGUISES: [&str; 2] = [
        "http://www.idpf.org/2008/embedding",
        "http://ns.adobe.com/pdf/enc#RC",
    ];
    let mut locked = HashSet::new();
    let mut is_disguise = false;
    for (_, token) in tokens(text) {
        let Token::Open { inner, .. } = token else {
            continue;
        };
        match local(xml::name_of(inner)) {
            "EncryptedData" => is_disguise = false,
            "EncryptionMethod" => {
                let method = attribute(inner, "Algorithm").unwrap_or_default();
                is_disguise |= DISGUISES.contains(&method.as_str());
            }
            "CipherReference" if !is_disguise => {
                let place = attribute(inner, "URI").map(|uri| resolved("", &uri));
                locked.extend(place);
            }
            _ => {}
        }
    }
    locked
}

/// A name without its prefix.
pub(super) fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// The value of an attribute in what stands between the brackets of a tag.
pub(super) fn attribute(inner: &str, wanted: &str) -> Option<String> {
    let mut rest = &inner[xml::name_of(inner).len()..];
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, behind) = after[1..].split_once(quote)?;
        if key.trim() == wanted {
            return Some(unescaped(value).trim().to_owned());
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_says_what_the_book_is_made_of() {
        let text = r#"<?xml version="1.0"?><opf:package xmlns:opf="x"><metadata>
            <dc:title id="t">Lamps &amp; Storms</dc:title><dc:title>Sub</dc:title>
            <dc:creator>Ada Quill</dc:creator><dc:creator>李雷</dc:creator>
            <dc:language>en-GB</dc:language><dc:date>2024-05-01</dc:date></metadata>
            <manifest><opf:item id="c1" href="text/one%201.xhtml" media-type="application/xhtml+xml"/>
            <opf:item href='nav.xhtml' id='nav' properties="scripted nav" media-type="application/xhtml+xml"/>
            <item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>
            <spine toc="ncx"><itemref idref="nav"/><itemref idref="c1"/><itemref idref="c1"/>
            <itemref idref="gone"/></spine></opf:package>"#;
        let package = Package::of(text, "OEBPS/content.opf");
        assert_eq!(package.title.as_deref(), Some("Lamps & Storms"));
        assert_eq!(package.creators, ["Ada Quill", "李雷"]);
        assert_eq!(package.nav.as_deref(), Some("OEBPS/nav.xhtml"));
        assert_eq!(package.ncx.as_deref(), Some("OEBPS/toc.ncx"));
        let places: Vec<&str> = package.spine.iter().map(|i| i.place.as_str()).collect();
        assert_eq!(
            places,
            ["OEBPS/nav.xhtml", "OEBPS/text/one 1.xhtml", "gone"]
        );
    }

    #[test]
    fn a_disguised_font_is_no_encrypted_book() {
        let data = |method: &str, uri: &str| {
            format!(
                "<enc:EncryptedData><enc:EncryptionMethod Algorithm='{method}'/>\
                 <enc:CipherData><enc:CipherReference URI='{uri}'/></enc:CipherData></enc:EncryptedData>"
            )
        };
        let text = data("http://www.idpf.org/2008/embedding", "OEBPS/a.otf")
            + &data(
                "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
                "OEBPS/c1.xhtml",
            );
        assert_eq!(
            encrypted(&text),
            HashSet::from(["OEBPS/c1.xhtml".to_owned()])
        );
    }
}
