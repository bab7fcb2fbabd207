//! Plots, drawn by plotters: the error of elements against their bound, distributions of bits lost, and trends.
//!
//! Colors are placeholders that become the page's variables, so that plots follow the dark and light themes.

use super::svg::escape;
use crate::schema::Point;
use plotters::prelude::*;
use std::ops::Range;

const SIZE: (u32, u32) = (420, 150);

/// Placeholder, and the variable that replaces it.
const COLORS: [(RGBColor, &str, &str); 5] = [
    (INK, "#010101", "var(--soft)"),
    (LINE, "#020202", "var(--line)"),
    (MARK, "#030303", "var(--mark)"),
    (BAD, "#040404", "var(--bad)"),
    (BAND, "#050505", "var(--band)"),
];
const INK: RGBColor = RGBColor(1, 1, 1);
const LINE: RGBColor = RGBColor(2, 2, 2);
const MARK: RGBColor = RGBColor(3, 3, 3);
const BAD: RGBColor = RGBColor(4, 4, 4);
const BAND: RGBColor = RGBColor(5, 5, 5);

type Failed = DrawingAreaErrorKind<std::io::Error>;

/// Draws, and gives the image a class and a description. A plot that cannot be drawn is left out: nothing of a report
/// depends on it.
fn image(
    class: &str,
    size: (u32, u32),
    description: &str,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), Failed>,
) -> Option<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&area).ok()?;
        area.present().ok()?;
    }
    for (_, placeholder, variable) in COLORS {
        svg = svg.replace(placeholder, variable);
    }
    let (_, content) = svg.split_once("<svg ")?;
    let content = content.replace(" opacity=\"1\"", "").replace(['\n', '\r'], "");
    let head = format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{}\" ", escape(description));
    Some(head + &content.replace(" xmlns=\"http://www.w3.org/2000/svg\"", ""))
}

/// Errors in units of their bound, so that −1 and 1 are the bound for every element; what lies far outside is drawn
/// at the edge. `None` without elements.
pub(super) fn svg(points: &[Point]) -> Option<String> {
    if points.is_empty() {
        return None;
    }
    let ratios: Vec<f64> = points.iter().map(ratio).collect();
    let outside = ratios.iter().filter(|r| is_outside(**r)).count();
    let largest = ratios.iter().filter(|r| r.is_finite()).map(|r| r.abs()).fold(0.0, f64::max);
    let range = (largest * 1.1).clamp(1.3, 8.0);
    let count = points.len() as f64;
    let description = format!("error of {} elements against their bound, {outside} outside", points.len());
    image("plot", SIZE, &description, |area| {
        let mut chart = axes(area, 0.0..count, -range..range)?;
        let label = |x: &f64| {
            let at = (*x as usize).min(points.len() - 1);
            points[at].element.to_string()
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(4)
            .y_labels(5)
            .axis_style(LINE)
            .bold_line_style(LINE)
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 10, &INK))
            .x_label_formatter(&label)
            .draw()?;
        chart.draw_series([Rectangle::new([(0.0, -1.0), (count, 1.0)], BAND.filled())])?;
        chart.draw_series(ratios.iter().enumerate().map(|(i, r)| {
            let at = if r.is_nan() { range } else { r.clamp(-range, range) };
            let (size, color) = if is_outside(*r) { (3, BAD) } else { (2, MARK) };
            Circle::new((i as f64 + 0.5, at), size, color.filled())
        }))?;
        Ok(())
    })
}

type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

fn axes<'a, 'b>(
    area: &'a DrawingArea<SVGBackend<'b>, plotters::coord::Shift>,
    x: Range<f64>,
    y: Range<f64>,
) -> Result<Chart<'a, 'b>, Failed> {
    ChartBuilder::on(area).margin(6).x_label_area_size(18).y_label_area_size(42).build_cartesian_2d(x, y)
}

/// The error in units of the bound on its side; NaN when it is NaN.
fn ratio(p: &Point) -> f64 {
    let bound = if p.error.0 < 0.0 { -p.low.0 } else { p.high.0 };
    if p.error.0 == 0.0 {
        0.0
    } else if bound == 0.0 {
        p.error.0.signum() * f64::INFINITY
    } else if bound.is_infinite() && p.error.0.is_infinite() {
        p.error.0.signum()
    } else {
        p.error.0 / bound
    }
}

fn is_outside(ratio: f64) -> bool {
    ratio.is_nan() || ratio.abs() > 1.0
}

/// Counts by whole bits lost as small bars.
pub(super) fn histogram(counts: &[u64]) -> String {
    let highest = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let shown: Vec<String> = counts.iter().map(u64::to_string).collect();
    let description = format!("tensors by bits lost, from none to more than 11: {}", shown.join(" "));
    let size = (8 * counts.len().max(1) as u32, 23);
    let drawn = image("bits", size, &description, |area| {
        let mut chart =
            ChartBuilder::on(area).build_cartesian_2d(0.0..counts.len().max(1) as f64, 0.0..1.1)?;
        chart.draw_series(counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(i, count)| {
            // A square root keeps rare losses visible.
            let height = (*count as f64 / highest).sqrt().max(0.08);
            let color = if i + 1 == counts.len() { BAD } else { MARK };
            Rectangle::new([(i as f64, 0.0), (i as f64 + 0.85, height)], color.filled())
        }))?;
        Ok(())
    });
    drawn.unwrap_or_default()
}

/// One number over the runs of a history, oldest first; `None` for fewer than two.
pub(super) fn trend(name: &str, values: &[f64], bad: bool) -> Option<String> {
    if values.len() < 2 || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let highest = values.iter().copied().fold(0.0, f64::max).max(1.0);
    let last = values.len() as f64 - 1.0;
    let shown: Vec<String> = values.iter().map(|v| format!("{v:.1}")).collect();
    let description = format!("{name} over {} runs, oldest first: {}", values.len(), shown.join(" "));
    image("plot", (340, 130), &description, |area| {
        let mut chart = axes(area, -0.2..last + 0.2, 0.0..highest * 1.1)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(2)
            .y_labels(4)
            .axis_style(LINE)
            .bold_line_style(LINE)
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 10, &INK))
            .x_label_formatter(&|x: &f64| if *x > last / 2.0 { "now".into() } else { "then".into() })
            .draw()?;
        let color = if bad { BAD } else { MARK };
        let line: Vec<(f64, f64)> = values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
        chart.draw_series(LineSeries::new(line.clone(), color.stroke_width(2)))?;
        chart.draw_series(line.into_iter().map(|at| Circle::new(at, 3, color.filled())))?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(error: f64, low: f64, high: f64) -> Point {
        Point { element: 0, error: error.into(), low: low.into(), high: high.into() }
    }

    #[test]
    fn errors_are_measured_on_their_own_side_of_the_bound() {
        assert_eq!(ratio(&point(1.0, -4.0, 2.0)), 0.5);
        assert_eq!(ratio(&point(-1.0, -4.0, 2.0)), -0.25);
        assert_eq!(ratio(&point(0.0, 0.0, 0.0)), 0.0);
        assert_eq!(ratio(&point(1e-9, 0.0, 0.0)), f64::INFINITY);
        assert_eq!(ratio(&point(f64::INFINITY, 0.0, f64::INFINITY)), 1.0);
        assert!(is_outside(ratio(&point(f64::NAN, -1.0, 1.0))));
    }

    #[test]
    fn coordinates_are_numbers_whatever_the_errors_are() {
        let points =
            [point(f64::NAN, -1.0, 1.0), point(f64::INFINITY, -1.0, 1.0), point(1e300, -1e-300, 1e-300)];
        let svg = svg(&points).expect("three points");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains("3 outside"));
    }

    #[test]
    fn plots_have_the_colors_of_the_page() {
        let drawn = [
            svg(&[point(0.5, -1.0, 1.0), point(2.0, -1.0, 1.0)]).expect("two points"),
            histogram(&[3, 1, 0, 2]),
            trend("findings", &[3.0, 1.0, 2.0], true).expect("three runs"),
        ];
        for svg in drawn {
            assert!(svg.contains("var(--"), "{svg}");
        }
        assert_eq!(trend("findings", &[3.0], true), None);
    }
}
