//! Tables as one HTML file that needs no network: every cell a text, a note below it, and a tone.

use super::RenderError;
use crate::table::Table;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

/// A page of tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sheet {
    /// Its heading.
    pub title: String,
    /// How it is to be read.
    pub lead: String,
    /// What it says, in one line.
    pub summary: String,
    /// The tables.
    pub sections: Vec<Section>,
}

/// A table under a heading.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// The columns.
    pub head: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<SheetCell>>,
}

/// What stands in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SheetCell {
    /// The text.
    pub text: String,
    /// Small print below it.
    pub note: String,
    /// How it is meant.
    pub tone: Tone,
}

/// How a cell is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not there.
    Warn,
    /// Wrong.
    Bad,
    /// A word.
    #[default]
    Plain,
}

impl Section {
    /// A table of plain text.
    pub fn plain(heading: &str, table: &Table) -> Section {
        let plain = |text: &String| SheetCell { text: text.clone(), ..SheetCell::default() };
        let rows = table.rows().iter().map(|row| row.iter().map(plain).collect()).collect();
        Section { heading: heading.to_string(), head: table.head().to_vec(), rows }
    }
}

impl Sheet {
    /// The page.
    ///
    /// # Errors
    /// [`RenderError`] when the template does not fit the code, which a test excludes.
    pub fn html(&self) -> Result<String, RenderError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template("sheet", include_str!("../../templates/sheet.html"))?;
        let style =
            concat!(include_str!("../../templates/style.css"), include_str!("../../templates/sheet.css"));
        let safe = |text: &str| Value::from_safe_string(text.to_string());
        let page = context! {
            style => safe(style),
            script => safe(include_str!("../../templates/sheet.js")),
            ..Value::from(Serde(self))
        };
        Ok(environment.get_template("sheet")?.render(page)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_shows_its_text_its_note_and_its_tone_and_none_is_markup() {
        let mut table = Table::new(1, ["said", "cases"]);
        table.row(vec!["</script><script>alert(1)".into(), "3".into()]);
        let wrong = SheetCell { text: "0/1".into(), note: "a <b> & c".into(), tone: Tone::Bad };
        let rows = vec![vec![SheetCell { text: "Add".into(), ..SheetCell::default() }, wrong]];
        let head = vec!["operator".to_string(), "interp-f16".to_string()];
        let sheet = Sheet {
            title: "litert-torch".into(),
            sections: vec![Section { heading: "cells".into(), head, rows }, Section::plain("said", &table)],
            ..Sheet::default()
        };
        let page = sheet.html().expect("the template fits");
        let main = &page[page.find("<main>").unwrap_or(0)..page.find("</main>").unwrap_or(0)];
        assert!(main.contains("<th scope=\"col\">interp-f16</th>"), "{main}");
        assert!(main.contains("<td class=\"bad\">0&#x2f;1<small>a &lt;b&gt; &amp; c</small></td>"), "{main}");
        assert!(main.contains("<td class=\"plain\">Add</td>"), "{main}");
        assert!(!main.contains("<script"), "{main}");
    }
}
