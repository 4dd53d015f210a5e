//! The grammar of expressions: recursive descent, one function a rule.
//!
//! ```text
//! expression := all { "or" all }
//! all        := one { "and" one }
//! one        := "not" one | sum [ predicate ]
//! predicate  := comparison sum | "is" [ "not" ] "null" | [ "not" ] "in" "(" literal { "," literal } ")"
//! comparison := "=" | "<>" | "!=" | "<" | "<=" | ">" | ">="
//! sum        := product { ( "+" | "-" ) product }
//! product    := factor { ( "*" | "/" ) factor }
//! factor     := "-" factor | number | text | "true" | "false" | field | "(" expression ")"
//! literal    := [ "-" ] number | text | "true" | "false"
//! ```

use super::{
    SyntaxError,
    token::{Placed, Token, tokens},
};
use crate::layout::Field;

/// An expression as it is written, before its types are known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    pub(super) node: Node,
    /// Where it begins, in characters from 1.
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Field(Field),
    Literal(Literal),
    Negative(Box<Tree>),
    Arithmetic(Operator, Box<[Tree; 2]>),
    Compare(Comparison, Box<[Tree; 2]>),
    Not(Box<Tree>),
    Both(Connective, Box<[Tree; 2]>),
    IsNull(Box<Tree>),
    In(Box<Tree>, Vec<Literal>),
}

/// A value that stands in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// `true` or `false`.
    Flag(bool),
    /// A finite number.
    Number(f64),
    /// A text, or a date, where one is compared with it.
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connective {
    And,
    Or,
}

/// A longer text is no expression.
pub(super) const LEN_MAX: usize = 4096;

/// So many operators may connect two sides: a chain of them makes a tree that is as deep as it is long,
/// and a call is taken for each level, on the small stacks of threads, too.
pub(super) const OPERATORS_MAX: usize = 300;

/// So deep may parentheses, `not` and signs be nested: each takes a call.
const DEPTH_MAX: usize = 64;

/// Reads an expression.
///
/// # Errors
/// [`SyntaxError`] naming the character at fault.
pub(super) fn parse(text: &str) -> Result<Tree, SyntaxError> {
    if text.len() > LEN_MAX {
        let problem = format!("an expression has at most {LEN_MAX} bytes");
        return Err(SyntaxError::new(1, problem));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
        operators: 0,
    };
    let tree = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(tree),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
    operators: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].token
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    fn advance(&mut self) {
        // The end is never passed.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Word(it) if it == word);
        if is_it {
            self.advance();
        }
        is_it
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Sign(it) if *it == sign);
        if is_it {
            self.advance();
        }
        is_it
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), SyntaxError> {
        match self.take_sign(sign) {
            true => Ok(()),
            false => Err(self.unexpected(sign)),
        }
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        SyntaxError::new(self.at(), format!("{expected} is expected"))
    }

    fn expression(&mut self) -> Result<Tree, SyntaxError> {
        self.connected("or", Connective::Or, Self::all)
    }

    fn all(&mut self) -> Result<Tree, SyntaxError> {
        self.connected("and", Connective::And, Self::one)
    }

    fn connected(
        &mut self,
        word: &str,
        connective: Connective,
        part: fn(&mut Self) -> Result<Tree, SyntaxError>,
    ) -> Result<Tree, SyntaxError> {
        let mut left = part(self)?;
        while self.take_word(word) {
            let right = part(self)?;
            left = self.pair(left, right, |both| Node::Both(connective, both))?;
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Tree, SyntaxError> {
        let at = self.at();
        if self.take_word("not") {
            let inner = Box::new(self.nested(Self::one)?);
            let node = Node::Not(inner);
            return Ok(Tree { node, at });
        }
        let left = self.sum()?;
        self.predicate(left)
    }

    fn predicate(&mut self, left: Tree) -> Result<Tree, SyntaxError> {
        let at = left.at;
        if let Some(comparison) = self.take_comparison() {
            let right = self.sum()?;
            return self.pair(left, right, |both| Node::Compare(comparison, both));
        }
        let (node, is_negated) = if self.take_word("is") {
            let is_negated = self.take_word("not");
            if !self.take_word("null") {
                return Err(self.unexpected("null"));
            }
            (Node::IsNull(Box::new(left)), is_negated)
        } else if self.take_word("in") {
            (Node::In(Box::new(left), self.list()?), false)
        } else if self.take_word("not") {
            if !self.take_word("in") {
                return Err(self.unexpected("in"));
            }
            (Node::In(Box::new(left), self.list()?), true)
        } else {
            return Ok(left);
        };
        let tree = Tree { node, at };
        if !is_negated {
            return Ok(tree);
        }
        let node = Node::Not(Box::new(tree));
        Ok(Tree { node, at })
    }

    fn take_comparison(&mut self) -> Option<Comparison> {
        let Token::Sign(sign) = self.peek() else {
            return None;
        };
        let comparison = match *sign {
            "=" => Comparison::Equal,
            "<>" | "!=" => Comparison::Unequal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.advance();
        Some(comparison)
    }

    fn list(&mut self) -> Result<Vec<Literal>, SyntaxError> {
        self.expect_sign("(")?;
        let mut literals = vec![self.literal()?];
        while self.take_sign(",") {
            literals.push(self.literal()?);
        }
        self.expect_sign(")")?;
        Ok(literals)
    }

    fn literal(&mut self) -> Result<Literal, SyntaxError> {
        let is_negative = self.take_sign("-");
        match self.take_literal() {
            Some(Literal::Number(number)) if is_negative => Ok(Literal::Number(-number)),
            Some(literal) if !is_negative => Ok(literal),
            _ => Err(self.unexpected("a number, a text in single quotes, true or false")),
        }
    }

    fn take_literal(&mut self) -> Option<Literal> {
        let literal = match self.peek() {
            Token::Number(number) => Literal::Number(*number),
            Token::Text(text) => Literal::Text(text.clone()),
            Token::Word(word) if word == "true" => Literal::Flag(true),
            Token::Word(word) if word == "false" => Literal::Flag(false),
            _ => return None,
        };
        self.advance();
        Some(literal)
    }

    fn sum(&mut self) -> Result<Tree, SyntaxError> {
        let signs = [("+", Operator::Add), ("-", Operator::Subtract)];
        self.arithmetic(signs, Self::product)
    }

    fn product(&mut self) -> Result<Tree, SyntaxError> {
        let signs = [("*", Operator::Multiply), ("/", Operator::Divide)];
        self.arithmetic(signs, Self::factor)
    }

    fn arithmetic(
        &mut self,
        signs: [(&str, Operator); 2],
        part: fn(&mut Self) -> Result<Tree, SyntaxError>,
    ) -> Result<Tree, SyntaxError> {
        let mut left = part(self)?;
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| self.take_sign(sign)) {
            let right = part(self)?;
            left = self.pair(left, right, |both| Node::Arithmetic(*operator, both))?;
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Tree, SyntaxError> {
        let at = self.at();
        if self.take_sign("-") {
            let node = Node::Negative(Box::new(self.nested(Self::factor)?));
            return Ok(Tree { node, at });
        }
        if self.take_sign("(") {
            let inner = self.nested(Self::expression)?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        if let Some(literal) = self.take_literal() {
            let node = Node::Literal(literal);
            return Ok(Tree { node, at });
        }
        let Token::Word(word) = self.peek() else {
            return Err(self.unexpected("a field, a number or a text"));
        };
        let Some(field) = Field::named(word) else {
            let problem = match word.as_str() {
                "null" => "a null is found by `is null`".to_owned(),
                word => format!("{word:?} is no field of transactions"),
            };
            return Err(SyntaxError::new(at, problem));
        };
        self.advance();
        let node = Node::Field(field);
        Ok(Tree { node, at })
    }

    fn pair(
        &mut self,
        left: Tree,
        right: Tree,
        node: impl FnOnce(Box<[Tree; 2]>) -> Node,
    ) -> Result<Tree, SyntaxError> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            let problem = format!("at most {OPERATORS_MAX} operators connect two sides");
            return Err(SyntaxError::new(right.at, problem));
        }
        let at = left.at;
        let node = node(Box::new([left, right]));
        Ok(Tree { node, at })
    }

    fn nested(
        &mut self,
        rule: fn(&mut Self) -> Result<Tree, SyntaxError>,
    ) -> Result<Tree, SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let problem = format!("at most {DEPTH_MAX} parentheses, nots and signs are nested");
            return Err(SyntaxError::new(self.at(), problem));
        }
        let tree = rule(self);
        self.depth -= 1;
        tree
    }
}
