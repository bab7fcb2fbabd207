//! Words of a shell's command line: what a user or a model file names is never more than a word of it.

use std::path::Path;

/// A word that a shell takes as it is.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_string();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A path that no command takes for an option.
pub fn path(path: &Path) -> String {
    let text = path.display().to_string();
    word(&if text.starts_with('-') { format!("./{text}") } else { text })
}

/// An option with its value, which may start with a dash.
pub fn option(name: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("--{name}{between}{}", word(value))
}

/// What follows `#` on one line: a line break would end the comment.
pub fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text as a literal of Python, quotes included. JSON's strings are Python's.
pub fn python(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What stands between the three quotes of a Python docstring.
pub fn docstring(text: &str) -> String {
    text.replace(['"', '\\'], "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that somebody may give to a file or a node.
    const NAMES: [&str; 9] = [
        "plain.onnx",
        "",
        "two words.onnx",
        "$(touch pwned).onnx",
        "`touch pwned`\\",
        "it's",
        "\"quoted\" $HOME ~ *",
        "a\nb; echo c",
        "-x",
    ];

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_a_word_as_it_was() {
        for name in NAMES {
            let script = format!("printf '%s|' {} {}", word(name), option("o", name));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            let heard = String::from_utf8(output.stdout).unwrap();
            let between = if name.starts_with('-') { "=" } else { "|" };
            assert_eq!(heard, format!("{name}|--o{between}{name}|"), "{script}");
        }
    }

    #[test]
    fn a_path_is_no_option_and_a_comment_is_one_line() {
        assert_eq!(path(Path::new("-x.onnx")), "./-x.onnx");
        assert_eq!(path(Path::new("a/it's")), r"'a/it'\''s'");
        assert_eq!(comment("a\nrm b"), "a rm b");
    }

    #[test]
    fn python_reads_a_text_as_it_was_or_sees_no_end_of_its_docstring() {
        assert_eq!(python("a\"\n\\"), r#""a\"\n\\""#);
        assert_eq!(docstring("\"\"\"\\"), "''''");
    }
}
