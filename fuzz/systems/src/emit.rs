//! Source programs as text that people and outside converters read.

pub mod tensorflow;
pub mod torch;
mod window;
mod writer;

/// A float as Python reads it back, bit for bit.
fn float(x: impl Into<f64>) -> String {
    match x.into() {
        x if x.is_nan() => "float('nan')".to_string(),
        x if x.is_infinite() => if x > 0.0 { "float('inf')" } else { "float('-inf')" }.to_string(),
        x => format!("{x:?}"),
    }
}

/// `True` or `False`.
fn flag(b: bool) -> &'static str {
    if b { "True" } else { "False" }
}

/// A product with a factor, which is not written where it is 1.
fn scaled(factor: f32, text: String) -> String {
    if factor == 1.0 { text } else { format!("{} * {text}", float(factor)) }
}

/// An axis that may count from the end, from the front.
fn from_front(axis: i64, rank: usize) -> i64 {
    if axis < 0 { axis + rank as i64 } else { axis }
}

/// `[1, 2]`.
fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|i| i.to_string()).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_python() {
        let shown: Vec<String> = [1.0, -0.0, 1e-7, f64::INFINITY, f64::NAN].map(float).to_vec();
        assert_eq!(shown, ["1.0", "-0.0", "1e-7", "float('inf')", "float('nan')"]);
        assert_eq!(list([1, 2]), "[1, 2]");
    }
}
