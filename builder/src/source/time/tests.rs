use proptest::prelude::*;

use super::*;

fn layout(head: &str, ts: &str) -> Layout {
    let rest = "[fields]\nstore_id={columns=['s']}\namount_minor={columns=['a']}\n\
                currency={constant='EUR'}\n";
    Layout::parse("test", &format!("{head}\n{rest}{ts}")).unwrap()
}

fn reader(toml: &str) -> TimeReader {
    TimeReader::new(&layout(toml, "ts={columns=['t']}"))
}

fn moment(toml: &str, text: &str) -> Result<(String, Option<u32>), Reason> {
    let moment = reader(toml).moment(text.as_bytes())?;
    let days = jiff::Span::new().days(moment.day);
    Ok((
        jiff::civil::date(1970, 1, 1)
            .checked_add(days)
            .unwrap()
            .to_string(),
        moment.second,
    ))
}

#[test]
fn day_numbers_equal_those_of_jiff_over_three_centuries() {
    let first = jiff::civil::date(1900, 1, 1);
    let days = first.series(jiff::Span::new().days(1));
    let until = jiff::civil::date(2200, 1, 1);
    for (date, day) in days.take_while(|date| *date < until).zip(-25_567..) {
        let text = date.to_string();
        assert_eq!(iso_date(text.as_bytes().try_into().unwrap()), Ok(day));
    }
    assert_eq!(iso_date(b"1970-01-01"), Ok(0));
}

#[test]
fn what_was_read_before_changes_no_date() {
    let mut reader = reader("");
    let mut day = |text: &str| reader.moment(text.as_bytes()).map(|it| it.day);
    for _ in 0..2 {
        assert_eq!(day("2018-03-05T01:02:03"), Ok(17_595));
        assert_eq!(day("2018-03-05"), Ok(17_595));
        assert_eq!(day("2018-02-30"), Err(Reason::ImpossibleDate));
        assert_eq!(day("1970-01-01"), Ok(0));
        assert_eq!(day("2018-03-05T01:02:0x"), Err(Reason::ImpossibleDate));
        assert_eq!(day("2018-03-06"), Ok(17_596));
    }
}

proptest! {
    #[test]
    fn clocks_are_read_together_as_digit_by_digit(
        text in "[0-3/:][0-9:\\x{7f}]:[0-6:][0-9;]:[0-6][0-9/]|[0-9:;/ ]{8}",
    ) {
        let text: [u8; 8] = text.as_bytes().try_into().unwrap();
        let [h1, h2, a, m1, m2, b, s1, s2] = text;
        let expected = (a == b':' && b == b':')
            .then(|| clock([[h1, h2], [m1, m2], [s1, s2]]))
            .flatten();
        prop_assert_eq!(iso_clock(&text), expected);
    }
}

#[test]
fn iso_times_are_read_with_or_without_their_parts() {
    let day = "2018-03-05".to_owned();
    for (text, second) in [
        ("2018-03-05", None),
        ("2018-03-05T01:02:03", Some(3723)),
        ("2018-03-05 01:02:03.999", Some(3723)),
        ("2018-03-05T01:02", Some(3720)),
        ("2018-03-05T23:59:60", Some(86_399)),
    ] {
        assert_eq!(moment("", text), Ok((day.clone(), second)), "{text}");
    }
}

#[test]
fn times_with_an_offset_are_converted_to_the_zone() {
    let seoul = "zone = 'Asia/Seoul'";
    let late = ("2018-03-06".to_owned(), Some(8 * 3600));
    for text in [
        "2018-03-05T23:00:00Z",
        "2018-03-06T01:00+02:00",
        "2018-03-05T18:00:00-0500",
    ] {
        assert_eq!(moment(seoul, text), Ok(late.clone()), "{text}");
    }
    // Before and after clocks go forward in London.
    let london = "zone = 'Europe/London'";
    assert_eq!(
        moment(london, "2018-03-25T00:30:00Z").unwrap().1,
        Some(1800)
    );
    assert_eq!(
        moment(london, "2018-03-25T01:30:00Z").unwrap().1,
        Some(9000)
    );
    assert_eq!(
        moment("", "2018-03-05T23:00:00Z"),
        Err(Reason::OffsetWithoutZone)
    );
}

#[test]
fn impossible_dates_are_named() {
    for text in [
        "",
        "2018",
        "2018-02-29",
        "2018-13-01",
        "2018-00-10",
        "2018-04-31",
        "2018-01-00",
        "1900-02-29",
        "2018-03-05T24:00:00",
        "2018-03-05T12:60:00",
        "2018-03-05x",
        "05/03/2018",
        "2018-03-05T",
        "2018-03-05T12",
        "2018-3-05",
        "2018-03-05T12:00:00+9",
        "20l8-03-05",
    ] {
        assert_eq!(moment("", text), Err(Reason::ImpossibleDate), "{text}");
    }
    assert_eq!(moment("", "1899-12-31"), Err(Reason::DateOutOfRange));
    assert_eq!(moment("", "2200-01-01"), Err(Reason::DateOutOfRange));
}

#[test]
fn a_layout_of_dates_takes_the_date_as_it_is_written() {
    let date = Ok(("2018-03-05".to_owned(), None));
    for zone in ["", "zone = 'Asia/Seoul'", "zone = 'America/New_York'"] {
        let layout = format!("{zone}\ntime_precision = 'date'");
        for text in [
            "2018-03-05T01:02:03",
            "2018-03-05T00:00:00Z",
            "2018-03-05T23:59:59+09:00",
            "2018-03-05 23:30-05:00",
        ] {
            assert_eq!(moment(&layout, text), date, "{zone} {text}");
        }
    }
}

#[test]
fn a_format_that_gives_a_date_out_of_range_leaves_the_text_to_the_next() {
    let read = |formats: &[&str], text: &str| {
        let toml = format!("date = {{ columns = ['d'], formats = {formats:?} }}");
        TimeReader::new(&layout(&toml, "")).moment(text.as_bytes())
    };
    let both = ["%d/%m/%Y", "%d/%m/%y"];
    let day = Moment {
        day: 17_595,
        second: None,
        utc: None,
    };
    assert_eq!(read(&both, "05/03/18"), Ok(day));
    assert_eq!(read(&both, "05/03/2018"), Ok(day));
    for formats in [["%d/%m/%Y", "%Y-%m-%d"], ["%Y-%m-%d", "%d/%m/%Y"]] {
        assert_eq!(read(&formats, "05/03/18"), Err(Reason::DateOutOfRange));
        assert_eq!(read(&formats, "5 March"), Err(Reason::ImpossibleDate));
    }
}

#[test]
fn seconds_since_1970_are_converted_to_the_zone() {
    let layout = layout(
        "zone = 'Asia/Seoul'\ndate = { columns = ['d'], formats = ['%s'] }",
        "",
    );
    let mut reader = TimeReader::new(&layout);
    for (utc, day, second) in [
        (0, 0, 9 * 3600),
        (1_520_290_800, 17_596, 8 * 3600),
        (-32_401, -1, 86_399),
    ] {
        let moment = Moment {
            day,
            second: Some(second),
            utc: Some(utc),
        };
        assert_eq!(reader.moment(utc.to_string().as_bytes()), Ok(moment));
    }
    assert_eq!(reader.moment(b"9000000000"), Err(Reason::DateOutOfRange));
    assert_eq!(reader.moment(b"x"), Err(Reason::ImpossibleDate));
}
