//! The types of an expression: what may be compared, added and connected.

use super::{
    SyntaxError,
    evaluate::{Choices, Node as Typed},
    grammar::{Literal, Node, Tree},
};
use crate::{
    data_tests::value::{Type, Value},
    source::iso_local,
};

/// Gives a tree its types.
///
/// # Errors
/// [`SyntaxError`] naming the character at which types do not fit.
pub(super) fn typed(tree: &Tree) -> Result<(Typed, Type), SyntaxError> {
    let boxed = |tree: &Tree, wanted| of_type(tree, wanted).map(Box::new);
    Ok(match &tree.node {
        Node::Field(field) => (Typed::Field(*field), Type::of(*field)),
        Node::Literal(literal) => of_literal(literal),
        Node::Negative(inner) => {
            let inner = boxed(inner, Type::Number)?;
            (Typed::Negative(inner), Type::Number)
        }
        Node::Arithmetic(operator, both) => {
            let [left, right] = &**both;
            let left = of_type(left, Type::Number)?;
            let right = of_type(right, Type::Number)?;
            let node = Typed::Arithmetic(*operator, Box::new([left, right]));
            (node, Type::Number)
        }
        Node::Compare(comparison, both) => {
            let both = comparable(&both[0], &both[1])?;
            (Typed::Compare(*comparison, Box::new(both)), Type::Flag)
        }
        Node::Not(inner) => (Typed::Not(boxed(inner, Type::Flag)?), Type::Flag),
        Node::Both(connective, both) => {
            let [left, right] = &**both;
            let left = of_type(left, Type::Flag)?;
            let right = of_type(right, Type::Flag)?;
            let node = Typed::Both(*connective, Box::new([left, right]));
            (node, Type::Flag)
        }
        Node::IsNull(inner) => (Typed::IsNull(Box::new(typed(inner)?.0)), Type::Flag),
        Node::In(inner, literals) => {
            let (inner, kind) = typed(inner)?;
            let choices = Choices::of(kind, literals)
                .map_err(|problem| SyntaxError::new(tree.at, problem))?;
            (Typed::In(Box::new(inner), choices), Type::Flag)
        }
    })
}

/// Returns a tree that is of the type wanted.
pub(super) fn of_type(tree: &Tree, wanted: Type) -> Result<Typed, SyntaxError> {
    match typed(tree)? {
        (node, kind) if kind == wanted => Ok(node),
        (_, kind) => {
            let problem = format!(
                "this is {}, and {} is expected",
                kind.as_str(),
                wanted.as_str()
            );
            Err(SyntaxError::new(tree.at, problem))
        }
    }
}

/// Returns two trees that can be compared: of one type, dates and times with each other, and a
/// text with either that is a date.
fn comparable(left: &Tree, right: &Tree) -> Result<[Typed; 2], SyntaxError> {
    let (left_node, left_type) = typed(left)?;
    let (right_node, right_type) = typed(right)?;
    let is_date = |kind| matches!(kind, Type::Day | Type::Time);
    if left_type == right_type || (is_date(left_type) && is_date(right_type)) {
        return Ok([left_node, right_node]);
    }
    let problem = || {
        let (left, right) = (left_type.as_str(), right_type.as_str());
        format!("{left} and {right} cannot be compared")
    };
    match (&left.node, &right.node) {
        (_, Node::Literal(literal @ Literal::Text(_))) if is_date(left_type) => {
            let date = constant(left_type, literal);
            let date = date.map_err(|problem| SyntaxError::new(right.at, problem))?;
            Ok([left_node, Typed::Constant(date)])
        }
        (Node::Literal(literal @ Literal::Text(_)), _) if is_date(right_type) => {
            let date = constant(right_type, literal);
            let date = date.map_err(|problem| SyntaxError::new(left.at, problem))?;
            Ok([Typed::Constant(date), right_node])
        }
        _ => Err(SyntaxError::new(left.at, problem())),
    }
}

fn of_literal(literal: &Literal) -> (Typed, Type) {
    match literal {
        Literal::Flag(flag) => (Typed::Constant(Value::Flag(*flag)), Type::Flag),
        Literal::Number(number) => (Typed::Constant(Value::Number(*number)), Type::Number),
        Literal::Text(text) => (Typed::Text(text.as_bytes().into()), Type::Text),
    }
}

/// Returns a literal as a value of another type than text.
///
/// # Errors
/// Why it is none, in words.
pub(super) fn constant(kind: Type, literal: &Literal) -> Result<Value<'static>, String> {
    let found = match (kind, literal) {
        (Type::Number, Literal::Number(number)) => Some(Value::Number(*number)),
        (Type::Flag, Literal::Flag(flag)) => Some(Value::Flag(*flag)),
        (Type::Day, Literal::Text(text)) => match iso_local(text.as_bytes()) {
            Some((day, None)) => Some(Value::Day(day)),
            _ => None,
        },
        // A date alone stands for all of its hours.
        (Type::Time, Literal::Text(text)) => match iso_local(text.as_bytes()) {
            Some((day, None)) => Some(Value::Day(day)),
            Some((day, second)) => Some(Value::Time(day, second)),
            None => None,
        },
        _ => None,
    };
    found.ok_or_else(|| {
        let wanted = match kind {
            Type::Text => "a text",
            Type::Number => "a number",
            Type::Flag => "true or false",
            Type::Day => "a date such as '2018-03-05'",
            Type::Time => "a local date or time such as '2018-03-05' or '2018-03-05T19:10:00'",
        };
        format!("{wanted} is expected")
    })
}
