//! The text of an expression as words, numbers, texts and signs.

use super::SyntaxError;

/// What an expression is written of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A keyword or the name of a field, in lower case.
    Word(String),
    /// A number without a sign.
    Number(f64),
    /// A text, without its quotes.
    Text(String),
    /// A sign, such as `<=`.
    Sign(&'static str),
    /// Behind the last one.
    End,
}

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    /// Counted in characters, from 1.
    pub(super) at: usize,
}

/// The signs, longer ones before those that they begin with.
const SIGNS: [&str; 13] = [
    "<>", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "(", ")",
];
const COMMA: &str = ",";

/// Cuts a text into tokens, the last of which is [`Token::End`].
///
/// # Errors
/// [`SyntaxError`] for what is none.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, SyntaxError> {
    let mut rest = text;
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start();
        let at = text[..text.len() - rest.len()].chars().count() + 1;
        let Some(first) = rest.chars().next() else {
            let token = Token::End;
            tokens.push(Placed { token, at });
            return Ok(tokens);
        };
        let (token, len) = match first {
            'a'..='z' | 'A'..='Z' | '_' => word(rest),
            '0'..='9' => number(rest).map_err(|problem| SyntaxError::new(at, problem))?,
            '\'' => {
                quoted(rest).ok_or_else(|| SyntaxError::new(at, "the text has no closing quote"))?
            }
            _ => sign(rest).map_err(|problem| SyntaxError::new(at, problem))?,
        };
        tokens.push(Placed { token, at });
        rest = &rest[len..];
    }
}

fn word(rest: &str) -> (Token, usize) {
    let is_inside = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let len = rest.find(|it| !is_inside(it)).unwrap_or(rest.len());
    (Token::Word(rest[..len].to_ascii_lowercase()), len)
}

fn number(rest: &str) -> Result<(Token, usize), &'static str> {
    let is_inside = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_');
    let len = rest.find(|it| !is_inside(it)).unwrap_or(rest.len());
    let text = &rest[..len];
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let is_number = match text.split_once('.') {
        Some((whole, fraction)) => is_plain(whole) && is_plain(fraction),
        None => is_plain(text),
    };
    let number: Option<f64> = text.parse().ok().filter(|it: &f64| it.is_finite());
    match number.filter(|_| is_number) {
        Some(number) => Ok((Token::Number(number), len)),
        None => Err("a number is digits, with a point and more digits or without"),
    }
}

/// A text in single quotes, in which two of them stand for one.
fn quoted(rest: &str) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut len = 1;
    loop {
        let end = len + rest[len..].find('\'')?;
        text.push_str(&rest[len..end]);
        len = end + 1;
        if !rest[len..].starts_with('\'') {
            return Some((Token::Text(text), len));
        }
        text.push('\'');
        len += 1;
    }
}

fn sign(rest: &str) -> Result<(Token, usize), &'static str> {
    let mut signs = SIGNS.iter().chain([&COMMA]);
    match signs.find(|sign| rest.starts_with(**sign)) {
        Some(_) if rest.starts_with("==") => Err("equal is written ="),
        Some(sign) => Ok((Token::Sign(sign), sign.len())),
        None if rest.starts_with('"') => Err("a text stands in single quotes"),
        None => Err("no such sign: there are = <> < <= > >= + - * / ( ) and ,"),
    }
}
