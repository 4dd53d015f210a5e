//! Layouts: built in, of users, and faulty.

use nightshard_builder::layout::{self, Field, Layout};
use nightshard_builder::row_outcome::{Reason, Rule};

use crate::outcomes::{MINIMAL, Row, read_as};

#[test]
fn the_funda_layout_tells_points_from_instalments() {
    let rows = "store_id,card_id,card_company,transacted_date,transacted_time,installment_term,\
                region,type_of_business,amount\n\
                0,0,b,2016-06-01,13:13,0,,기타 미용업,1857.142857\n\
                0,1,h,2016-06-01,18:12,63,,,857\n0,2,c,2016-06-01,,2,서울 강남구,,-5\n";
    let layout = Layout::builtin("funda").unwrap();
    let outcomes = read_as(&layout, "in.csv", rows.as_bytes()).unwrap();
    assert_eq!(
        outcomes.rejected,
        [(2, Field::AmountMinor, Reason::TooPrecise)]
    );
    let rows: Vec<_> = outcomes.rows.into_iter().map(|(_, row)| row).collect();
    let read = |row: &Row| {
        (
            row.second_of_day,
            row.installments,
            row.points_used,
            row.amount_minor,
        )
    };
    assert_eq!(
        read(&rows[0]),
        (Some(18 * 3600 + 12 * 60), Some(3), true, 8570)
    );
    assert_eq!(read(&rows[1]), (None, Some(2), false, -50));
    assert_eq!(
        (rows[1].currency.as_str(), rows[1].region.as_str()),
        ("KRW", "서울 강남구")
    );
}

#[test]
fn the_payments_layout_takes_the_customer_for_the_card() {
    let rows = "transaction_id,transaction_ts,customer_id,merchant_id,amount,currency,latitude,\
                longitude,device_id,payment_method,is_foreign\n\
                t,2018-03-05T23:30:00+01:00,u,m,12.3,USD,,,d,card,0\n";
    let layout = Layout::builtin("payments").unwrap();
    let outcomes = read_as(&layout, "in.csv", rows.as_bytes()).unwrap();
    let row = &outcomes.rows[0].1;
    assert_eq!((row.store_id.as_str(), row.card_id.as_str()), ("m", "u"));
    assert_eq!(
        (row.amount_minor, row.second_of_day),
        (1230, Some(22 * 3600 + 1800))
    );
}

#[test]
fn layouts_find_columns_by_spelling_fall_back_and_carry() {
    let toml = "delimiter = ';'\ncarry = ['Till', 'Absent']\n[fields]\n\
                store_id = { columns = ['Shop', 'Store Name'], constant = 'none' }\n\
                card_id = { columns = ['Card'], strip = '*x' }\n\
                ts = { columns = ['Date'], formats = ['%d/%m/%Y %H:%M', '%d/%m/%Y'] }\n\
                amount_minor = { columns = ['Billed'], fallback = ['Paid'], factor = 100, \
                decimal = ',', round = true }\n\
                currency = { columns = ['Billed In'], fallback = ['Paid In'], \
                follow_amount = true, constant = 'GBP' }\n\
                status = { columns = ['State'], cancelled = ['void'] }\n";
    let layout = Layout::parse("test", toml).unwrap();
    let rows = "STORE NAME ;Card;Date;Billed;Paid;Paid In;State;Till\n\
                s;**12*;31/12/2018 08:30;1,005;2;usd;;t1\n\
                ;*x;01/01/2019;;-2;usd;;t2\n\
                s;1;01/01/2019;;2;;;t3\n\
                s;1;01/01/2019;1;;;VOID;t4\n\
                s;1;01/31/2019;1;;;;t5\n";
    let outcomes = read_as(&layout, "in.txt", rows.as_bytes()).unwrap();
    assert_eq!(outcomes.excluded, [(5, Rule::Cancelled)]);
    assert_eq!(outcomes.rejected, [(6, Field::Ts, Reason::ImpossibleDate)]);
    let rows: Vec<_> = outcomes.rows.into_iter().map(|(_, row)| row).collect();
    let names = |r: &Row| (r.store_id.clone(), r.card_id.clone(), r.carried.join("/"));
    assert_eq!(names(&rows[0]), ("s".into(), "12".into(), "t1/".into()));
    assert_eq!(
        names(&rows[1]),
        ("none".into(), String::new(), "t2/".into())
    );
    let money = |r: &Row| (r.amount_minor, r.currency.clone(), r.day, r.second_of_day);
    assert_eq!(money(&rows[0]), (101, "GBP".into(), 17896, Some(30_600)));
    assert_eq!(money(&rows[1]), (-200, "USD".into(), 17897, None));
    assert_eq!(money(&rows[2]), (200, "GBP".into(), 17897, None));
}

#[test]
fn the_birmingham_layout_pairs_each_amount_with_its_currency() {
    let text = include_str!("../../../tests/data/birmingham_raw.toml");
    let layout = Layout::parse("birmingham_raw", text).unwrap();
    let money = |header: &str, row: &str| {
        let file = format!(
            "TRANS DATE,MERCHANT NAME,CARD NUMBER,{header}\n\
                            29/04/2014,shell kings 587,************5770,{row}\n"
        );
        let outcomes = read_as(&layout, "2014-04.csv", file.as_bytes()).unwrap();
        let row = &outcomes.rows[0].1;
        assert_eq!(
            (row.card_id.as_str(), row.day, row.second_of_day),
            ("5770", 16_189, None)
        );
        (row.amount_minor, row.currency.clone())
    };
    let billed = "ORIGINAL GROSS AMT,ORIGINAL CUR,BILLING GROSS AMT,BILLING CUR CODE";
    assert_eq!(money(billed, "60.5,EUR,52.32,GBP"), (5232, "GBP".into()));
    let original = "ORIGINAL GROSS AMT,ORIGINAL CUR,TRANS ORIGINAL NET AMT,BILLING CUR CODE";
    assert_eq!(money(original, "60.5,EUR,50,GBP"), (6050, "EUR".into()));
    let twice = "ORIGINAL GROSS AMT,BILLING CUR CODE,BILLING CUR CODE";
    assert_eq!(money(twice, "-60,GBP,USD"), (-6000, "GBP".into()));
    assert_eq!(
        money("ORIGINAL GROSS AMT,Directorates", "0.01,x"),
        (1, "GBP".into())
    );
}

#[test]
fn faulty_layouts_are_refused_with_the_key_at_fault() {
    let refusal = |toml: &str| Layout::parse("my.toml", toml).unwrap_err().to_string();
    let replaced = |from: &str, to: &str| refusal(&MINIMAL.replace(from, to));
    for (message, parts) in [
        (refusal("delimitor = ';'"), ["my.toml, line 1", "delimitor"]),
        (replaced("store_id", "shop_id"), ["line 2", "shop_id"]),
        (
            replaced("columns = ['ts']", "colums = ['ts']"),
            ["line 3", "colums"],
        ),
        (
            replaced("factor = 100", "factor = 0"),
            ["fields.amount_minor", "factor"],
        ),
        (
            replaced("factor = 100", "factor = 100, unit = 'major'"),
            ["fields.amount_minor", "factor stands beside unit"],
        ),
        (
            replaced("factor = 100", "unit = 'cents'"),
            ["line 4", "cents"],
        ),
        (
            replaced("['ts']", "['ts'], unit = 'major'"),
            ["fields.ts", "unit"],
        ),
        (
            replaced("ts = { columns = ['ts'] }\n", ""),
            ["fields.ts", "missing"],
        ),
        (
            replaced("columns = ['store']", "round = true"),
            ["fields.store_id", "round"],
        ),
        (
            replaced("columns = ['store']", ""),
            ["fields.store_id", "neither"],
        ),
        (
            replaced("'EUR'", "'Euro'"),
            ["fields.currency", "capital letters"],
        ),
        (
            replaced("columns = ['store']", r#"constant = "a\nb""#),
            ["fields.store_id", "control"],
        ),
        (
            replaced("['ts']", "['ts'], formats = ['%Q!%']"),
            ["fields.ts", "format"],
        ),
        (
            replaced("['ts']", "['ts'], formats = ['%s']"),
            ["fields.ts", "%s needs a zone"],
        ),
        (
            refusal(&format!(
                "zone = 'UTC'\ntime_precision = 'date'\n{}",
                MINIMAL.replace("['ts']", "['ts'], formats = ['%s']")
            )),
            ["fields.ts", "time_precision"],
        ),
        (
            refusal(&format!("encoding = 'utf-16'\n{MINIMAL}")),
            ["encoding", "convert"],
        ),
        (
            refusal(&format!("encoding = 'x'\n{MINIMAL}")),
            ["encoding", "\"x\": no such"],
        ),
        (
            refusal(&format!("zone = 'Mars'\n{MINIMAL}")),
            ["zone", "\"Mars\": no such"],
        ),
        (
            refusal(&format!("delimiter = 'x'\n{MINIMAL}")),
            ["delimiter", "not a tab"],
        ),
        (
            refusal(&format!("time = {{ columns = ['t'] }}\n{MINIMAL}")),
            ["time", "without date"],
        ),
    ] {
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    let error = Layout::named_or_file("/nowhere.toml").unwrap_err();
    assert!(matches!(error, layout::Error::Read { .. }));
    assert_eq!(Layout::named_or_file("funda").unwrap().name(), "funda");
}
