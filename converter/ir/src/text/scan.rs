//! The characters of a text and where they are.

use super::is_bare;
use super::parse::TextError;

/// A place in a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Open brackets: inside, a line's end is a space.
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Scanner { text, at: 0, depth: 0 }
    }

    /// The place of the next token.
    pub(super) fn here(&mut self) -> usize {
        self.space();
        self.at
    }

    pub(super) fn error_at(&self, at: usize, reason: impl Into<String>) -> TextError {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        TextError { line, column, reason: reason.into() }
    }

    pub(super) fn error(&mut self, reason: impl Into<String>) -> TextError {
        let at = self.here();
        self.error_at(at, reason)
    }

    /// `expected X, found Y` at the next token.
    pub(super) fn expected(&mut self, what: &str) -> TextError {
        self.space();
        let rest = &self.text[self.at..];
        let found = match rest.chars().next() {
            None => "the end of the text".to_string(),
            Some('\n') => "the end of the line".to_string(),
            Some(c) if is_bare(c) => {
                let word: String = rest.chars().take_while(|&c| is_bare(c)).take(40).collect();
                format!("\"{word}\"")
            }
            Some(c) => format!("\"{c}\""),
        };
        self.error(format!("expected {what}, found {found}"))
    }

    fn space(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            match rest.chars().next() {
                Some('#') => self.at += rest.find('\n').unwrap_or(rest.len()),
                Some('\n') if self.depth == 0 => return,
                Some(c) if c.is_whitespace() => self.at += c.len_utf8(),
                _ => return,
            }
        }
    }

    /// Skips empty lines; false at the end of the text.
    pub(super) fn next_line(&mut self) -> bool {
        self.space();
        while self.text[self.at..].starts_with('\n') {
            self.at += 1;
            self.space();
        }
        self.at < self.text.len()
    }

    /// Requires the end of the line.
    pub(super) fn end_line(&mut self) -> Result<(), TextError> {
        self.space();
        match self.text[self.at..].chars().next() {
            None | Some('\n') => Ok(()),
            Some(_) => Err(self.expected("the end of the line")),
        }
    }

    /// Takes a character if it is the next one.
    pub(super) fn eat(&mut self, c: char) -> bool {
        self.space();
        let there = self.text[self.at..].starts_with(c);
        if there {
            self.at += c.len_utf8();
            match c {
                '(' | '[' | '{' => self.depth += 1,
                ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        there
    }

    /// Requires a character.
    pub(super) fn need(&mut self, c: char) -> Result<(), TextError> {
        if self.eat(c) { Ok(()) } else { Err(self.expected(&format!("\"{c}\""))) }
    }

    /// The bare word that comes next, without taking it.
    pub(super) fn peek_word(&mut self) -> &'a str {
        self.space();
        let rest = &self.text[self.at..];
        &rest[..rest.find(|c| !is_bare(c)).unwrap_or(rest.len())]
    }

    /// A bare word; empty when something else comes next.
    pub(super) fn word(&mut self) -> &'a str {
        let word = self.peek_word();
        self.at += word.len();
        word
    }

    pub(super) fn peek(&mut self) -> Option<char> {
        self.space();
        self.text[self.at..].chars().next()
    }

    /// A bare word or a text in quotes; whether it was quoted.
    pub(super) fn name(&mut self, what: &str) -> Result<(String, bool), TextError> {
        if self.peek() == Some('"') {
            return Ok((self.quoted(what)?, true));
        }
        match self.word() {
            "" => Err(self.expected(what)),
            word => Ok((word.to_string(), false)),
        }
    }

    /// A text in quotes.
    pub(super) fn quoted(&mut self, what: &str) -> Result<String, TextError> {
        let start = self.here();
        if !self.eat('"') {
            return Err(self.expected(what));
        }
        let mut text = String::new();
        let mut chars = self.text[self.at..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(text);
                }
                '\n' => break,
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => text.push('\n'),
                    Some(c @ ('"' | '\\')) => text.push(c),
                    Some('u') => {
                        let code: String =
                            chars.by_ref().map(|(_, c)| c).take(10).take_while(|&c| c != '}').collect();
                        let code = code.strip_prefix('{').and_then(|c| u32::from_str_radix(c, 16).ok());
                        match code.and_then(char::from_u32) {
                            Some(c) => text.push(c),
                            None => return Err(self.error_at(self.at + i, "\\u{...} names no character")),
                        }
                    }
                    _ => return Err(self.error_at(self.at + i, "unknown escape")),
                },
                c => text.push(c),
            }
        }
        Err(self.error_at(start, "the quote is not closed on its line"))
    }
}
