//! Plots: the error of elements against their bound, and distributions of bits lost.

use super::svg::{image, n};
use crate::schema::Point;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 34.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 20.0;

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
    let y = |r: f64| TOP + (HEIGHT - TOP - BOTTOM) * (0.5 - r.clamp(-range, range) / range / 2.0);
    let step = (WIDTH - LEFT - 8.0) / points.len() as f64;
    let x = |i: usize| LEFT + step * (i as f64 + 0.5);

    let mut content = format!(
        "<rect class=\"band\" x=\"{LEFT}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
        n(y(1.0)),
        n(WIDTH - LEFT - 8.0),
        n(y(-1.0) - y(1.0))
    );
    for (at, name) in [(1.0, "bound"), (0.0, "0"), (-1.0, "bound")] {
        content += &format!("<path class=\"axis\" d=\"M{LEFT} {0}H{1}\"/>", n(y(at)), n(WIDTH - 8.0));
        content +=
            &format!("<text class=\"tick\" x=\"{}\" y=\"{}\">{name}</text>", n(LEFT - 4.0), n(y(at) + 3.5));
    }
    let (mut inner, mut outer) = (String::new(), String::new());
    for (i, r) in ratios.iter().enumerate() {
        let list = if is_outside(*r) { &mut outer } else { &mut inner };
        let at = if r.is_nan() { range } else { *r };
        *list += &format!("M{} {}h0", n(x(i)), n(y(at)));
    }
    for (class, d) in [("dots", inner), ("dots bad", outer)] {
        if !d.is_empty() {
            content += &format!("<path class=\"{class}\" d=\"{d}\"/>");
        }
    }
    let (first, last) = (points[0].element, points[points.len() - 1].element);
    content +=
        &format!("<text class=\"tick start\" x=\"{LEFT}\" y=\"{}\">element {first}</text>", n(HEIGHT - 5.0));
    content +=
        &format!("<text class=\"tick\" x=\"{}\" y=\"{}\">{last}</text>", n(WIDTH - 8.0), n(HEIGHT - 5.0));
    let description = format!("error of {} elements against their bound, {outside} outside", points.len());
    Some(image("plot", WIDTH, HEIGHT, &description, &content))
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
    let mut content = String::new();
    for (i, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        // A square root keeps rare losses visible.
        let height = ((*count as f64 / highest).sqrt() * 20.0).max(1.5);
        let class = if i + 1 == counts.len() { "bar bad" } else { "bar" };
        content += &format!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"7\" height=\"{}\"/>",
            8 * i,
            n(22.0 - height),
            n(height)
        );
    }
    let shown: Vec<String> = counts.iter().map(u64::to_string).collect();
    let description = format!("tensors by bits lost, from none to more than 11: {}", shown.join(" "));
    image("bits", 8.0 * counts.len() as f64, 23.0, &description, &content)
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
}
