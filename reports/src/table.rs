//! Tables as aligned text and as Markdown.

/// A table of plain text.
#[derive(Clone, Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The first columns hold words and stand left, the rest hold numbers and stand right.
    words: usize,
}

impl Table {
    /// A table whose first `words` columns are words.
    pub fn new<const N: usize>(words: usize, head: [&str; N]) -> Table {
        Table { head: head.map(String::from).into(), rows: vec![], words }
    }

    /// One more column.
    pub fn column(&mut self, name: &str) {
        self.head.push(name.into());
    }

    /// One more row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The names of the columns.
    pub fn head(&self) -> &[String] {
        &self.head
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Aligned lines, each behind an indent.
    pub fn text(&self, indent: &str) -> String {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|c| all().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in all() {
            let cells = row.iter().zip(&widths).enumerate().map(|(c, (cell, width))| {
                if c < self.words { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            text += &format!("{indent}{}\n", line.trim_end());
        }
        text
    }

    /// A Markdown table; cells are escaped.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|c| crate::markdown::escape(c)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<&str> =
            (0..self.head.len()).map(|c| if c < self.words { "---" } else { "--:" }).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}| {} |\n{rows}", line(&self.head), rule.join(" | "))
    }
}

/// `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.81 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_characters() {
        let mut table = Table::new(1, ["größe", "n"]);
        table.row(vec!["µ".into(), thousands(1)]);
        table.row(vec!["long name".into(), thousands(1_234_567)]);
        assert_eq!(
            table.text("  "),
            "  größe              n\n  µ                  1\n  long name  1,234,567\n"
        );
        assert_eq!(table.markdown(), "| größe | n |\n| --- | --: |\n| µ | 1 |\n| long name | 1,234,567 |\n");
    }
}
