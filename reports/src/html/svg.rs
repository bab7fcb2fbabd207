//! Pieces of SVG. Colors are left to the page's style, by class, so that drawings follow the dark and light themes.

/// Text that is only text, in content and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Text cut to a number of characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A coordinate with one decimal, short.
pub(super) fn n(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map(String::from).unwrap_or(text)
}

/// A whole image with a description for those who cannot see it.
pub(super) fn image(class: &str, width: f64, height: f64, description: &str, content: &str) -> String {
    let (w, h) = (n(width.ceil()), n(height.ceil()));
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"{}\">{content}</svg>",
        escape(description)
    )
}
