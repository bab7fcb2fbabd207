//! A run as one HTML file that needs no network: style, script, drawings and plots are inside.
//!
//! The template escapes every text. What is marked safe is made in this folder: the style, the script, and SVG whose
//! texts are escaped by [`svg::escape`].

mod drawing;
mod heat;
mod plot;
pub mod sheet;
mod svg;

use crate::finding;
use crate::markdown::capital;
use crate::schema::{Arrivals, Drawing, Finding, Run};
use crate::table::{percent, thousands};
use crate::terminal::coverage;
use heat::Heat;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use std::collections::BTreeMap;

/// Findings whose graph and plot are drawn; the rest keep their text, so that the file stays small.
const DRAWN: usize = 200;

/// The badge of a known issue.
const KNOWN: &str = "known";

/// Why a report could not be made: the template does not fit the code, which a test excludes.
#[derive(Debug, thiserror::Error)]
#[error("the report's template does not fit: {0}")]
pub struct RenderError(#[from] minijinja::Error);

/// Everything that the template shows.
#[derive(Serialize)]
struct Page<'a> {
    style: Value,
    script: Value,
    run: &'a Run,
    seed: String,
    interruption: Option<String>,
    tiles: Vec<Tile>,
    /// Head, and rows by system.
    verdicts: (Vec<&'static str>, Vec<(String, Vec<String>)>),
    arrivals: Vec<String>,
    new: Vec<Entry<'a>>,
    known: Vec<Entry<'a>>,
    heat: Heat,
    trends: Vec<Trend>,
    losses: Vec<LossRow<'a>>,
    coverage: String,
    operators: Vec<Bar>,
    pairs: Vec<Bar>,
    pairs_reached: String,
    possible_pairs: String,
    discarded: Vec<Bar>,
    inputs: Vec<Bar>,
    stages: Vec<Bar>,
}

/// One number over earlier runs and this one.
#[derive(Serialize)]
struct Trend {
    name: &'static str,
    plot: Value,
}

/// A tile at the top of the page.
#[derive(Serialize)]
struct Tile {
    label: String,
    value: String,
    tone: &'static str,
}

/// A finding as the template wants it.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    class: &'static str,
    tone: &'static str,
    badge: &'static str,
    title: &'a str,
    system: &'a str,
    converter: &'a str,
    precision: &'static str,
    operator: &'a str,
    occurrences: String,
    facts: Vec<(&'static str, String)>,
    replay: &'a str,
    files: Vec<(&'static str, String)>,
    link: Option<&'a str>,
    graph: &'a str,
    drawing: Option<Value>,
    plot: Option<Value>,
    text: String,
    words: String,
    /// The only finding stands open: nobody looks for it in a list.
    alone: bool,
}

/// A horizontal bar with a name.
#[derive(Serialize)]
struct Bar {
    name: String,
    value: String,
    /// Length in percent of the longest.
    length: f64,
}

/// One row of the table of bits lost.
#[derive(Serialize)]
struct LossRow<'a> {
    operator: &'a str,
    precision: &'static str,
    system: &'a str,
    tensors: String,
    median: String,
    p90: String,
    max: String,
    histogram: Value,
}

/// A drawing as an SVG file; `None` when there is nothing to draw, or too much.
pub fn drawing_svg(drawing: &Drawing) -> Option<String> {
    drawing::file(drawing)
}

/// The run as HTML.
///
/// # Errors
/// When the template does not fit the code, a bug of this crate.
pub fn html(run: &Run) -> Result<String, RenderError> {
    html_after(run, &[])
}

/// The run as HTML, with trends over earlier runs, oldest first.
///
/// # Errors
/// As [`html`].
pub fn html_after(run: &Run, history: &[Run]) -> Result<String, RenderError> {
    let mut run = run.clone();
    run.sort();
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("report", include_str!("../templates/report.html"))?;
    let alone = run.findings.len() == 1;
    let entries = run.findings.iter().enumerate().map(|(i, f)| Entry { alone, ..entry(f, i < DRAWN) });
    let (known, new): (Vec<Entry>, Vec<Entry>) = entries.partition(|e| e.badge == KNOWN);
    let page = Page {
        style: Value::from_safe_string(include_str!("../templates/style.css").into()),
        script: Value::from_safe_string(include_str!("../templates/report.js").into()),
        run: &run,
        seed: run.seed.to_string(),
        interruption: run.interruption(),
        tiles: tiles(&run),
        verdicts: verdict_table(&run),
        arrivals: run.arrivals.iter().flat_map(Arrivals::lines).map(|line| capital(&line)).collect(),
        new,
        known,
        heat: Heat::new(&run.cells),
        trends: trends(&run, history),
        losses: loss_rows(&run),
        coverage: coverage(&run.coverage),
        operators: counts(&run.coverage.operators, usize::MAX),
        pairs: counts(&run.coverage.pairs, 40),
        pairs_reached: thousands(run.coverage.pairs.len() as u64),
        possible_pairs: thousands(run.coverage.possible_pairs),
        discarded: counts(&run.totals.discarded, usize::MAX),
        inputs: counts(&run.coverage.inputs, usize::MAX),
        stages: bars(run.timings.stages.iter().map(|s| (s.name.clone(), s.us_per_test)), |v| {
            format!("{v:.1}")
        }),
    };
    Ok(environment.get_template("report")?.render(Value::from(Serde(&page)))?)
}

/// What changes from run to run.
fn trends(run: &Run, history: &[Run]) -> Vec<Trend> {
    type Number = fn(&Run) -> f64;
    let known = |r: &Run| r.findings.iter().filter(|f| f.known_issue.is_some()).count() as f64;
    let lost =
        |r: &Run| r.losses.operators.iter().map(|l| l.p90.0).filter(|b| b.is_finite()).fold(0.0, f64::max);
    let numbers: [(&str, Number, bool); 5] = [
        ("new findings", |r| r.new_findings().count() as f64, true),
        ("known issues", known, false),
        ("tests per second", |r| r.timings.tests_per_second, false),
        ("pairs of operators covered", |r| r.coverage.pairs.len() as f64, false),
        ("bits lost, 90th percentile of the worst operator", lost, true),
    ];
    let runs = || history.iter().chain([run]);
    numbers
        .into_iter()
        .filter_map(|(name, number, bad)| {
            let values: Vec<f64> = runs().map(number).collect();
            let plot = Value::from_safe_string(plot::trend(name, &values, bad)?);
            Some(Trend { name, plot })
        })
        .collect()
}

fn tiles(run: &Run) -> Vec<Tile> {
    let tile = |label: &str, value: String, tone| Tile { label: label.into(), value, tone };
    let (certified, suspicious): (Vec<_>, Vec<_>) = run.new_findings().partition(|f| f.is_certified());
    let known = run.findings.len() - certified.len() - suspicious.len();
    let tone = |count: usize, bad| if count == 0 { "good" } else { bad };
    let mut tiles = vec![
        tile("new certified findings", thousands(certified.len() as u64), tone(certified.len(), "bad")),
        tile("suspicious, not certified", thousands(suspicious.len() as u64), tone(suspicious.len(), "warn")),
        tile("known issues", thousands(known as u64), "plain"),
    ];
    // A page of triage is about one model: nothing was counted.
    if run.totals.tests == 0 {
        return tiles;
    }
    tiles.push(tile("tests", thousands(run.totals.tests), "plain"));
    if run.timings.tests_per_second > 0.0 {
        tiles.push(tile("tests per second", thousands(run.timings.tests_per_second.round() as u64), "plain"));
    }
    tiles.push(tile("elements compared", thousands(run.totals.judged), "plain"));
    tiles.push(tile("left out as undecidable", percent(run.totals.excluded_share()), "plain"));
    tiles
}

/// Head and rows of the verdicts by system and class.
fn verdict_table(run: &Run) -> (Vec<&'static str>, Vec<(String, Vec<String>)>) {
    let by_class = run.totals.by_class();
    let classes: Vec<_> = by_class.keys().copied().collect();
    let rows = run.totals.verdicts.iter().map(|(system, counts)| {
        let cells = classes.iter().map(|c| counts.get(c).map_or("·".into(), |n| thousands(*n)));
        (system.clone(), cells.collect())
    });
    (classes.iter().map(|c| c.name()).collect(), rows.collect())
}

fn entry(f: &Finding, draw: bool) -> Entry<'_> {
    let (tone, badge) = match (&f.known_issue, f.is_certified()) {
        (Some(_), _) => ("plain", KNOWN),
        (None, true) => ("bad", ""),
        (None, false) => ("warn", f.strength.name()),
    };
    let files = [
        ("source model", &f.files.model),
        ("converted", &f.files.converted),
        ("inputs", &f.files.inputs),
        ("repro", &f.files.repro),
        ("repro without halfproof", &f.files.repro_alone),
    ];
    let system = f.system.as_deref().unwrap_or("");
    let precision = f.precision.map_or("", |p| p.name());
    let operator = f.operator.as_deref().unwrap_or("");
    let safe = |svg: String| Value::from_safe_string(svg);
    Entry {
        id: &f.id,
        class: f.class.name(),
        tone,
        badge,
        title: &f.title,
        system,
        converter: &f.converter,
        precision,
        operator,
        occurrences: thousands(f.occurrences),
        facts: finding::facts(f).into_iter().filter(|(name, _)| *name != "replay").collect(),
        replay: &f.replay,
        files: files.into_iter().filter_map(|(name, path)| Some((name, path.clone()?))).collect(),
        link: f.known_issue.as_ref().and_then(|k| k.link.as_deref()).filter(|l| is_web(l)),
        graph: f.graph.trim_end(),
        drawing: draw.then(|| drawing::svg(&f.drawing)).flatten().map(safe),
        plot: draw.then(|| plot::svg(&f.points)).flatten().map(safe),
        text: finding::text(f),
        words: [
            f.id.as_str(),
            f.class.name(),
            f.blame.name(),
            f.strength.name(),
            &f.title,
            system,
            &f.converter,
            precision,
            operator,
        ]
        .join(" ")
        .to_lowercase(),
        alone: false,
    }
}

/// Only these are made links: a `javascript:` address in a run.json must not run.
fn is_web(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://")
}

fn bars(values: impl Iterator<Item = (String, f64)>, show: impl Fn(f64) -> String) -> Vec<Bar> {
    let values: Vec<_> = values.collect();
    let longest = values.iter().map(|(_, v)| *v).fold(f64::MIN_POSITIVE, f64::max);
    let bar = |(name, v): (String, f64)| Bar {
        name,
        value: show(v),
        length: (v / longest * 1000.0).round() / 10.0,
    };
    values.into_iter().map(bar).collect()
}

/// The `most` largest counts as bars, by name where they are equal.
fn counts(counts: &BTreeMap<String, u64>, most: usize) -> Vec<Bar> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    bars(sorted.into_iter().take(most).map(|(k, v)| (k.clone(), *v as f64)), |v| thousands(v as u64))
}

fn loss_rows(run: &Run) -> Vec<LossRow<'_>> {
    let mut losses: Vec<_> = run.losses.operators.iter().collect();
    losses.sort_by(|a, b| b.p90.0.total_cmp(&a.p90.0).then(b.max.0.total_cmp(&a.max.0)));
    let bits = |x: f64| format!("{x:.1}");
    losses
        .into_iter()
        .map(|l| LossRow {
            operator: &l.operator,
            precision: l.precision.name(),
            system: &l.system,
            tensors: thousands(l.count),
            median: bits(l.median.0),
            p90: bits(l.p90.0),
            max: bits(l.max.0),
            histogram: Value::from_safe_string(plot::histogram(&l.histogram)),
        })
        .collect()
}
