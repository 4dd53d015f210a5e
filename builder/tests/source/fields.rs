//! Fields to values, and what is wrong with those.

use nightshard_builder::layout::{Field, Layout};
use nightshard_builder::row_outcome::Reason;

use crate::outcomes::{HEADER, MINIMAL, Row, read, read_as, rejects};

#[test]
fn a_canonical_row_is_read_field_by_field() {
    let rows = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,lat,lon,\
                installments,card_company,channel,age_band,gender,segment\n\
                t1, s1 ,c1,1970-01-02T00:01:05,-250,krw,FOOD,SEL,37.5,127.0,3,,card,30,F,x\n\
                ,s2,,1969-12-31,9,USD,,,,,,,,,,\n";
    let outcomes = read(rows).unwrap();
    let (line, mut first) = outcomes.rows[0].clone();
    first.content = 0;
    assert_eq!(line, 2);
    let expected = Row {
        tx_id: "t1".into(),
        store_id: "s1".into(),
        card_id: "c1".into(),
        day: 1,
        second_of_day: Some(65),
        amount_minor: -250,
        currency: "KRW".into(),
        category: "FOOD".into(),
        region: "SEL".into(),
        installments: Some(3),
        ..Row::default()
    };
    assert_eq!(first, expected);
    let (line, mut second) = outcomes.rows[1].clone();
    second.content = 0;
    assert_eq!(line, 3);
    let expected = Row {
        store_id: "s2".into(),
        day: -1,
        amount_minor: 9,
        currency: "USD".into(),
        ..Row::default()
    };
    assert_eq!(second, expected);
}

#[test]
fn every_fault_of_a_field_is_named() {
    let long = "x".repeat(1025);
    for (row, field, reason) in [
        (",c,2018-03-05,1,KRW", Field::StoreId, Reason::Missing),
        ("  ,c,2018-03-05,1,KRW", Field::StoreId, Reason::Missing),
        (
            &format!("{long},c,2018-03-05,1,KRW"),
            Field::StoreId,
            Reason::TooLong,
        ),
        (
            &format!("s,{long},2018-03-05,1,KRW"),
            Field::CardId,
            Reason::TooLong,
        ),
        ("s,c,,1,KRW", Field::Ts, Reason::Missing),
        ("s,c,2018-02-30,1,KRW", Field::Ts, Reason::ImpossibleDate),
        ("s,c,05/03/2018,1,KRW", Field::Ts, Reason::ImpossibleDate),
        ("s,c,0018-03-05,1,KRW", Field::Ts, Reason::DateOutOfRange),
        (
            "s,c,2018-03-05T00:00:00Z,1,KRW",
            Field::Ts,
            Reason::OffsetWithoutZone,
        ),
        ("s,c,2018-03-05,,KRW", Field::AmountMinor, Reason::Missing),
        (
            "s,c,2018-03-05,x,KRW",
            Field::AmountMinor,
            Reason::NotANumber,
        ),
        (
            "s,c,2018-03-05,1.5,KRW",
            Field::AmountMinor,
            Reason::TooPrecise,
        ),
        (
            "s,c,2018-03-05,100000000000001,KRW",
            Field::AmountMinor,
            Reason::Overflow,
        ),
        (
            "s,c,2018-03-05,-9999999999999999999999,KRW",
            Field::AmountMinor,
            Reason::Overflow,
        ),
        ("s,c,2018-03-05,1,", Field::Currency, Reason::Missing),
        (
            "s,c,2018-03-05,1,WON1",
            Field::Currency,
            Reason::NotACurrency,
        ),
        (
            "s,c,2018-03-05,1,K1W",
            Field::Currency,
            Reason::NotACurrency,
        ),
    ] {
        assert_eq!(rejects(row), [(2, field, reason)], "{row}");
    }
    let sound = "s,,2018-03-05,100000000000000,KRW";
    assert_eq!(rejects(&format!("{}{sound}\n{sound}", &long[..0])), []);
    let longest = format!("{},c,2018-03-05,1,KRW", &long[..1024]);
    assert_eq!(rejects(&longest), []);
}

#[test]
fn amounts_in_the_currencys_own_unit_are_scaled_by_it() {
    let header = "transaction_id,transaction_ts,customer_id,merchant_id,amount,currency\n";
    let layout = Layout::builtin("payments").unwrap();
    let outcome = |amount: &str, currency: &str| {
        let rows = format!("{header}t,2018-03-05T12:00:00Z,u,m,{amount},{currency}\n");
        let outcomes = read_as(&layout, "in.csv", rows.as_bytes()).unwrap();
        let amount = outcomes.rows.first().map(|(_, row)| row.amount_minor);
        amount.ok_or_else(|| (outcomes.rejected[0].1, outcomes.rejected[0].2))
    };
    for (amount, currency, minor) in [
        ("500", "JPY", 500),
        ("500.0", "krw", 500),
        ("1.234", "KWD", 1234),
        ("-12.3", "USD", -1230),
        ("7", "EUR", 700),
        ("0.0001", "CLF", 1),
    ] {
        assert_eq!(outcome(amount, currency), Ok(minor), "{amount} {currency}");
    }
    let too_precise = Err((Field::AmountMinor, Reason::TooPrecise));
    for (amount, currency) in [("500.5", "JPY"), ("1.2345", "KWD"), ("1.234", "USD")] {
        assert_eq!(
            outcome(amount, currency),
            too_precise,
            "{amount} {currency}"
        );
    }
    let no_currency = (Field::Currency, Reason::NotACurrency);
    assert_eq!(outcome("x", "YEN?"), Err(no_currency));
    // A factor is the same for all currencies.
    let fixed = MINIMAL.replace("constant = 'EUR'", "columns = ['currency']");
    let fixed = Layout::parse("test", &fixed).unwrap();
    let rows = b"store,ts,amount,currency\ns,2018-03-05,500,JPY\n";
    let outcomes = read_as(&fixed, "in.csv", rows).unwrap();
    assert_eq!(outcomes.rows[0].1.amount_minor, 50_000);
}

#[test]
fn content_depends_on_values_not_on_how_they_are_written() {
    let content = |header: &str, row: &str| {
        read(format!("{header}\n{row}\n")).unwrap().rows[0]
            .1
            .content
    };
    let header = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,gender";
    let first = content(header, "t,s,c,2018-03-05T00:00:00,5,KRW,ab,c,");
    let turned = "gender,region,x,category,currency,amount_minor,ts,card_id,store_id,tx_id";
    let other = content(turned, ",\"c\",?,ab,krw, 05 ,2018-03-05 00:00,c,s,t");
    assert_eq!(first, other);
    for different in [
        "t,s,c,2018-03-05T00:00:00,5,KRW,a,bc,",
        "t,s,c,2018-03-05T00:00:00,5,KRW,ab,,c",
        "t,s,c,2018-03-05,5,KRW,ab,c,",
        "t,s,c,2018-03-05T00:00:00,-5,KRW,ab,c,",
        ",s,c,2018-03-05T00:00:00,5,KRW,ab,c,",
    ] {
        assert_ne!(content(header, different), first, "{different}");
    }
}

#[test]
fn the_spelling_of_a_number_a_flag_or_a_date_is_no_content() {
    let header = "tx_id,store_id,card_id,ts,amount_minor,currency,lat,lon,points_used,fee_minor,\
                  deposit_minor,settles_on,is_foreign,installments,age_band\n";
    let content = |row: &str| {
        let outcomes = read(format!("{header}t,s,c,2018-03-05,5,KRW,{row}\n")).unwrap();
        outcomes.rows[0].1.content
    };
    let plain = content("52.5,-0.13,0,5,1000,2018-03-07,1,3,30");
    for alike in [
        "52.50,-.130,0.0,5.0,1e3,2018-03-07T00:00:00,true,3.0,30",
        "+52.5,-00.13,-0,05,1000.,2018-03-07 12:00,Y,03,30",
    ] {
        assert_eq!(content(alike), plain, "{alike}");
    }
    for different in [
        "52.51,-0.13,0,5,1000,2018-03-07,1,3,30",
        "52.5,0.13,0,5,1000,2018-03-07,1,3,30",
        "52.5,-0.13,,5,1000,2018-03-07,1,3,30",
        "52.5,-0.13,0,50,1000,2018-03-07,1,3,30",
        "52.5,-0.13,0,5,100,2018-03-07,1,3,30",
        "52.5,-0.13,0,5,1000,2018-03-08,1,3,30",
        "52.5,-0.13,0,5,1000,2018-03-07,0,3,30",
        "52.5,-0.13,0,5,1000,2018-03-07,1,3,30.0",
    ] {
        assert_ne!(content(different), plain, "{different}");
    }
}

#[test]
fn a_term_is_a_whole_number_however_it_is_spelled() {
    let header = HEADER.replace('\n', ",installments\n");
    let term = |term: &str| {
        let outcomes = read(format!("{header}s,c,2018-03-05,1,KRW,{term}\n")).unwrap();
        let row = outcomes.rows.into_iter().next();
        row.map(|(_, row)| row.installments)
            .ok_or_else(|| outcomes.rejected[0])
    };
    for (text, months) in [("3", 3), ("3.0", 3), ("12.00", 12), ("+3", 3), ("036", 36)] {
        assert_eq!(term(text), Ok(Some(months)), "{text}");
    }
    assert_eq!(term(""), Ok(None));
    for text in ["3.5", "-3", "x", "70000", ".", "3.0.0"] {
        let fault = (2, Field::Installments, Reason::NotANumber);
        assert_eq!(term(text), Err(fault), "{text}");
    }
}
