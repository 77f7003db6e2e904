//! Tables: which of them hold data, and where the cells of a row stand.

use scraper::{ElementRef, node::Element};

/// Whether a table holds data: pages are laid out in tables too, and then a cell holds whole blocks or
/// there is but one.
pub(super) fn is_grid(table: ElementRef<'_>) -> bool {
    if matches!(table.value().attr("role"), Some("presentation" | "none")) {
        return false;
    }
    let (mut rows, mut cells, mut most_cells, mut heads) = (0, 0, 0, 0);
    for element in table.descendent_elements().skip(1) {
        match element.value().name() {
            "table" | "pre" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => return false,
            "tr" => {
                rows += 1;
                cells = 0;
            }
            name @ ("td" | "th") => {
                cells += 1;
                most_cells = most_cells.max(cells);
                heads += usize::from(name == "th");
            }
            _ => {}
        }
    }
    rows > 0 && (most_cells > 1 || heads > 0)
}

/// Columns beyond this are not told apart.
const MAX_COLUMNS: usize = 1_000;

/// Where the next cell of a table stands.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub(super) has_rows: bool,
    column: usize,
    /// For every column, in how many more rows a cell from above stands there.
    hanging: Vec<usize>,
}

impl Grid {
    pub(super) fn begin_row(&mut self) {
        self.has_rows = true;
        self.column = 0;
    }

    /// How many tabs part a cell from what stands before it in its row, and how many follow it because
    /// it takes more than one column.
    pub(super) fn place(&mut self, cell: &Element) -> (usize, usize) {
        let number = |name: &str, most: usize| {
            let number = cell.attr(name).and_then(|n| n.trim().parse::<usize>().ok());
            number.unwrap_or(1).clamp(1, most)
        };
        let mut before = usize::from(self.column > 0);
        while let Some(rows) = self.hanging.get_mut(self.column).filter(|rows| **rows > 0) {
            *rows -= 1;
            before += 1;
            self.column += 1;
        }
        let width = number("colspan", 50);
        let rows = number("rowspan", 10_000);
        let end = (self.column + width).min(MAX_COLUMNS);
        if self.hanging.len() < end {
            self.hanging.resize(end, 0);
        }
        for hanging in self.hanging.iter_mut().take(end).skip(self.column) {
            *hanging = rows - 1;
        }
        self.column += width;
        (before, width - 1)
    }
}
