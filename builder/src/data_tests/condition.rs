//! One condition on rows, in the language of data tests.

use super::{compile, expression::Expression};
use crate::{
    Error, Result,
    layout::{Field, Layout},
    transaction::Transaction,
};

/// The fields that name somebody: what is compared with them would stand in the manifest.
const SECRET: [Field; 3] = [Field::CardId, Field::CustomerId, Field::DeviceId];

/// What is true, false or null of a row, and stands in the manifest.
pub struct Condition {
    text: String,
    expression: Expression,
}

impl Condition {
    /// Reads a condition on rows of `layout`.
    ///
    /// # Errors
    /// [`Error::Option`] naming `option`, for what is no expression, and for fields that the layout lacks or
    /// that name somebody.
    pub fn compile(text: &str, layout: &Layout, option: &'static str) -> Result<Self> {
        let expression = compile::expression(layout, option, text);
        let expression = expression.map_err(|(_, problem)| Error::option(option, problem))?;
        let fields = expression.fields();
        if let Some(secret) = fields.iter().find(|field| SECRET.contains(field)) {
            let secret = secret.as_str();
            let problem = format!("{secret} cannot be asked for: this text stands in manifests");
            return Err(Error::option(option, problem));
        }
        Ok(Self {
            text: text.to_owned(),
            expression,
        })
    }

    /// Returns the condition as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether it is true of a row.
    pub(crate) fn holds(&self, row: &Transaction<'_>) -> bool {
        self.expression.of(row) == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(text: &str) -> Result<Condition> {
        let layout = Layout::named_or_file("canonical").unwrap();
        Condition::compile(text, &layout, "customers.flagged")
    }

    #[test]
    fn what_is_no_condition_or_asks_who_it_was_is_refused_and_not_shown() {
        for (text, words) in [
            ("amount_minor", "character 1: this is a number"),
            ("amount_minor >", "character"),
            ("colour = 'red'", "colour"),
            ("card_id = '4711'", "card_id cannot be asked for"),
            (
                "amount_minor > 5 or customer_id in ('4711')",
                "customer_id cannot be asked for",
            ),
        ] {
            let error = compile(text).err().unwrap().to_string();
            assert!(error.starts_with("customers.flagged: "), "{error}");
            assert!(error.contains(words) && !error.contains("4711"), "{error}");
        }
        let text = "amount_minor > 5 and channel = 'online'";
        assert_eq!(compile(text).unwrap().text(), text);
    }
}
