//! Blocks of a page from the layout that `pdfboss` makes of it.

use pdfboss_output::{BBox, Block, Cell, Line, Role};
use rag_core::{Area, BlockKind, fold::is_unspaced};

use super::draft::DraftBlock;

/// The blocks of text in a block of the layout, each with its place on the page.
pub(crate) fn blocks_of(block: &Block) -> Vec<DraftBlock> {
    let made = |kind, lines: &[Line], bbox: &BBox| {
        let made = DraftBlock::new(kind, lines.iter().map(line_text))?;
        Some(made.at(area(bbox)))
    };
    match block {
        Block::Heading { level, lines, bbox } => {
            let level = (*level).clamp(1, 6);
            Vec::from_iter(made(BlockKind::Heading(level), lines, bbox))
        }
        // Running heads and feet are told apart later, over all pages, together with those of the
        // second reader; only what repeats is dropped.
        Block::Paragraph {
            lines,
            bbox,
            role: Role::Body | Role::Quote | Role::PageHeader | Role::PageFooter,
        } => paragraphs_of(lines)
            .into_iter()
            .filter_map(|part| made(BlockKind::Paragraph, part, &box_of(part, lines, bbox)))
            .collect(),
        Block::List { items, .. } => items
            .iter()
            .filter_map(|item| made(BlockKind::ListItem, &item.lines, &item.bbox))
            .collect(),
        Block::Table { rows, bbox } => tables_of(rows)
            .into_iter()
            .map(|part| part.at(area(bbox)))
            .collect(),
    }
}

/// A table; or, where its rows begin with bullets, the list that was taken for one, the lines after it
/// and the table that follows without a gap.
fn tables_of(rows: &[Vec<Cell>]) -> Vec<DraftBlock> {
    let texts: Vec<String> = rows.iter().map(|row| row_text(row)).collect();
    let is_item = |text: &str| text.starts_with(is_bullet) && text.contains('\t');
    if !texts.iter().any(|text| is_item(text)) {
        return Vec::from_iter(DraftBlock::new(BlockKind::Table, texts));
    }
    let mut blocks = Vec::new();
    let mut table: Vec<String> = Vec::new();
    for text in texts {
        if !is_item(&text) && (text.contains('\t') || !table.is_empty()) {
            table.push(text);
            continue;
        }
        blocks.extend(DraftBlock::new(BlockKind::Table, table.drain(..)));
        let kind = if is_item(&text) {
            BlockKind::ListItem
        } else {
            BlockKind::Paragraph
        };
        blocks.extend(DraftBlock::new(kind, [text.replace('\t', " ")]));
    }
    blocks.extend(DraftBlock::new(BlockKind::Table, table));
    blocks
}

fn is_bullet(c: char) -> bool {
    "•◦▪▫‣●○■□–".contains(c)
}

/// The box of some of a paragraph's lines. Lines of turned text have coordinates of their own: there it
/// is the box of them all.
fn box_of(part: &[Line], all: &[Line], bbox: &BBox) -> BBox {
    let is_upright = all.iter().all(|line| {
        let slack = line.size.max(1.0);
        (bbox.y0 - slack..=bbox.y1 + slack).contains(&line.y)
            && (bbox.x0 - slack..=bbox.x1 + slack).contains(&line.x)
    });
    if part.len() == all.len() || !is_upright {
        return bbox.clone();
    }
    // About what fonts take below and above their baseline, in parts of their size.
    let lower = |line: &Line| line.y - 0.25 * line.size;
    let upper = |line: &Line| line.y + 0.8 * line.size;
    let least = |of: &dyn Fn(&Line) -> f32| part.iter().map(of).fold(f32::MAX, f32::min);
    let most = |of: &dyn Fn(&Line) -> f32| part.iter().map(of).fold(f32::MIN, f32::max);
    BBox {
        x0: least(&|line| line.x),
        y0: least(&lower),
        x1: most(&|line| line.end_x),
        y1: most(&upper),
    }
}

/// In whole points, not smaller than the box.
fn area(bbox: &BBox) -> Area {
    Area {
        left: bbox.x0.min(bbox.x1).floor() as i32,
        bottom: bbox.y0.min(bbox.y1).floor() as i32,
        right: bbox.x0.max(bbox.x1).ceil() as i32,
        top: bbox.y0.max(bbox.y1).ceil() as i32,
    }
}

/// Lines that stand together without a gap, cut where a paragraph ends all the same: the line closes a
/// sentence and the next one's first word would have fitted on it.
fn paragraphs_of(lines: &[Line]) -> Vec<&[Line]> {
    let right = lines.iter().map(|line| line.end_x).fold(f32::MIN, f32::max);
    let mut paragraphs = Vec::new();
    let mut start = 0;
    for at in 1..lines.len() {
        if ends_paragraph(&lines[at - 1], &lines[at], right) {
            paragraphs.push(&lines[start..at]);
            start = at;
        }
    }
    paragraphs.push(&lines[start..]);
    paragraphs
}

fn ends_paragraph(line: &Line, next: &Line, right: f32) -> bool {
    let text = line_text(line);
    let text = text.trim_end();
    let closes = |c| ".!?:;)]\"”’。！？：；）】」』".contains(c);
    if next.y > line.y || !text.ends_with(closes) {
        return false;
    }
    let width = (line.end_x - line.x) / text.chars().count().max(1) as f32;
    let next = line_text(next);
    let word = match next.trim_start().chars().next() {
        Some(first) if is_unspaced(first) => 2,
        _ => next
            .split_whitespace()
            .next()
            .map_or(0, |word| word.chars().count()),
    };
    right - line.end_x > (word as f32 + 1.5) * width
}

fn line_text(line: &Line) -> String {
    line.inlines
        .iter()
        .map(|inline| inline.text.as_str())
        .collect()
}

/// The cells of a row parted by tabs. A currency sign, a bracket or a per cent sign that the producer
/// set in a cell of its own belongs to the number beside it.
fn row_text(row: &[Cell]) -> String {
    let mut text = String::new();
    let mut glued = true;
    for cell in row
        .iter()
        .filter_map(|cell| cell.line.as_ref())
        .map(line_text)
    {
        let cell = cell.trim();
        if cell.is_empty() {
            continue;
        }
        if !glued && !matches!(cell, ")" | "%" | ")%" | "％" | "）") {
            text.push('\t');
        }
        text.push_str(cell);
        glued = matches!(
            cell,
            "$" | "€" | "£" | "¥" | "￥" | "(" | "$(" | "($" | "（"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use pdfboss_output::Inline;

    use super::*;

    /// A line at height `y`, five points wide for each character.
    fn line(text: &str, y: f32) -> Line {
        Line {
            inlines: vec![Inline {
                text: text.to_owned(),
                bold: false,
                italic: false,
                code: false,
            }],
            y,
            x: 0.0,
            end_x: text.chars().count() as f32 * 5.0,
            size: 10.0,
        }
    }

    fn cell(text: &str) -> Cell {
        Cell {
            line: Some(line(text, 0.0)),
            colspan: 1,
            rowspan: 1,
        }
    }

    #[test]
    fn a_short_last_line_ends_a_paragraph() {
        let lines = [
            line("A paragraph of two lines, of which", 30.0),
            line("the last is short.", 20.0),
            line("Another one begins here and goes. A", 10.0),
            line("sentence ends.", 0.0),
        ];
        let lengths: Vec<usize> = paragraphs_of(&lines)
            .iter()
            .map(|part| part.len())
            .collect();
        assert_eq!(lengths, [2, 2]);
        let chinese = [
            line("公司的营业收入同比增长，", 20.0),
            line("很快。", 10.0),
            line("第二段从这里开始。", 0.0),
        ];
        assert_eq!(paragraphs_of(&chinese).len(), 2);
    }

    #[test]
    fn a_list_that_was_taken_for_a_table_is_a_list() {
        let row = |cells: &[&str]| cells.iter().map(|text| cell(text)).collect::<Vec<_>>();
        let rows = [
            row(&["•", "风速计；"]),
            row(&["•", "他自己的帽子。"]),
            row(&["各月次数"]),
            row(&["月份", "次数"]),
            row(&["十一月", "33"]),
        ];
        let blocks: Vec<_> = tables_of(&rows)
            .iter()
            .map(|block| (block.kind, block.text()))
            .collect();
        let expected = [
            (BlockKind::ListItem, "• 风速计；"),
            (BlockKind::ListItem, "• 他自己的帽子。"),
            (BlockKind::Paragraph, "各月次数"),
            (BlockKind::Table, "月份\t次数\n十一月\t33"),
        ];
        assert_eq!(blocks, expected.map(|(kind, text)| (kind, text.to_owned())));
        assert_eq!(tables_of(&rows[3..]).len(), 1);
    }

    #[test]
    fn signs_set_in_cells_of_their_own_stay_with_their_number() {
        let row = ["Net income", "", "$", "1,234", "(5", ")", "12", "%"].map(cell);
        assert_eq!(row_text(&row), "Net income\t$1,234\t(5)\t12%");
    }
}
