//! What is drawn from data that an office file holds: charts as the tables that they show, diagrams
//! (`SmartArt`) as their words.

use std::collections::{BTreeMap, HashMap};

use rag_core::BlockKind;

use super::{
    body::Body,
    node::Node,
    package::{Package, Relations},
    xml::{Token, Xml},
};
use crate::error::Failure;

/// The charts and diagrams that `relations` point to, by the ids of the relations.
pub(super) fn nodes(
    package: &mut Package<'_>,
    relations: &Relations,
) -> Result<HashMap<String, Vec<Node>>, Failure> {
    let mut all = HashMap::new();
    // In one order, so that damage is told in one order.
    let relations: BTreeMap<_, _> = relations.iter().collect();
    for (id, relation) in relations {
        if !matches!(&*relation.kind, "chart" | "diagramData") {
            continue;
        }
        let Some(text) = package.xml(&relation.target)? else {
            continue;
        };
        let mut xml = Xml::new(&text);
        let nodes = if relation.kind == "chart" {
            chart(&mut xml)
        } else {
            diagram(&mut xml)
        };
        package.note_damage(&relation.target, &xml);
        if !nodes.is_empty() {
            all.insert(id.clone(), nodes);
        }
    }
    Ok(all)
}

#[derive(Debug, Default)]
struct Series {
    name: String,
    /// By the places of the points.
    categories: BTreeMap<u32, String>,
    values: BTreeMap<u32, String>,
}

impl Series {
    fn value(&self, point: u32) -> &str {
        self.values.get(&point).map_or("", String::as_str)
    }
}

/// What of a series the points belong to that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Name,
    Category,
    Value,
}

/// A chart (ECMA-376 part 1, 21.2): its titles, and its series as the columns of a table.
fn chart(xml: &mut Xml<'_>) -> Vec<Node> {
    let mut body = Body::aside();
    let mut all: Vec<Series> = Vec::new();
    let mut slot = None;
    let mut point = 0;
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match tag.name() {
                "ser" => all.push(Series::default()),
                "tx" if !all.is_empty() => slot = Some(Slot::Name),
                "cat" | "xVal" => slot = Some(Slot::Category),
                "val" | "yVal" => slot = Some(Slot::Value),
                "pt" => {
                    point = tag
                        .number("idx")
                        .and_then(|n| u32::try_from(n).ok())
                        .unwrap_or(0);
                }
                "v" => {
                    let value = xml.text();
                    if let (Some(series), Some(slot)) = (all.last_mut(), slot) {
                        put(series, slot, point, value);
                    }
                }
                "p" => body.begin(BlockKind::Paragraph),
                "t" => body.text(&xml.text()),
                _ => {}
            },
            Token::Close(end) => match end.name() {
                "tx" | "cat" | "val" | "xVal" | "yVal" => slot = None,
                "p" => body.end(),
                _ => {}
            },
            Token::Text(_) => {}
        }
    }
    table(&all, &mut body);
    body.take()
}

fn put(series: &mut Series, slot: Slot, point: u32, value: String) {
    match slot {
        Slot::Name => {
            if !series.name.is_empty() {
                series.name.push(' ');
            }
            series.name.push_str(&value);
        }
        Slot::Category => {
            // Of categories on several levels the first one is the innermost.
            series.categories.entry(point).or_insert(value);
        }
        Slot::Value => {
            series.values.insert(point, rounded(value));
        }
    }
}

fn table(all: &[Series], body: &mut Body) {
    let mut categories: BTreeMap<u32, &str> = BTreeMap::new();
    for series in all {
        for (point, name) in &series.categories {
            categories.entry(*point).or_insert(name);
        }
        for point in series.values.keys() {
            categories.entry(*point).or_insert("");
        }
    }
    if categories.is_empty() {
        return;
    }
    // Few charts have more than some series; a table of points by series would be their product.
    let all = &all[..all.len().min(64)];
    body.open_table();
    let names: Vec<&str> = all.iter().map(|series| series.name.as_str()).collect();
    row("", &names, body);
    for (point, name) in &categories {
        let value = |series| Series::value(series, *point);
        let values: Vec<&str> = all.iter().map(value).collect();
        row(name, &values, body);
    }
    body.close_table();
}

fn row(first: &str, cells: &[&str], body: &mut Body) {
    body.open_row();
    for words in std::iter::once(&first).chain(cells) {
        body.open_cell();
        body.text(words);
        body.close_cell();
    }
}

/// A number without the noise of its binary form; other words as they are.
pub(super) fn rounded(value: String) -> String {
    match value.parse::<f64>() {
        Ok(number) if value.len() > 15 => super::number(number),
        _ => value,
    }
}

/// The data of a diagram (ECMA-376 part 1, 21.4.2): the words of its nodes.
fn diagram(xml: &mut Xml<'_>) -> Vec<Node> {
    let mut body = Body::aside();
    while let Some(token) = xml.next() {
        match token {
            Token::Open(tag) => match tag.name() {
                // What is there for looks repeats the words or has placeholders.
                "pt" if tag.attr("type").is_some_and(|t| t != "node" && t != "asst") => xml.skip(),
                "p" => body.begin(BlockKind::ListItem),
                "t" => body.text(&xml.text()),
                "br" => body.line_break(),
                _ => {}
            },
            Token::Close(end) if end.name() == "p" => body.end(),
            Token::Close(_) | Token::Text(_) => {}
        }
    }
    body.take()
}
