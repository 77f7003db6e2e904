//! Running heads and feet: lines at a page's edge that most pages repeat, and page numbers.
//!
//! They would part sentences that go over a page break and make every page look like every other to a
//! search. A line that repeats is kept where it stands first, so that its words can still be found.

use std::collections::{HashMap, HashSet};

use super::draft::Draft;

/// Fewer pages can't show what repeats.
const MIN_PAGES: usize = 3;

/// Of so many pages a running line stands on two at least.
const TWO_OF_PAGES: usize = 5;

/// So many lines at each edge of a page may be running ones.
const MAX_LINES: usize = 3;

/// Longer lines are never running ones.
const MAX_CHARS: usize = 160;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Edge {
    Head,
    Foot,
}

/// Takes running heads, feet and page numbers out of `pages`.
pub(crate) fn drop_running_lines(pages: &mut [Draft]) {
    if pages.len() < MIN_PAGES {
        return;
    }
    let mut kept = HashSet::new();
    for edge in [Edge::Head, Edge::Foot] {
        for _ in 0..MAX_LINES {
            if !drop_once(pages, edge, &mut kept) {
                break;
            }
        }
    }
}

/// Looks at the outermost line of every page; whether any was taken out.
fn drop_once(pages: &mut [Draft], edge: Edge, kept: &mut HashSet<String>) -> bool {
    let outer: Vec<Option<&str>> = pages.iter().map(|page| outermost(page, edge)).collect();
    let written = outer.iter().flatten().count();
    let threshold = (written * 2).div_ceil(TWO_OF_PAGES).max(MIN_PAGES);
    let mut shapes: HashMap<String, usize> = HashMap::new();
    let mut offsets: HashMap<usize, usize> = HashMap::new();
    for (index, line) in outer.iter().enumerate() {
        let Some(line) = line else { continue };
        if let Some(number) = page_number(line) {
            *offsets.entry(number + pages.len() - index).or_default() += 1;
        } else {
            *shapes.entry(shape(line)).or_default() += 1;
        }
    }
    let is_running: Vec<Option<bool>> = outer
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let line = (*line)?;
            // A page of nothing else keeps it: there it is the matter.
            let is_alone = pages[index]
                .blocks
                .iter()
                .map(|block| block.lines.len())
                .sum::<usize>()
                < 2;
            if is_alone || line.chars().count() > MAX_CHARS {
                return None;
            }
            if let Some(number) = page_number(line) {
                let agree = offsets.get(&(number + pages.len() - index))?;
                return (*agree >= MIN_PAGES).then_some(false);
            }
            (*shapes.get(&shape(line))? >= threshold).then_some(true)
        })
        .collect();
    let mut dropped = false;
    for (page, is_words) in pages.iter_mut().zip(is_running) {
        let Some(is_words) = is_words else { continue };
        let first_seen =
            is_words && outermost(page, edge).is_some_and(|line| kept.insert(shape(line)));
        if !first_seen {
            remove_outermost(page, edge);
            dropped = true;
        }
    }
    dropped
}

fn outermost(page: &Draft, edge: Edge) -> Option<&str> {
    let line = match edge {
        Edge::Head => page.blocks.first()?.lines.first()?,
        Edge::Foot => page.blocks.last()?.lines.last()?,
    };
    Some(line)
}

fn remove_outermost(page: &mut Draft, edge: Edge) {
    let at = match edge {
        Edge::Head => 0,
        Edge::Foot => page.blocks.len() - 1,
    };
    let lines = &mut page.blocks[at].lines;
    match edge {
        Edge::Head => drop(lines.remove(0)),
        Edge::Foot => drop(lines.pop()),
    }
    if lines.is_empty() {
        page.blocks.remove(at);
    }
}

/// A line with its numbers made one, case and white space aside: `Page 3 of 9` and `page 4 of 9` have
/// the same.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line
        .chars()
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_whitespace())
    {
        if !c.is_numeric() {
            shape.push(c);
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    shape
}

/// The number of a line that holds nothing else (`7`, `- 7 -`, `第7页`, `Page 7`, `Page 7 of 9`).
fn page_number(line: &str) -> Option<usize> {
    let line = without_total(line);
    let bare = line.trim_matches(|c: char| c.is_whitespace() || "-–—|·[]()第页頁".contains(c));
    let bare = bare
        .strip_prefix("Page ")
        .or_else(|| bare.strip_prefix("page "))
        .unwrap_or(bare);
    if bare.is_empty() || bare.len() > 5 || !bare.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    bare.parse().ok()
}

/// A line up to the total number of pages, if it ends with one: ` of 9`, `/9`, `，共9页`.
fn without_total(line: &str) -> &str {
    let end = |c: char| c.is_whitespace() || matches!(c, '页' | '頁');
    let rest = line.trim_end_matches(end);
    let number = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    if number.len() == rest.len() {
        return line;
    }
    let before = number.trim_end();
    ["of", "/", "共", "von", "sur", "de", "из"]
        .iter()
        .find_map(|word| before.strip_suffix(word))
        .map_or(line, |before| {
            before.trim_end_matches([' ', ',', '，', '\u{3000}'])
        })
}

#[cfg(test)]
mod tests {
    use rag_core::BlockKind;

    use super::super::draft::DraftBlock;
    use super::*;

    fn page(lines: &[&str]) -> Draft {
        let lines = lines.iter().map(|line| (*line).to_owned());
        Draft {
            blocks: DraftBlock::new(BlockKind::Paragraph, lines)
                .into_iter()
                .collect(),
            ..Draft::default()
        }
    }

    fn lines(pages: &[Draft]) -> Vec<Vec<&str>> {
        pages
            .iter()
            .map(|page| {
                page.blocks
                    .iter()
                    .flat_map(|b| b.lines.iter().map(String::as_str))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn heads_stay_where_they_stand_first_and_page_numbers_nowhere() {
        let mut pages = [
            page(&["ACME 10-K", "One begins", "1"]),
            page(&["ACME 10-K", "and goes on.", "2"]),
            page(&["ACME 10-K", "Two.", "3"]),
            page(&["ACME 10-K", "Three.", "4"]),
        ];
        drop_running_lines(&mut pages);
        assert_eq!(
            lines(&pages),
            [
                vec!["ACME 10-K", "One begins"],
                vec!["and goes on."],
                vec!["Two."],
                vec!["Three."]
            ]
        );
    }

    #[test]
    fn a_number_that_does_not_count_pages_is_no_page_number() {
        let mut pages = [
            page(&["a", "100"]),
            page(&["b", "7"]),
            page(&["c", "2,000"]),
        ];
        let before = pages.clone();
        drop_running_lines(&mut pages);
        assert_eq!(pages, before);
    }

    #[test]
    fn a_page_of_nothing_but_a_repeated_line_keeps_it() {
        let mut pages = [page(&["Part 1"]), page(&["Part 2"]), page(&["Part 3"])];
        let before = pages.clone();
        drop_running_lines(&mut pages);
        assert_eq!(pages, before);
    }

    #[test]
    fn two_pages_show_no_repetition() {
        let mut pages = [page(&["Head", "a"]), page(&["Head", "b"])];
        let before = pages.clone();
        drop_running_lines(&mut pages);
        assert_eq!(pages, before);
    }

    #[test]
    fn a_page_number_may_come_with_the_number_of_pages() {
        let numbers = [
            "Page 7 of 9",
            "7/9",
            "第 7 页，共 9 页",
            "- 7 -",
            "7 ferries of 9",
            "of 9",
        ];
        let expected = [Some(7), Some(7), Some(7), Some(7), None, None];
        assert_eq!(numbers.map(page_number), expected);
    }

    #[test]
    fn chinese_page_numbers_and_heads_are_seen() {
        let mut pages: Vec<Draft> = (1..=5)
            .map(|n| {
                page(&[
                    "年度报告",
                    &format!("正文{}", ["甲", "乙", "丙", "丁", "戊"][n - 1]),
                    &format!("第 {n} 页"),
                ])
            })
            .collect();
        drop_running_lines(&mut pages);
        assert_eq!(lines(&pages)[1], ["正文乙"]);
        assert_eq!(lines(&pages)[0], ["年度报告", "正文甲"]);
    }
}
