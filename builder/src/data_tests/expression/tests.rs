//! Expressions, against what SQL says and against an oracle of random ones.

use std::collections::HashMap;

use proptest::prelude::*;

use super::Expression;
use crate::{
    data_tests::value::{Record, Value},
    layout::Field,
};

/// A row of some values; all others are null.
#[derive(Default)]
struct Row(HashMap<Field, Value<'static>>);

impl Record for Row {
    fn value(&self, field: Field) -> Value<'_> {
        self.0.get(&field).copied().unwrap_or(Value::Null)
    }
}

fn row(values: &[(Field, Value<'static>)]) -> Row {
    Row(values.iter().copied().collect())
}

fn payment() -> Row {
    row(&[
        (Field::StoreId, Value::Text(b"bar")),
        (Field::Region, Value::Text("Gangnam's".as_bytes())),
        (Field::AmountMinor, Value::Number(1_200.0)),
        (Field::FeeMinor, Value::Number(-24.0)),
        (Field::IsForeign, Value::Flag(false)),
        (Field::Ts, Value::Time(17_595, Some(69_000))),
        (Field::SettlesOn, Value::Day(17_597)),
    ])
}

fn of(text: &str) -> Option<bool> {
    let expression = Expression::parse(text);
    expression
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .of(&payment())
}

#[test]
fn expressions_say_what_sql_says() {
    for (text, expected) in [
        ("amount_minor = 1200", Some(true)),
        ("amount_minor + fee_minor * 2 = 1152", Some(true)),
        ("(amount_minor + fee_minor) * 2 = 2352", Some(true)),
        ("amount_minor - 100 - 100 = 1000", Some(true)),
        ("-fee_minor / amount_minor <= 0.02", Some(true)),
        ("1 - -1 = 2", Some(true)),
        ("store_id = 'bar' and not is_foreign", Some(true)),
        ("STORE_ID = 'bar' AND NOT is_foreign", Some(true)),
        ("not store_id = 'bar' or is_foreign", Some(false)),
        ("region = 'Gangnam''s'", Some(true)),
        ("store_id <> 'bar'", Some(false)),
        ("store_id in ('foo', 'bar')", Some(true)),
        ("store_id not in ('foo', 'bar')", Some(false)),
        ("amount_minor in (-1, 1200.0)", Some(true)),
        ("is_foreign in (true)", Some(false)),
        ("card_id is null", Some(true)),
        ("store_id is not null", Some(true)),
        // Null is neither equal nor unequal, and one side may decide alone.
        ("card_id = 'x'", None),
        ("card_id <> 'x'", None),
        ("card_id in ('x')", None),
        ("not card_id = 'x'", None),
        ("card_id = 'x' or store_id = 'bar'", Some(true)),
        ("card_id = 'x' and store_id = 'bar'", None),
        ("card_id = 'x' and store_id = 'foo'", Some(false)),
        ("lat + 1 > 0", None),
        ("amount_minor / 0 > 0", None),
        ("(amount_minor / 0) is null", Some(true)),
        ("(card_id = 'x') is null", Some(true)),
        // A time and a date are compared by the date, two times by the hours as well.
        ("ts = '2018-03-05'", Some(true)),
        ("ts <= '2018-03-04'", Some(false)),
        ("'2018-03-05T19:09:59' < ts", Some(true)),
        ("ts = '2018-03-05T19:10:00'", Some(true)),
        ("settles_on > ts", Some(true)),
        ("settles_on in ('2018-03-07')", Some(true)),
        ("ts in ('2018-03-05', '2018-03-06')", Some(true)),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn hours_that_are_not_known_decide_nothing() {
    let date_alone = row(&[(Field::Ts, Value::Time(17_595, None))]);
    for (text, expected) in [
        ("ts >= '2018-03-05'", Some(true)),
        ("ts >= '2018-03-05T00:00:00'", None),
        ("ts >= '2018-03-04T23:00:00'", Some(true)),
        ("ts in ('2018-03-05T00:00:00', '2018-03-05')", Some(true)),
        ("ts in ('2018-03-05T00:00:00', '2018-03-06')", None),
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.of(&date_alone), expected, "{text}");
    }
}

#[test]
fn what_is_no_expression_is_named_by_its_character() {
    for (text, problem) in [
        ("", "character 1: a field, a number or a text is expected"),
        ("amount_minor >", "character 15: a field"),
        ("amount_minor > 0 0", "character 18: an operator or the end"),
        ("amount > 0", "character 1: \"amount\" is no field"),
        ("amount_minor == 0", "character 14: equal is written ="),
        (
            "store_id = \"bar\"",
            "character 12: a text stands in single quotes",
        ),
        ("é = 1", "character 1: no such sign"),
        (
            "store_id = 'bar",
            "character 12: the text has no closing quote",
        ),
        (
            "card_id = null",
            "character 11: a null is found by `is null`",
        ),
        ("(amount_minor > 0", "character 18: ) is expected"),
        ("amount_minor in ()", "character 18: a number, a text"),
        (
            "amount_minor in (1, store_id)",
            "character 21: a number, a text",
        ),
        ("amount_minor not 1", "character 18: in is expected"),
        ("amount_minor is 1", "character 17: null is expected"),
        ("1.", "character 1: a number is digits"),
        ("1e5 > 0", "character 1: a number is digits"),
        (
            "amount_minor",
            "character 1: this is a number, and true or false is expected",
        ),
        (
            "amount_minor = '1'",
            "character 1: a number and a text cannot be compared",
        ),
        (
            "store_id + 1 = 2",
            "character 1: this is a text, and a number is expected",
        ),
        ("not store_id", "character 5: this is a text"),
        (
            "is_foreign = 1",
            "character 1: true or false and a number cannot be compared",
        ),
        (
            "ts > '2018-02-30'",
            "character 6: a local date or time such as",
        ),
        (
            "ts > '2018-03-05T10:00:00Z'",
            "character 6: a local date or time such as",
        ),
        (
            "settles_on > '2018-03-05T10:00:00'",
            "character 14: a date such as",
        ),
        ("ts in (1)", "character 1: a local date or time such as"),
        ("store_id in ('a', 1)", "character 1: a text is expected"),
        ("a = b = c", "character 1: \"a\" is no field"),
    ] {
        let error = Expression::parse(text).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{text}"));
        assert!(error.starts_with(problem), "{text}: {error}");
    }
}

#[test]
fn what_is_nested_too_deeply_or_too_long_is_refused() {
    for (start, end) in [("(", ")"), ("not ", ""), ("-", "")] {
        let nested = |depth: usize| {
            let inner = if start == "-" { "1" } else { "is_foreign" };
            let tail = if start == "-" { " > 0" } else { "" };
            format!("{}{inner}{}{tail}", start.repeat(depth), end.repeat(depth))
        };
        assert!(Expression::parse(&nested(64)).is_ok());
        let error = Expression::parse(&nested(65)).err().unwrap().to_string();
        assert!(error.contains("at most 64"), "{error}");
    }
    let long = |terms: usize| vec!["is_foreign"; terms].join(" or ");
    assert_eq!(
        Expression::parse(&long(290)).unwrap().of(&payment()),
        Some(false)
    );
    let error = Expression::parse(&long(300)).err().unwrap().to_string();
    assert!(error.contains("at most 4096 bytes"), "{error}");
}

/// A sum of 2,000 numbers overflowed the stack of a thread.
#[test]
fn a_chain_is_as_long_as_a_small_stack_bears() {
    let bears = || {
        let chain = |sign: &str, len: usize| vec!["1"; len].join(sign) + " > 0";
        for sign in ["+", "*"] {
            let longest = Expression::parse(&chain(sign, 300)).unwrap();
            assert_eq!(longest.of(&payment()), Some(true));
            for len in [301, 2_045] {
                let error = Expression::parse(&chain(sign, len)).err().unwrap();
                assert!(error.to_string().contains("at most 300 operators"));
            }
        }
    };
    // A quarter of what threads have.
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    thread.spawn(bears).unwrap().join().unwrap();
}

/// A random expression, as text and as what it is of a row.
#[derive(Debug, Clone)]
struct Random<T> {
    text: String,
    value: Option<T>,
}

/// Random numbers: those of a row whose fields are `known`, and what is computed of them.
fn numbers(known: [Option<f64>; 2]) -> impl Strategy<Value = Random<f64>> {
    let field = |name: &str, value| Random {
        text: name.to_owned(),
        value,
    };
    let leaf = prop_oneof![
        Just(field("amount_minor", known[0])),
        Just(field("fee_minor", known[1])),
        (0..50_u32).prop_map(|it| Random {
            text: it.to_string(),
            value: Some(it.into())
        }),
        (0..50_u32).prop_map(|it| Random {
            text: format!("{it}.25"),
            value: Some(f64::from(it) + 0.25),
        }),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let both = (inner.clone(), inner.clone(), 0..4_usize);
        prop_oneof![
            inner.prop_map(|it| Random {
                text: format!("-({})", it.text),
                value: it.value.map(|it| -it),
            }),
            both.prop_map(|(left, right, operator)| {
                let sign = ["+", "-", "*", "/"][operator];
                let value = left.value.zip(right.value).map(|(left, right)| match sign {
                    "+" => left + right,
                    "-" => left - right,
                    "*" => left * right,
                    _ => left / right,
                });
                Random {
                    text: format!("({}{sign} {})", left.text, right.text),
                    value: value.filter(|it| it.is_finite()),
                }
            }),
        ]
    })
}

fn truths(known: [Option<f64>; 2]) -> impl Strategy<Value = Random<bool>> {
    let compared = (numbers(known), numbers(known), 0..6_usize).prop_map(|(left, right, sign)| {
        let sign = ["=", "<>", "<", "<=", ">", ">="][sign];
        let value = left.value.zip(right.value).map(|(left, right)| match sign {
            "=" => left == right,
            "<>" => left != right,
            "<" => left < right,
            "<=" => left <= right,
            ">" => left > right,
            _ => left >= right,
        });
        Random {
            text: format!("{} {sign} {}", left.text, right.text),
            value,
        }
    });
    let listed = (
        numbers(known),
        prop::collection::vec(0..5_u32, 1..4),
        any::<bool>(),
    );
    let listed = listed.prop_map(|(it, list, is_negated)| {
        let texts: Vec<String> = list.iter().map(u32::to_string).collect();
        let word = if is_negated { "not in" } else { "in" };
        Random {
            text: format!("{} {word} ({})", it.text, texts.join(",")),
            value: it
                .value
                .map(|it| list.iter().any(|one| f64::from(*one) == it) != is_negated),
        }
    });
    let null = numbers(known).prop_map(|it| Random {
        text: format!("{} is null", it.text),
        value: Some(it.value.is_none()),
    });
    prop_oneof![compared, listed, null].prop_recursive(4, 24, 2, |inner| {
        let both = (inner.clone(), inner.clone(), any::<bool>());
        prop_oneof![
            inner.prop_map(|it| Random {
                text: format!("not ({})", it.text),
                value: it.value.map(|it| !it),
            }),
            both.prop_map(|(left, right, is_and)| {
                let word = if is_and { "and" } else { "or" };
                // Three values: false < null < true, of which "and" is the least.
                let rank = |value: Option<bool>| value.map_or(1, |it| if it { 2 } else { 0 });
                let ranks = [rank(left.value), rank(right.value)];
                let rank = if is_and {
                    ranks.iter().min()
                } else {
                    ranks.iter().max()
                };
                Random {
                    text: format!("({}) {word} ({})", left.text, right.text),
                    value: [Some(false), None, Some(true)][*rank.unwrap()],
                }
            }),
        ]
    })
}

fn known() -> impl Strategy<Value = [Option<f64>; 2]> {
    let number = || prop::option::weighted(0.8, (-20..20_i32).prop_map(f64::from));
    [number(), number()]
}

proptest! {
    #[test]
    fn random_expressions_are_what_the_oracle_says(
        (known, random) in known().prop_flat_map(|known| (Just(known), truths(known)))
    ) {
        let number = |value: Option<f64>| value.map_or(Value::Null, Value::Number);
        let row = row(&[
            (Field::AmountMinor, number(known[0])),
            (Field::FeeMinor, number(known[1])),
        ]);
        match Expression::parse(&random.text) {
            Ok(expression) => prop_assert_eq!(expression.of(&row), random.value, "{}", random.text),
            Err(error) => prop_assert!(random.text.len() > 4_096, "{}: {error}", random.text),
        }
    }

    #[test]
    fn words_and_signs_in_any_order_never_panic(
        parts in prop::collection::vec(
            prop_oneof![
                "and|or|not|in|is|null|true|amount_minor|ts|store_id|is_foreign",
                "[-+*/=<>(),!.]|<=|'a'|'2018-01-01'|[0-9]{1,3}",
                "\\PC{0,3}",
            ],
            0..12,
        )
    ) {
        if let Ok(expression) = Expression::parse(&parts.join(" ")) {
            expression.of(&payment());
        }
    }
}
