//! What was written onto the pages of a PDF rather than into them: the values of form fields and the
//! text of notes (ISO 32000-1, 12.5.6.6 and 12.7.4), which no reader of page contents sees.

use std::collections::HashMap;

use pdfboss_core::{Document, ObjRef, Object, Page, form::FieldType, object::decode_text_string};
use rag_core::BlockKind;

use super::draft::DraftBlock;

/// Bits of an annotation's flags that keep it from being seen: hidden, no view.
const UNSEEN: i64 = 1 << 1 | 1 << 5;

/// What the form's fields show, by the annotation that shows it: the values of text fields and of lists
/// that open, all entries of lists that stand open, the captions of buttons. Passwords are left out.
pub(crate) fn values(document: &Document) -> HashMap<ObjRef, String> {
    let mut values = HashMap::new();
    for field in document.form_fields() {
        let text = match field.field_type {
            Some(FieldType::Choice) if !field.flags.combo() && !field.options.is_empty() => {
                let entries = field.options.iter().map(|option| option.name.as_str());
                entries.collect::<Vec<_>>().join("\n")
            }
            _ => field.text().unwrap_or_else(|| field.selected().join("\n")),
        };
        let is_button = field.field_type == Some(FieldType::Button) && field.flags.pushbutton();
        for widget in &field.widgets {
            let caption = || widget.characteristics.as_ref()?.caption.clone();
            let text = if is_button {
                caption().unwrap_or_default()
            } else {
                text.clone()
            };
            if !text.trim().is_empty() && !field.flags.password() {
                values.insert(widget.object, text);
            }
        }
    }
    values
}

/// What is laid over a page: notes, links, the boxes of fields.
pub(crate) fn annotations(document: &Document, page: &Page) -> Vec<Object> {
    let items = page.dict().get("Annots");
    match items.and_then(|entry| document.resolve(entry).ok()) {
        Some(Object::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// The blocks written onto a page, from its top to its bottom.
pub(crate) fn written_on(
    document: &Document,
    page: &Page,
    values: &HashMap<ObjRef, String>,
) -> Vec<DraftBlock> {
    let items = annotations(document, page);
    let mut found: Vec<(f64, f64, String)> = items
        .iter()
        .filter_map(|item| text_of(document, item, values))
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)));
    found
        .into_iter()
        .filter_map(|(_, _, text)| {
            DraftBlock::new(
                BlockKind::Paragraph,
                text.split(['\r', '\n']).map(str::to_owned),
            )
        })
        .collect()
}

/// Top, left and text of an annotation that shows text.
fn text_of(
    document: &Document,
    item: &Object,
    values: &HashMap<ObjRef, String>,
) -> Option<(f64, f64, String)> {
    let object = document.resolve(item).ok()?;
    let dict = object.as_dict()?;
    if dict.get_int("F").unwrap_or(0) & UNSEEN != 0 {
        return None;
    }
    let text = match dict.get_name("Subtype")?.0.as_str() {
        "Widget" => values.get(&item.as_ref()?)?.clone(),
        "FreeText" => {
            let contents = document.resolve(dict.get("Contents")?).ok()?;
            decode_text_string(contents.as_str_bytes()?)
        }
        _ => return None,
    };
    let rect = document.resolve(dict.get("Rect")?).ok()?;
    let corner = |at: usize| rect.as_array()?.get(at)?.as_f64();
    Some((corner(3).unwrap_or(0.0), corner(0).unwrap_or(0.0), text))
}
