//! The heat map: operators down, systems and strategies across, the share of faults as the color.

use crate::schema::Cell;
use crate::table::thousands;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The table as the template wants it.
#[derive(Serialize)]
pub(super) struct Heat {
    /// Systems with their strategies.
    systems: Vec<(String, Vec<&'static str>)>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    operator: String,
    fields: Vec<Option<Field>>,
}

#[derive(Serialize)]
struct Field {
    /// What the field shows: faults, or a dot for none.
    shown: String,
    /// What it means, for the pointer and for screen readers.
    meaning: String,
    /// 0 for no fault, 1 to 5 by the share of faults.
    heat: u8,
    /// What the filter box is set to by a click.
    filter: String,
}

impl Heat {
    pub(super) fn new(cells: &[Cell]) -> Heat {
        let columns: BTreeSet<_> = cells.iter().map(|c| (&c.system, c.precision)).collect();
        let by_place: BTreeMap<_, &Cell> =
            cells.iter().map(|c| ((c.operator.as_str(), &c.system, c.precision), c)).collect();
        let operators: BTreeSet<&str> = cells.iter().map(|c| c.operator.as_str()).collect();
        let mut systems: Vec<(String, Vec<&'static str>)> = vec![];
        for (system, precision) in &columns {
            match systems.last_mut() {
                Some((last, strategies)) if last == *system => strategies.push(precision.name()),
                _ => systems.push(((*system).clone(), vec![precision.name()])),
            }
        }
        let rows = operators.into_iter().map(|operator| {
            let field = |(system, precision): &(&String, _)| {
                by_place.get(&(operator, *system, *precision)).map(|c| Field::new(c))
            };
            Row { operator: operator.into(), fields: columns.iter().map(field).collect() }
        });
        Heat { rows: rows.collect(), systems }
    }
}

impl Field {
    fn new(cell: &Cell) -> Field {
        let (all, faults) = cell.counts();
        let share = faults as f64 / all.max(1) as f64;
        let worst: Vec<String> = cell
            .verdicts
            .iter()
            .filter(|(class, _)| !class.is_fine())
            .map(|(class, count)| format!("{} {class}", thousands(*count)))
            .collect();
        let what = if worst.is_empty() { "no fault".into() } else { worst.join(", ") };
        Field {
            shown: if faults == 0 { "·".into() } else { thousands(faults) },
            meaning: format!(
                "{}, {}, {}: {what} in {} verdicts",
                cell.operator,
                cell.precision,
                cell.system,
                thousands(all)
            ),
            heat: match share {
                0.0 => 0,
                s if s < 0.001 => 1,
                s if s < 0.01 => 2,
                s if s < 0.1 => 3,
                s if s < 0.5 => 4,
                _ => 5,
            },
            filter: format!("{} {} {}", cell.operator, cell.precision, cell.system).to_lowercase(),
        }
    }
}
