//! Draws a small graph top to bottom: nodes in layers, edges bent around them, labels on the edges.
//!
//! Layered drawing after Sugiyama, Tagawa and Toda (1981): longest-path layers, one waypoint per layer that an edge
//! crosses, order by barycenters. Minimised graphs have a handful of nodes, so nothing here needs to be clever.

use super::svg::{cut, escape, image, n};
use crate::schema::Drawing;
use std::collections::BTreeMap;

/// Larger graphs are not drawn: nobody could read them.
const MAX_NODES: usize = 60;
const CHARACTER: f64 = 7.3;
const LINE: f64 = 15.0;
const LAYER_GAP: f64 = 34.0;
const SIDE_GAP: f64 = 26.0;
const LABEL: usize = 34;
const LABEL_ROOM: f64 = 64.0;

/// A node, or a waypoint of an edge (of no size).
struct Item {
    layer: usize,
    width: f64,
    height: f64,
    x: f64,
    y: f64,
}

/// The drawing; `None` when there is nothing to draw, or too much.
pub(super) fn svg(drawing: &Drawing) -> Option<String> {
    let count = drawing.nodes.len();
    if count == 0 || count > MAX_NODES {
        return None;
    }
    let edges = merged_edges(drawing);
    let layers = layers(count, &edges);
    let mut items: Vec<Item> = drawing
        .nodes
        .iter()
        .zip(layers)
        .map(|(node, layer)| {
            let characters =
                cut(&node.label, LABEL).chars().count().max(cut(&node.detail, LABEL).chars().count());
            let lines = 1.0 + f64::from(u8::from(!node.detail.is_empty()));
            Item {
                layer,
                width: characters as f64 * CHARACTER + 22.0,
                height: lines * LINE + 12.0,
                x: 0.0,
                y: 0.0,
            }
        })
        .collect();
    let paths = waypoints(&edges, &mut items);
    let rows = ordered_rows(&items, &paths);
    let (width, height) = place(&mut items, &rows, &paths);
    let mut content = String::new();
    for ((_, label), path) in edges.iter().zip(&paths) {
        content += &edge(&items, path, label);
    }
    for (node, item) in drawing.nodes.iter().zip(&items) {
        let class = match (node.is_bad, node.is_interface) {
            (true, _) => "n bad",
            (false, true) => "n io",
            (false, false) => "n",
        };
        content += &format!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
            n(item.x - item.width / 2.0),
            n(item.y),
            n(item.width),
            n(item.height),
            if node.is_interface { "13" } else { "5" }
        );
        content += &format!(
            "<text x=\"{}\" y=\"{}\">{}</text>",
            n(item.x),
            n(item.y + LINE + 2.0),
            escape(&cut(&node.label, LABEL))
        );
        if !node.detail.is_empty() {
            let y = n(item.y + 2.0 * LINE + 1.0);
            content += &format!(
                "<text class=\"d\" x=\"{}\" y=\"{y}\">{}</text>",
                n(item.x),
                escape(&cut(&node.detail, LABEL))
            );
        }
    }
    let names: Vec<&str> = drawing.nodes.iter().map(|node| node.label.as_str()).collect();
    Some(image("graph", width, height, &format!("graph of {}", names.join(", ")), &content))
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

/// The length of the longest path to each node; sources stand directly above what uses them.
fn layers(count: usize, edges: &[((usize, usize), String)]) -> Vec<usize> {
    let mut layers = vec![0; count];
    // As many rounds as a path can have edges; a cycle, which no graph has, stops here too.
    for _ in 0..count {
        for ((from, to), _) in edges {
            layers[*to] = layers[*to].max((layers[*from] + 1).min(count));
        }
    }
    for source in 0..count {
        if edges.iter().all(|((_, to), _)| *to != source) {
            let users = edges.iter().filter(|((from, _), _)| *from == source).map(|((_, to), _)| layers[*to]);
            layers[source] = users.min().map_or(0, |first| first.saturating_sub(1));
        }
    }
    layers
}

/// The items that each edge visits, waypoints added to `items`.
fn waypoints(edges: &[((usize, usize), String)], items: &mut Vec<Item>) -> Vec<Vec<usize>> {
    let mut paths = vec![];
    for ((from, to), _) in edges {
        let mut path = vec![*from];
        for layer in items[*from].layer + 1..items[*to].layer {
            path.push(items.len());
            items.push(Item { layer, width: 8.0, height: 0.0, x: 0.0, y: 0.0 });
        }
        path.push(*to);
        paths.push(path);
    }
    paths
}

/// Items by layer, each layer ordered so that neighbors stand near their neighbors.
fn ordered_rows(items: &[Item], paths: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let depth = items.iter().map(|i| i.layer).max().unwrap_or(0) + 1;
    let mut rows = vec![vec![]; depth];
    for (i, item) in items.iter().enumerate() {
        rows[item.layer].push(i);
    }
    let mut rank = vec![0.0; items.len()];
    for sweep in 0..6 {
        let down = sweep % 2 == 0;
        for row in &rows {
            row.iter().enumerate().for_each(|(at, i)| rank[*i] = at as f64);
        }
        for step in 0..depth {
            let row = &mut rows[if down { step } else { depth - 1 - step }];
            let center = |i: usize| mean(neighbors(i, paths, down).map(|j| rank[j])).unwrap_or(rank[i]);
            let mut keyed: Vec<(f64, usize)> = row.iter().map(|i| (center(*i), *i)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *row = keyed.into_iter().map(|(_, i)| i).collect();
            row.iter().enumerate().for_each(|(at, i)| rank[*i] = at as f64);
        }
    }
    rows
}

/// What an item is joined to in the layer above or below.
fn neighbors(i: usize, paths: &[Vec<usize>], above: bool) -> impl Iterator<Item = usize> {
    paths.iter().flat_map(|p| p.windows(2)).filter_map(move |pair| match above {
        true => (pair[1] == i).then_some(pair[0]),
        false => (pair[0] == i).then_some(pair[1]),
    })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Gives every item its place; returns width and height of the whole.
fn place(items: &mut [Item], rows: &[Vec<usize>], paths: &[Vec<usize>]) -> (f64, f64) {
    for row in rows {
        spread(items, row, |_, at| at as f64);
    }
    for sweep in 0..8 {
        let above = sweep % 2 == 0;
        for step in 0..rows.len() {
            let row = &rows[if above { step } else { rows.len() - 1 - step }];
            let wanted: Vec<f64> = row
                .iter()
                .map(|i| mean(neighbors(*i, paths, above).map(|j| items[j].x)).unwrap_or(items[*i].x))
                .collect();
            spread(items, row, |_, at| wanted[at]);
        }
    }
    let mut y = 4.0;
    for row in rows {
        let tallest = row.iter().map(|i| items[*i].height).fold(0.0, f64::max);
        for i in row {
            items[*i].y = y + (tallest - items[*i].height) / 2.0;
        }
        y += tallest + LAYER_GAP;
    }
    // Labels stand beside their edges, on either side.
    let left = items.iter().map(|i| i.x - i.width / 2.0).fold(f64::INFINITY, f64::min) - LABEL_ROOM;
    for item in items.iter_mut() {
        item.x -= left;
    }
    let right = items.iter().map(|i| i.x + i.width / 2.0).fold(0.0, f64::max) + LABEL_ROOM;
    (right, y - LAYER_GAP + 4.0)
}

/// Puts a row's items where they want to be, in their order and without overlap.
fn spread(items: &mut [Item], row: &[usize], wanted: impl Fn(usize, usize) -> f64) {
    let mut right = f64::NEG_INFINITY;
    let mut pushed = 0.0;
    for (at, i) in row.iter().enumerate() {
        let half = items[*i].width / 2.0;
        let want = wanted(*i, at);
        let x = want.max(right + SIDE_GAP + half);
        pushed += x - want;
        items[*i].x = x;
        right = x + half;
    }
    let back = pushed / row.len().max(1) as f64;
    for i in row {
        items[*i].x -= back;
    }
}

/// A smooth line through the waypoints, an arrow head, and the label beside its first part.
fn edge(items: &[Item], path: &[usize], label: &str) -> String {
    let top = |i: usize| (items[i].x, items[i].y);
    let bottom = |i: usize| (items[i].x, items[i].y + items[i].height);
    let (mut x, mut y) = bottom(path[0]);
    let mut d = format!("M{} {}", n(x), n(y));
    let mut label_at = None;
    for (step, i) in path.iter().enumerate().skip(1) {
        let (to_x, to_y) = top(*i);
        let last = step == path.len() - 1;
        let end_y = if last { to_y - 6.0 } else { to_y };
        let middle = (y + end_y) / 2.0;
        d += &format!("C{} {} {} {} {} {}", n(x), n(middle), n(to_x), n(middle), n(to_x), n(end_y));
        let leftwards = to_x < x - 1.0;
        let aside = if leftwards { -6.0 } else { 6.0 };
        label_at.get_or_insert((
            (x + to_x) / 2.0 + aside,
            middle + 4.0,
            if leftwards { "l left" } else { "l" },
        ));
        (x, y) = (to_x, end_y);
    }
    let mut svg =
        format!("<path class=\"e\" d=\"{d}\"/><path class=\"h\" d=\"M{} {}l-4 0 4 6 4-6z\"/>", n(x), n(y));
    if let Some((x, y, class)) = label_at.filter(|_| !label.is_empty()) {
        svg += &format!(
            "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
            n(x),
            n(y),
            escape(&cut(label, LABEL))
        );
    }
    svg
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

    #[test]
    fn consumers_stand_below_their_producers() {
        let graph = drawing(4, &[(0, 1), (1, 2), (0, 2), (2, 3)]);
        assert_eq!(layers(4, &merged_edges(&graph)), [0, 1, 2, 3]);
    }

    #[test]
    fn nodes_of_a_layer_never_overlap() {
        let graph = drawing(
            9,
            &[(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (2, 5), (3, 6), (4, 7), (5, 8), (0, 8), (6, 8)],
        );
        let edges = merged_edges(&graph);
        let mut items: Vec<Item> = layers(9, &edges)
            .into_iter()
            .map(|layer| Item { layer, width: 60.0, height: 20.0, x: 0.0, y: 0.0 })
            .collect();
        let paths = waypoints(&edges, &mut items);
        let rows = ordered_rows(&items, &paths);
        place(&mut items, &rows, &paths);
        for row in rows {
            for pair in row.windows(2) {
                let (a, b) = (&items[pair[0]], &items[pair[1]]);
                assert!(a.x + a.width / 2.0 + SIDE_GAP <= b.x - b.width / 2.0 + 1e-6);
            }
        }
        assert!(items.iter().all(|i| i.x - i.width / 2.0 >= 0.0));
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
