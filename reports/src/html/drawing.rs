//! Draws a small graph top to bottom. Where nodes, edges and their labels stand is worked out by dagre.

use super::svg::{cut, escape, image, n};
use crate::schema::Drawing;
use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, layout};
use std::collections::BTreeMap;

/// Larger graphs are not drawn: nobody could read them.
const MAX_NODES: usize = 60;
const CHARACTER: f64 = 7.3;
const LABEL_CHARACTER: f64 = 6.2;
const LINE: f64 = 15.0;
const LABEL: usize = 34;
const MARGIN: f64 = 6.0;

/// The drawing; `None` when there is nothing to draw, or too much.
pub(super) fn svg(drawing: &Drawing) -> Option<String> {
    let count = drawing.nodes.len();
    if count == 0 || count > MAX_NODES {
        return None;
    }
    let edges = merged_edges(drawing);
    let mut graph = Graph::with_options(GraphOptions { directed: true, multigraph: false, compound: false });
    for (i, node) in drawing.nodes.iter().enumerate() {
        let characters =
            cut(&node.label, LABEL).chars().count().max(cut(&node.detail, LABEL).chars().count());
        let lines = 1.0 + f64::from(u8::from(!node.detail.is_empty()));
        let width = characters as f64 * CHARACTER + 22.0;
        let label = NodeLabel { width, height: lines * LINE + 12.0, ..NodeLabel::default() };
        graph.set_node(i.to_string(), Some(label));
    }
    for ((from, to), text) in &edges {
        let width = cut(text, LABEL).chars().count() as f64 * LABEL_CHARACTER;
        let label = EdgeLabel { width, height: LINE, ..EdgeLabel::default() };
        graph.set_edge(from.to_string(), to.to_string(), Some(label), None);
    }
    let options = LayoutOptions {
        nodesep: 26.0,
        edgesep: 14.0,
        ranksep: 26.0,
        marginx: MARGIN,
        marginy: MARGIN,
        ..LayoutOptions::default()
    };
    layout(&mut graph, Some(options));
    // dagre leads an edge around its neighbours, beyond the left margin where need be.
    let (mut left, mut width, mut height) = (MARGIN, 0.0f64, 0.0f64);
    let mut content = String::new();
    for ((from, to), text) in &edges {
        let Some(label) = graph.edge(&from.to_string(), &to.to_string(), None) else { continue };
        let points: Vec<(f64, f64)> = label.points.iter().map(|p| (p.x, p.y)).collect();
        for (x, y) in &points {
            (left, width, height) = (left.min(*x), width.max(*x), height.max(*y));
        }
        content += &edge(&points);
        if let (Some(x), Some(y)) = (label.x, label.y)
            && !text.is_empty()
        {
            (left, width) = (left.min(x - label.width / 2.0), width.max(x + label.width / 2.0));
            let shown = escape(&cut(text, LABEL));
            content += &format!("<text class=\"l\" x=\"{}\" y=\"{}\">{shown}</text>", n(x), n(y + 4.0));
        }
    }
    for (i, node) in drawing.nodes.iter().enumerate() {
        let placed = graph.node(&i.to_string())?;
        let (x, y) = (placed.x?, placed.y?);
        let (w, h) = (placed.width, placed.height);
        (width, height) = (width.max(x + w / 2.0), height.max(y + h / 2.0));
        let class = match (node.is_bad, node.is_interface) {
            (true, _) => "n bad",
            (false, true) => "n io",
            (false, false) => "n",
        };
        let top = y - h / 2.0;
        content += &format!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
            n(x - w / 2.0),
            n(top),
            n(w),
            n(h),
            if node.is_interface { "13" } else { "5" }
        );
        content += &format!(
            "<text x=\"{}\" y=\"{}\">{}</text>",
            n(x),
            n(top + LINE + 2.0),
            escape(&cut(&node.label, LABEL))
        );
        if !node.detail.is_empty() {
            let line = n(top + 2.0 * LINE + 1.0);
            let detail = escape(&cut(&node.detail, LABEL));
            content += &format!("<text class=\"d\" x=\"{}\" y=\"{line}\">{detail}</text>", n(x));
        }
    }
    let names: Vec<&str> = drawing.nodes.iter().map(|node| node.label.as_str()).collect();
    let description = format!("graph of {}", names.join(", "));
    let shift = MARGIN - left;
    if shift > 0.0 {
        content = format!("<g transform=\"translate({} 0)\">{content}</g>", n(shift));
    }
    Some(image("graph", shift + width + MARGIN, height + MARGIN, &description, &content))
}

/// The drawing as a file of its own, in the light theme unless the viewer prefers the dark one.
pub(super) fn file(drawing: &Drawing) -> Option<String> {
    let content = svg(drawing)?;
    let head = "<svg xmlns=\"http://www.w3.org/2000/svg\" ";
    let (_, rest) = content.split_once("<svg ")?;
    let (attributes, body) = rest.split_once('>')?;
    Some(format!("{head}{attributes}><style>{}</style>{body}\n", include_str!("../../templates/drawing.css")))
}

/// Edges between different existing nodes, each pair once, with the labels of all its values.
fn merged_edges(drawing: &Drawing) -> Vec<((usize, usize), String)> {
    let mut merged: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
    let count = drawing.nodes.len();
    for edge in &drawing.edges {
        let ends = (edge.from as usize, edge.to as usize);
        if ends.0 < count && ends.1 < count && ends.0 != ends.1 {
            let labels = merged.entry(ends).or_default();
            if !labels.contains(&edge.label.as_str()) {
                labels.push(&edge.label);
            }
        }
    }
    merged.into_iter().map(|(ends, labels)| (ends, labels.join(" "))).collect()
}

/// A smooth line through the points that dagre gives, and an arrow head at its end.
fn edge(points: &[(f64, f64)]) -> String {
    let [first, middle @ .., last] = points else { return String::new() };
    let mut d = format!("M{} {}", n(first.0), n(first.1));
    // Quadratic pieces whose control points are the bends, joined halfway between them.
    for (i, bend) in middle.iter().enumerate() {
        let end = match middle.get(i + 1) {
            Some(next) => ((bend.0 + next.0) / 2.0, (bend.1 + next.1) / 2.0),
            None => *last,
        };
        d += &format!("Q{} {} {} {}", n(bend.0), n(bend.1), n(end.0), n(end.1));
    }
    if middle.is_empty() {
        d += &format!("L{} {}", n(last.0), n(last.1));
    }
    let before = middle.last().unwrap_or(first);
    let (dx, dy) = (last.0 - before.0, last.1 - before.1);
    let length = dx.hypot(dy).max(1e-6);
    let (dx, dy) = (dx / length * 7.0, dy / length * 7.0);
    let (back_x, back_y) = (last.0 - dx, last.1 - dy);
    let head = format!(
        "M{} {}L{} {}L{} {}z",
        n(last.0),
        n(last.1),
        n(back_x - dy * 0.55),
        n(back_y + dx * 0.55),
        n(back_x + dy * 0.55),
        n(back_y - dx * 0.55)
    );
    format!("<path class=\"e\" d=\"{d}\"/><path class=\"h\" d=\"{head}\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Edge, NodeBox};

    fn drawing(count: u32, edges: &[(u32, u32)]) -> Drawing {
        let node = |i| NodeBox {
            label: format!("node{i}"),
            detail: String::new(),
            is_interface: i == 0,
            is_bad: false,
        };
        let edge = |(from, to): &(u32, u32)| Edge { from: *from, to: *to, label: "f16[1]".into() };
        Drawing { nodes: (0..count).map(node).collect(), edges: edges.iter().map(edge).collect() }
    }

    /// Left, top, right and bottom of every node, in order.
    fn boxes(svg: &str) -> Vec<[f64; 4]> {
        let number = |rect: &str, name: &str| -> f64 {
            let (_, rest) = rect.split_once(&format!(" {name}=\"")).expect("an attribute");
            rest.split('"').next().and_then(|t| t.parse().ok()).expect("a number")
        };
        svg.split("<rect ")
            .skip(1)
            .map(|r| {
                let (x, y) = (number(r, "x"), number(r, "y"));
                [x, y, x + number(r, "width"), y + number(r, "height")]
            })
            .collect()
    }

    #[test]
    fn consumers_stand_below_their_producers_and_no_nodes_overlap() {
        let edges = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (2, 5), (3, 6), (4, 7), (5, 8), (0, 8), (6, 8)];
        let svg = svg(&drawing(9, &edges)).expect("a drawing");
        let boxes = boxes(&svg);
        assert_eq!(boxes.len(), 9);
        for (from, to) in edges {
            assert!(boxes[from as usize][3] < boxes[to as usize][1], "{from} above {to}");
        }
        for (i, a) in boxes.iter().enumerate() {
            for b in &boxes[i + 1..] {
                assert!(a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1], "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn an_edge_led_around_a_node_is_inside_of_the_picture() {
        let mut led_around = drawing(4, &[(0, 1), (0, 2), (1, 2), (2, 3)]);
        for edge in &mut led_around.edges {
            edge.label = "f16[1,8]".into();
        }
        let svg = svg(&led_around).expect("a drawing");
        let shift: f64 = svg
            .split_once("translate(")
            .map_or(0.0, |(_, rest)| rest.split(' ').next().and_then(|x| x.parse().ok()).expect("a number"));
        let numbers = svg.split("class=\"e\" d=\"").skip(1).flat_map(|path| {
            let path = path.split('"').next().unwrap_or_default();
            path.split(['M', 'Q', 'L', ' ']).filter(|t| !t.is_empty()).map(str::parse::<f64>)
        });
        let numbers: Vec<f64> = numbers.map(|x| x.expect("a number")).collect();
        assert!(numbers.len() > 16, "{svg}");
        assert!(numbers.iter().step_by(2).all(|x| x + shift >= 0.0), "{svg}");
    }

    #[test]
    fn random_graphs_are_drawn_without_a_panic() {
        let mut state = 1u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % below) as u32
        };
        for _ in 0..60 {
            let count = 1 + next(20);
            let edges: Vec<(u32, u32)> =
                (0..next(40)).map(|_| (next(u64::from(count) + 2), next(u64::from(count)))).collect();
            let drawn = svg(&drawing(count, &edges)).expect("a drawing");
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }

    #[test]
    fn broken_drawings_are_drawn_without_what_is_broken() {
        let svg = svg(&drawing(2, &[(0, 0), (0, 9), (0, 1), (1, 0)])).expect("two nodes");
        assert!(svg.contains("node1"));
    }

    #[test]
    fn nothing_and_too_much_are_not_drawn() {
        assert_eq!(svg(&drawing(0, &[])), None);
        assert_eq!(svg(&drawing(61, &[])), None);
    }
}
