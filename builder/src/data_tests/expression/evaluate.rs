//! Expressions over a row: three-valued logic, as in SQL.

use std::{cmp::Ordering, collections::HashSet};

use super::{
    SyntaxError,
    grammar::{self, Comparison, Connective, Literal, Operator},
    types,
};
use crate::{
    data_tests::value::{Record, Type, Value},
    layout::Field,
};

/// A typed expression that is true, false or null of a row.
pub(crate) struct Expression {
    root: Node,
}

/// A part of an expression, of which the types fit.
pub(super) enum Node {
    Field(Field),
    Text(Box<[u8]>),
    Constant(Value<'static>),
    Negative(Box<Node>),
    Arithmetic(Operator, Box<[Node; 2]>),
    Compare(Comparison, Box<[Node; 2]>),
    Not(Box<Node>),
    Both(Connective, Box<[Node; 2]>),
    IsNull(Box<Node>),
    In(Box<Node>, Choices),
}

/// The values of a list.
pub(super) enum Choices {
    Texts(HashSet<Box<[u8]>>),
    Others(Vec<Value<'static>>),
}

impl Choices {
    /// Makes a list of values of one type.
    ///
    /// # Errors
    /// Why a literal is none of them, in words.
    pub(super) fn of(kind: Type, literals: &[Literal]) -> Result<Self, String> {
        if kind != Type::Text {
            let values = literals.iter().map(|it| types::constant(kind, it));
            return values.collect::<Result<_, _>>().map(Self::Others);
        }
        let texts = literals.iter().map(|literal| match literal {
            Literal::Text(text) => Ok(text.as_bytes().into()),
            _ => types::constant(kind, literal).map(|_never| Box::default()),
        });
        texts.collect::<Result<_, _>>().map(Self::Texts)
    }

    /// Returns whether a value is in the list; `None` if that cannot be known.
    fn contains(&self, value: Value<'_>) -> Option<bool> {
        match (self, value) {
            (_, Value::Null) => None,
            (Self::Texts(texts), Value::Text(text)) => Some(texts.contains(text)),
            (Self::Texts(_), _) => Some(false),
            (Self::Others(values), value) => {
                let mut equal = values.iter().map(|it| value.compare(*it));
                let is_known = equal.clone().all(|it| it.is_some());
                match equal.any(|it| it == Some(Ordering::Equal)) {
                    true => Some(true),
                    false => is_known.then_some(false),
                }
            }
        }
    }
}

impl Expression {
    /// Reads an expression that is true or false.
    ///
    /// # Errors
    /// [`SyntaxError`] naming the character at fault.
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let tree = grammar::parse(text)?;
        let root = types::of_type(&tree, Type::Flag)?;
        Ok(Self { root })
    }

    /// Says that a field is not null.
    pub(crate) fn not_null(field: Field) -> Self {
        let is_null = Node::IsNull(Box::new(Node::Field(field)));
        let root = Node::Not(Box::new(is_null));
        Self { root }
    }

    /// Says that a field has one of some values.
    ///
    /// # Errors
    /// Why a value is none of the field's type, in words.
    pub(crate) fn is_in(field: Field, values: &[Literal]) -> Result<Self, String> {
        let choices = Choices::of(Type::of(field), values)?;
        let root = Node::In(Box::new(Node::Field(field)), choices);
        Ok(Self { root })
    }

    /// Says that a field is at least or at most a value.
    ///
    /// # Errors
    /// Why the value is none of the field's type, in words.
    pub(crate) fn bound(
        field: Field,
        comparison: Comparison,
        bound: &Literal,
    ) -> Result<Self, String> {
        let bound = types::constant(Type::of(field), bound)?;
        let both = [Node::Field(field), Node::Constant(bound)];
        let root = Node::Compare(comparison, Box::new(both));
        Ok(Self { root })
    }

    /// Returns whether this is a bound above another one, so that no value is between them.
    pub(crate) fn is_above(&self, upper: &Self) -> bool {
        let limits = self.root.limit().zip(upper.root.limit());
        let order = limits.and_then(|(lower, upper)| lower.compare(upper));
        order.is_some_and(Ordering::is_gt)
    }

    /// Says that both hold.
    pub(crate) fn and(self, other: Self) -> Self {
        let both = Box::new([self.root, other.root]);
        let root = Node::Both(Connective::And, both);
        Self { root }
    }

    /// Returns what the expression is of a row: `None` for null.
    pub(crate) fn of(&self, row: &impl Record) -> Option<bool> {
        self.root.truth(row)
    }

    /// Returns the fields that are named, each once and in their own order.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        self.root.add_fields(&mut fields);
        fields.sort_unstable();
        fields.dedup();
        fields
    }
}

impl Node {
    fn value<'v>(&'v self, row: &'v impl Record) -> Value<'v> {
        match self {
            Self::Field(field) => row.value(*field),
            Self::Text(text) => Value::Text(text),
            Self::Constant(value) => *value,
            Self::Negative(_) | Self::Arithmetic(..) => {
                self.number(row).map_or(Value::Null, Value::number)
            }
            _ => self.truth(row).map_or(Value::Null, Value::Flag),
        }
    }

    /// The number that this is; `None` for null, and for what no double can be.
    fn number(&self, row: &impl Record) -> Option<f64> {
        let number = match self {
            Self::Negative(inner) => -inner.number(row)?,
            Self::Arithmetic(operator, both) => {
                let (left, right) = (both[0].number(row)?, both[1].number(row)?);
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                }
            }
            _ => match self.value(row) {
                Value::Number(number) => number,
                _ => return None,
            },
        };
        number.is_finite().then_some(number)
    }

    /// Returns the constant that something is compared with.
    fn limit(&self) -> Option<Value<'static>> {
        match self {
            Self::Compare(_, both) => match &both[1] {
                Self::Constant(value) => Some(*value),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether this is true or false; `None` for null.
    fn truth(&self, row: &impl Record) -> Option<bool> {
        match self {
            Self::Compare(comparison, both) => {
                let order = both[0].value(row).compare(both[1].value(row))?;
                Some(comparison.holds(order))
            }
            Self::Not(inner) => inner.truth(row).map(|truth| !truth),
            Self::Both(connective, both) => {
                // One side may decide alone, whatever the other is.
                let decides = *connective == Connective::Or;
                match both[0].truth(row) {
                    Some(left) if left == decides => Some(decides),
                    left => match both[1].truth(row) {
                        Some(right) if right == decides => Some(decides),
                        right => left.and(right),
                    },
                }
            }
            Self::IsNull(inner) => Some(matches!(inner.value(row), Value::Null)),
            Self::In(inner, choices) => choices.contains(inner.value(row)),
            Self::Field(_) | Self::Constant(_) => match self.value(row) {
                Value::Flag(flag) => Some(flag),
                _ => None,
            },
            Self::Text(_) | Self::Negative(_) | Self::Arithmetic(..) => None,
        }
    }

    fn add_fields(&self, fields: &mut Vec<Field>) {
        match self {
            Self::Field(field) => fields.push(*field),
            Self::Text(_) | Self::Constant(_) => {}
            Self::Negative(inner) | Self::Not(inner) | Self::IsNull(inner) | Self::In(inner, _) => {
                inner.add_fields(fields);
            }
            Self::Arithmetic(_, both) | Self::Compare(_, both) | Self::Both(_, both) => {
                both.iter().for_each(|node| node.add_fields(fields));
            }
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}
