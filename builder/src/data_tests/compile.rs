//! Declared tests to tests that can be run: every name is looked up and every type checked before a
//! row is read.

use std::collections::HashSet;

use super::{
    Check, DataTests, Definition, Test,
    expression::{Comparison, Expression, Literal},
    reference::ReferenceKeys,
    value::Type,
};
use crate::{Error, Result, layout::Field, layout::Layout};

/// The longest name of a test, in bytes.
const NAME_LEN_MAX: usize = 200;

/// More tests are no configuration: each may have 20 places in a report.
const TESTS_MAX: usize = 1000;

/// The tests, and the keys that belong to each beside those of all.
const TESTS: [(&str, &[&str]); 6] = [
    ("unique", &["column", "columns"]),
    ("not_null", &["column"]),
    ("accepted_values", &["column", "values"]),
    ("range", &["column", "min", "max"]),
    ("references", &["column", "file", "file_column"]),
    ("expression", &["expression"]),
];

/// What is wrong with a test: the key at fault, and why.
pub(super) type Fault = (&'static str, String);

impl DataTests {
    /// Makes tests of what the configuration declares, for rows of `layout`; `seed` keys the hashes of
    /// values.
    ///
    /// # Errors
    /// [`Error::Option`] naming the test and the key at fault.
    pub fn compile(definitions: &[Definition], layout: &Layout, seed: u64) -> Result<Self> {
        if definitions.len() > TESTS_MAX {
            let problem = format!("{} are more than {TESTS_MAX}", definitions.len());
            return Err(Error::option("data_tests", problem));
        }
        let mut names = HashSet::new();
        let mut tests = Vec::with_capacity(definitions.len());
        for (ordinal, definition) in definitions.iter().enumerate() {
            let compiler = Compiler {
                definition,
                layout,
                seed,
            };
            let compiled = compiler
                .test()
                .and_then(|test| match names.insert(test.name.clone()) {
                    true => Ok(test),
                    false => Err(("name", "another test has it, too".to_owned())),
                });
            tests.push(compiled.map_err(|(key, problem)| {
                let name = definition.name.as_ref();
                let name =
                    name.map_or_else(|| (ordinal + 1).to_string(), |name| format!("{name:?}"));
                Error::option("data_tests", format!("test {name}: {key}: {problem}"))
            })?);
        }
        Ok(Self { tests, seed })
    }
}

struct Compiler<'a> {
    definition: &'a Definition,
    layout: &'a Layout,
    seed: u64,
}

impl Compiler<'_> {
    fn test(&self) -> Result<Test, Fault> {
        let definition = self.definition;
        let kind = self.kind()?;
        let (columns, check) = self.check(kind)?;
        let filter = definition.filter.as_deref();
        let filter = filter
            .map(|text| self.expression("where", text))
            .transpose()?;
        if let Some(share) = definition.max_share
            && !(0.0..=1.0).contains(&share)
        {
            return Err(("max_share", "a share is from 0 to 1".to_owned()));
        }
        let columns: Vec<String> = columns.iter().map(|it| it.as_str().to_owned()).collect();
        Ok(Test {
            name: self.name(kind, &columns)?,
            kind,
            columns,
            severity: definition.severity,
            max_failures: definition.max_failures,
            max_share: definition.max_share,
            filter,
            check,
        })
    }

    fn name(&self, kind: &str, columns: &[String]) -> Result<String, Fault> {
        let name = match &self.definition.name {
            Some(name) => name.clone(),
            None => format!("{kind}({})", columns.join(", ")),
        };
        let is_sound = (1..=NAME_LEN_MAX).contains(&name.trim().len());
        match is_sound && !name.contains(char::is_control) {
            true => Ok(name),
            false => {
                let problem = format!("a name is a line of 1 to {NAME_LEN_MAX} bytes");
                Err(("name", problem))
            }
        }
    }

    /// Returns the test that is declared, of which no key stands that belongs to another one.
    fn kind(&self) -> Result<&'static str, Fault> {
        let names = || TESTS.map(|(name, _)| name).join(", ");
        let Some(test) = &self.definition.test else {
            return Err(("test", format!("is missing: one of {}", names())));
        };
        let Some((kind, keys)) = TESTS.into_iter().find(|(name, _)| name == test) else {
            return Err(("test", format!("{test:?} is none of {}", names())));
        };
        let definition = self.definition;
        let present = [
            ("column", definition.column.is_some()),
            ("columns", definition.columns.is_some()),
            ("values", definition.values.is_some()),
            ("min", definition.min.is_some()),
            ("max", definition.max.is_some()),
            ("file", definition.file.is_some()),
            ("file_column", definition.file_column.is_some()),
            ("expression", definition.expression.is_some()),
        ];
        let is_foreign = |(key, is_there): &(&'static str, bool)| *is_there && !keys.contains(key);
        match present.iter().find(|it| is_foreign(it)) {
            Some((key, _)) => Err((key, format!("does not belong to the test {kind}"))),
            None => Ok(kind),
        }
    }

    fn check(&self, kind: &str) -> Result<(Vec<Field>, Check), Fault> {
        if kind == "expression" {
            let text = required("expression", self.definition.expression.as_deref())?;
            let expression = self.expression("expression", text)?;
            return Ok((expression.fields(), Check::Holds(expression)));
        }
        if kind == "unique" {
            let fields = self.fields()?;
            return Ok((fields.clone(), Check::Unique(fields)));
        }
        let column = required("column", self.definition.column.as_deref())?;
        let field = self.field("column", column)?;
        let check = match kind {
            "not_null" => Check::Holds(Expression::not_null(field)),
            "accepted_values" => Check::Holds(self.accepted_values(field)?),
            "range" => Check::Holds(self.range(field)?),
            _ => self.references(field)?,
        };
        Ok((vec![field], check))
    }

    /// Returns the fields of `column` or `columns`.
    fn fields(&self) -> Result<Vec<Field>, Fault> {
        match (&self.definition.column, &self.definition.columns) {
            (Some(_), Some(_)) => Err(("columns", "stands beside column".to_owned())),
            (None, Some(names)) if names.is_empty() => {
                Err(("columns", "at least one is needed".to_owned()))
            }
            (None, Some(names)) => {
                let mut fields = Vec::with_capacity(names.len());
                for name in names {
                    let field = self.field("columns", name)?;
                    if fields.contains(&field) {
                        return Err(("columns", format!("{name:?} stands twice")));
                    }
                    fields.push(field);
                }
                Ok(fields)
            }
            (column, None) => {
                let column = required("column", column.as_deref())?;
                Ok(vec![self.field("column", column)?])
            }
        }
    }

    /// Returns the field of a name, which the layout has.
    fn field(&self, key: &'static str, name: &str) -> Result<Field, Fault> {
        let field = Field::named(name);
        let field = field.ok_or_else(|| {
            let known = "docs/layouts.md lists them";
            (
                key,
                format!("{name:?} is no field of transactions: {known}"),
            )
        })?;
        check_field(self.layout, key, field)?;
        Ok(field)
    }

    fn expression(&self, key: &'static str, text: &str) -> Result<Expression, Fault> {
        expression(self.layout, key, text)
    }

    fn accepted_values(&self, field: Field) -> Result<Expression, Fault> {
        let values = required("values", self.definition.values.as_ref())?;
        let values = values.iter().map(|value| literal("values", value));
        let values: Vec<Literal> = values.collect::<Result<_, _>>()?;
        if values.is_empty() {
            return Err(("values", "at least one is needed".to_owned()));
        }
        let expression = Expression::is_in(field, &values);
        expression.map_err(|problem| ("values", of_field(field, &problem)))
    }

    fn range(&self, field: Field) -> Result<Expression, Fault> {
        if !matches!(Type::of(field), Type::Number | Type::Day | Type::Time) {
            let problem = format!("{} is neither a number nor a date", field.as_str());
            return Err(("column", problem));
        }
        let bound = |key, comparison, value: &Option<toml::Value>| {
            let Some(value) = value else {
                return Ok(None);
            };
            let bound = Expression::bound(field, comparison, &literal(key, value)?);
            let bound = bound.map_err(|problem| (key, of_field(field, &problem)));
            bound.map(Some)
        };
        let min = bound("min", Comparison::GreaterOrEqual, &self.definition.min)?;
        let max = bound("max", Comparison::LessOrEqual, &self.definition.max)?;
        match (min, max) {
            (Some(min), Some(max)) if min.is_above(&max) => {
                Err(("min", "is above max: no value is between them".to_owned()))
            }
            (Some(min), Some(max)) => Ok(min.and(max)),
            (min, max) => min
                .or(max)
                .ok_or_else(|| ("min", "is missing, and so is max".to_owned())),
        }
    }

    fn references(&self, field: Field) -> Result<Check, Fault> {
        if Type::of(field) != Type::Text {
            let problem = format!("{} is no text", field.as_str());
            return Err(("column", problem));
        }
        let file = required("file", self.definition.file.as_ref())?;
        let column = self.definition.file_column.as_deref();
        let column = column.unwrap_or(field.as_str());
        let keys = ReferenceKeys::read(file, column, self.seed);
        let keys = keys.map_err(|problem| ("file", problem))?;
        Ok(Check::References(field, keys))
    }
}

/// Checks that the layout has a field: of one that it has not every value would be null.
fn check_field(layout: &Layout, key: &'static str, field: Field) -> Result<(), Fault> {
    let is_mapped = match field {
        Field::Ts => true,
        Field::PointsUsed => {
            let installments = layout.field(Field::Installments);
            layout.field(field).is_some()
                || installments.is_some_and(|column| column.points_from.is_some())
        }
        field => layout.field(field).is_some(),
    };
    match is_mapped {
        true => Ok(()),
        false => {
            let (layout, field) = (layout.name(), field.as_str());
            Err((key, format!("the layout {layout} has no field {field:?}")))
        }
    }
}

/// Reads an expression over fields that the layout has.
pub(super) fn expression(
    layout: &Layout,
    key: &'static str,
    text: &str,
) -> Result<Expression, Fault> {
    let expression = Expression::parse(text).map_err(|error| (key, error.to_string()))?;
    for field in expression.fields() {
        check_field(layout, key, field)?;
    }
    Ok(expression)
}

fn required<T>(key: &'static str, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| (key, "is missing".to_owned()))
}

fn of_field(field: Field, problem: &str) -> String {
    let kind = Type::of(field).as_str();
    format!("{} is {kind}: {problem}", field.as_str())
}

/// Reads a value of TOML.
fn literal(key: &'static str, value: &toml::Value) -> Result<Literal, Fault> {
    match value {
        toml::Value::String(text) => Ok(Literal::Text(text.clone())),
        #[expect(
            clippy::cast_precision_loss,
            reason = "beyond 2^53 values are rounded, too"
        )]
        toml::Value::Integer(number) => Ok(Literal::Number(*number as f64)),
        toml::Value::Float(number) if number.is_finite() => Ok(Literal::Number(*number)),
        toml::Value::Boolean(flag) => Ok(Literal::Flag(*flag)),
        toml::Value::Datetime(date) => Ok(Literal::Text(date.to_string())),
        _ => Err((
            key,
            "a value is a text, a number, a date, true or false".to_owned(),
        )),
    }
}
