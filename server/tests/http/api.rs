//! Every resource and every error, against figures worked out by hand.

use std::{io::Read, sync::Arc};

use nightshard_format::{calendar::Day, manifest::GenerationId};
use nightshard_server::{Config, Cors};
use serde_json::{Value, json};

use crate::{
    fixture::{Fixture, Payment, Shop},
    harness::{Harness, config},
};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn payment(store: usize, date: &str, card: u32, amount: i64) -> Payment {
    Payment {
        store,
        day: day(date),
        card,
        amount,
    }
}

fn shops() -> Vec<Shop> {
    vec![
        Shop::new("a", "Marks & Spencer", "leeds", "food"),
        Shop::new("b/1 é", "Café Noir", "leeds", "fuel"),
        Shop::new("c", "", "york", "food"),
    ]
}

fn payments() -> Vec<Payment> {
    vec![
        payment(0, "2018-01-29", 1, 1_000),
        payment(0, "2018-01-30", 1, 2_000),
        payment(0, "2018-02-03", 2, -500),
        payment(0, "2018-02-03", 1, 300),
        payment(0, "2018-03-05", 3, 700),
        payment(1, "2018-01-31", 1, 5_000),
        payment(2, "2018-03-01", 9, 100),
        payment(2, "2018-03-02", 9, 200),
    ]
}

/// A server of the payments above, under selection 1.
fn server(config: Config) -> (Harness, GenerationId) {
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write(&shops(), &payments());
    fixture.select(1, &id);
    (Harness::ready(config, fixture, 1), id)
}

#[test]
fn the_envelope_names_the_generation_and_headers_repeat_it() {
    let (harness, id) = server(config());
    let reply = harness.connect().get("/v1/stores/a");
    let document = reply.json();
    assert_eq!(document["generation"], id.as_str());
    assert_eq!(document["as_of"], "2018-03-05");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("nightshard-generation"), Some(id.as_str()));
    assert_eq!(reply.header("nightshard-selection"), Some("1"));
    assert_eq!(
        document["data"],
        json!({
            "id": "a", "name": "Marks & Spencer", "merchant_id": null, "category": "food",
            "region": "leeds", "lat": null, "lon": null,
            "first_date": "2018-01-29", "last_date": "2018-03-05",
            "currency": "GBP", "currency_exponent": 2,
            "count": 5, "sum": 3500, "cards": 3, "available": ["statistics", "histogram"],
        })
    );
}

#[test]
fn statistics_by_month_are_the_default_and_say_what_is_cut() {
    let (harness, _) = server(config());
    let data = harness.connect().get("/v1/stores/a/statistics").data();
    assert_eq!(data["group_by"], "month");
    assert_eq!(
        (&data["currency"], &data["currency_exponent"]),
        (&json!("GBP"), &json!(2))
    );
    let row = |period: &str, partial: bool, figures: [Value; 9]| {
        let names = [
            "count",
            "sum",
            "mean",
            "min",
            "max",
            "std",
            "cards",
            "refund_count",
            "refund_sum",
        ];
        let mut row = json!({"period": period});
        if partial {
            row["partial"] = true.into();
        }
        for (name, figure) in names.into_iter().zip(figures) {
            row[name] = figure;
        }
        row
    };
    let figures = |integers: [i64; 2], mean: f64, ends: [i64; 2], std: f64, rest: [i64; 3]| {
        [
            integers[0].into(),
            integers[1].into(),
            mean.into(),
            ends[0].into(),
            ends[1].into(),
            std.into(),
            rest[0].into(),
            rest[1].into(),
            rest[2].into(),
        ]
    };
    let january = figures([2, 3_000], 1_500.0, [1_000, 2_000], 500.0, [1, 0, 0]);
    let february = figures([2, -200], -100.0, [-500, 300], 400.0, [2, 1, -500]);
    let march = figures([1, 700], 700.0, [700, 700], 0.0, [1, 0, 0]);
    assert_eq!(
        data["rows"],
        json!([
            row("2018-01", true, january),
            row("2018-02", false, february),
            row("2018-03", true, march),
        ])
    );
}

/// Returns (period, count, cards, partial) of each row.
fn brief(data: &Value) -> Vec<(String, u64, u64, bool)> {
    let rows = data["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            row["period"].as_str().unwrap().to_owned(),
            row["count"].as_u64().unwrap(),
            row["cards"].as_u64().unwrap(),
            row.get("partial").is_some_and(|partial| partial == true),
        )
    })
    .collect()
}

#[test]
fn periods_are_labelled_and_their_cards_told_apart() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (query, expected) in [
        (
            "group_by=week",
            &[("2018-W05", 4, 2, false), ("2018-W10", 1, 1, true)][..],
        ),
        ("group_by=quarter", &[("2018-Q1", 5, 3, true)]),
        ("group_by=year", &[("2018", 5, 3, true)]),
        ("group_by=all", &[("all", 5, 3, false)]),
        (
            "group_by=all&min_date=2018-01-30&max_date=2018-02-03",
            &[("2018-01-30/2018-02-03", 3, 2, false)],
        ),
        (
            "group_by=all&max_date=2018-02-02",
            &[("2018-01-29/2018-02-02", 2, 1, false)],
        ),
        (
            "group_by=all&min_date=1900-01-01&max_date=2200-01-01",
            &[("1900-01-01/2200-01-01", 5, 3, true)],
        ),
        (
            "min_date=2018-01-30",
            &[
                ("2018-01", 1, 1, true),
                ("2018-02", 2, 2, false),
                ("2018-03", 1, 1, true),
            ],
        ),
        (
            "group_by=day&min_date=2018-02-03",
            &[("2018-02-03", 2, 2, false), ("2018-03-05", 1, 1, false)],
        ),
        (
            "group_by=quarter&min_date=2018-01-30&max_date=2018-03-04",
            &[("2018-Q1", 3, 2, true)],
        ),
        ("min_date=2019-01-01", &[]),
        ("max_date=0001-01-01&group_by=all", &[]),
        ("min_date=2018-02-10&max_date=2018-02-20", &[]),
    ] {
        let data = client
            .get(&format!("/v1/stores/a/statistics?{query}"))
            .data();
        let expected: Vec<_> = expected
            .iter()
            .map(|(period, count, cards, partial)| (period.to_string(), *count, *cards, *partial))
            .collect();
        assert_eq!(brief(&data), expected, "{query}");
    }
    let market = client.get("/v1/markets/all/statistics?group_by=all").data();
    assert_eq!(brief(&market), [("all".to_owned(), 8, 4, false)]);
}

#[test]
fn filling_adds_periods_between_the_ends_of_the_data_only() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client
        .get("/v1/stores/a/statistics?group_by=week&fill=zero")
        .data();
    let labels: Vec<String> = brief(&data).into_iter().map(|row| row.0).collect();
    let weeks = ["05", "06", "07", "08", "09", "10"].map(|week| format!("2018-W{week}"));
    assert_eq!(labels, weeks);
    assert_eq!(
        data["rows"][1],
        json!({"period": "2018-W06", "count": 0, "sum": 0, "mean": null, "min": null,
               "max": null, "std": null, "cards": 0, "refund_count": 0, "refund_sum": 0})
    );
    // The store's own rows begin later than the data.
    let data = client
        .get("/v1/stores/c/statistics?fill=zero&max_date=2030-01-01")
        .data();
    assert_eq!(
        brief(&data),
        [
            ("2018-01".to_owned(), 0, 0, true),
            ("2018-02".to_owned(), 0, 0, false),
            ("2018-03".to_owned(), 2, 1, true)
        ]
    );
    let range = "min_date=2018-02-10&max_date=2018-02-20";
    let data = client
        .get(&format!(
            "/v1/stores/a/statistics?group_by=all&fill=zero&{range}"
        ))
        .data();
    assert_eq!(
        brief(&data),
        [("2018-02-10/2018-02-20".to_owned(), 0, 0, false)]
    );
    let data = client
        .get("/v1/stores/a/statistics?fill=zero&min_date=2019-01-01")
        .data();
    assert_eq!(brief(&data), []);
}

#[test]
fn histogram_bins_are_ascending_and_add_up() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (query, counted, low) in [
        ("", 4, 300),
        ("?of=refunds", 1, -500),
        ("?of=all&bins=64", 5, -500),
        ("?period=2018-01", 2, 1_000),
        ("?period=2018-W05&bins=2", 3, 300),
        ("?period=2018-Q1", 4, 300),
        ("?min_date=2018-01-30&max_date=2018-02-03", 2, 300),
        ("?period=2018-02-03", 1, 300),
        ("?period=2017", 0, 0),
    ] {
        let data = client.get(&format!("/v1/stores/a/histogram{query}")).data();
        let rows = data["rows"].as_array().unwrap();
        let total: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
        assert_eq!(total, counted, "{query}");
        assert!(
            rows.windows(2)
                .all(|pair| pair[0]["high"] == pair[1]["low"])
        );
        if let Some(first) = rows.first() {
            let (first_low, first_high) = (
                first["low"].as_i64().unwrap(),
                first["high"].as_i64().unwrap(),
            );
            assert!((first_low..first_high).contains(&low), "{query}");
        }
    }
    let data = client
        .get("/v1/markets/all/histogram?period=2018-02&of=all")
        .data();
    assert_eq!(
        (&data["period"], &data["of"]),
        (&json!("2018-02"), &json!("all"))
    );
    assert_eq!(data.get("partial"), None);
    let data = client.get("/v1/markets/all/histogram?period=2018").data();
    assert_eq!(data["partial"], true);
}

#[test]
fn stores_are_ranked_filtered_and_paged() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let ids = |data: &Value| -> Vec<String> {
        let rows = data["rows"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (query, expected) in [
        ("", &["a", "c", "b/1 é"][..]),
        ("?rank_by=amount", &["b/1 é", "a", "c"]),
        ("?region=leeds&rank_by=transactions", &["a", "b/1 é"]),
        ("?category=food", &["a", "c"]),
        ("?category=food&region=york", &["c"]),
        ("?category=fuel&region=york", &[]),
    ] {
        let data = client.get(&format!("/v1/stores{query}")).data();
        assert_eq!(ids(&data), expected, "{query}");
        assert!(data.get("next").is_none());
    }
    let first = client.get("/v1/stores?limit=2").data();
    assert_eq!(ids(&first), ["a", "c"]);
    assert_eq!(
        first["rows"][0],
        json!({"id": "a", "name": "Marks & Spencer", "region": "leeds", "category": "food",
               "count": 5, "sum": 3500})
    );
    let next = first["next"].as_str().unwrap();
    let second = client
        .get(&format!("/v1/stores?limit=2&cursor={next}"))
        .data();
    assert_eq!(ids(&second), ["b/1 é"]);
    assert!(second.get("next").is_none());
    let other = client.get(&format!("/v1/stores?rank_by=amount&cursor={next}"));
    assert_eq!(other.problem(), (400, Some("cursor".into())));
}

#[test]
fn info_describes_the_generation_its_regions_and_categories() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/info/generation").data();
    assert_eq!(
        (&data["first_date"], &data["last_date"]),
        (&json!("2018-01-29"), &json!("2018-03-05"))
    );
    assert_eq!(
        (&data["stores"], &data["rows"]["used"]),
        (&json!(3), &json!(8))
    );
    let data = client.get("/v1/info/regions").data();
    assert_eq!(
        data["rows"],
        json!([{"id": "leeds", "stores": 2}, {"id": "york", "stores": 1}])
    );
    let data = client.get("/v1/info/categories?limit=1").data();
    assert_eq!(data["rows"], json!([{"id": "food", "stores": 2}]));
    let next = data["next"].as_str().unwrap();
    let data = client
        .get(&format!("/v1/info/categories?cursor={next}"))
        .data();
    assert_eq!(data["rows"], json!([{"id": "fuel", "stores": 1}]));
}

#[test]
fn the_last_day_with_rows_is_told_apart_from_the_last_business_day() {
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write_as_of(day("2018-03-20"), &shops(), &payments());
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let reply = client.get("/v1/info/generation");
    assert_eq!(reply.json()["as_of"], "2018-03-20");
    assert_eq!(reply.data()["last_date"], "2018-03-05");
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    for (name, date) in [("last_day", "2018-03-05"), ("as_of", "2018-03-20")] {
        let seconds = i64::from(day(date).0) * 86_400;
        let line = format!("nightshard_generation_{name}_timestamp_seconds {seconds}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    // A missing end is the last business day, not the last day with rows.
    let data = client
        .get("/v1/stores/a/statistics?group_by=all&min_date=2018-01-01")
        .data();
    assert_eq!(data["rows"][0]["period"], "2018-01-01/2018-03-20");
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let (harness, id) = server(config());
    let mut client = harness.connect();
    for (target, status, parameter) in [
        ("/v1/stores/zzz", 404, None),
        ("/v1/stores/", 404, None),
        ("/v1/stores/%ff", 404, None),
        ("/v1/markets/food", 404, None),
        ("/v1/stores/a/", 404, None),
        ("/v1/nothing", 404, None),
        ("/", 404, None),
        ("/v1/stores/a?colour=red", 400, Some("colour")),
        (
            "/v1/stores/a/statistics?group_by=month&group_by=day",
            400,
            Some("group_by"),
        ),
        (
            "/v1/stores/a/statistics?group_by=decade",
            400,
            Some("group_by"),
        ),
        ("/v1/stores/a/statistics?group_by=", 400, Some("group_by")),
        ("/v1/stores/a/statistics?fill=one", 400, Some("fill")),
        (
            "/v1/stores/a/statistics?min_date=2018-02-30",
            400,
            Some("min_date"),
        ),
        (
            "/v1/stores/a/statistics?max_date=tomorrow",
            400,
            Some("max_date"),
        ),
        (
            "/v1/stores/a/statistics?min_date=2018-02-02&max_date=2018-02-01",
            400,
            Some("min_date"),
        ),
        (
            "/v1/stores/zzz/statistics?min_date=x",
            400,
            Some("min_date"),
        ),
        ("/v1/stores/a/statistics?limit=5", 400, Some("limit")),
        (
            "/v1/stores/a/statistics?numbers=roman",
            400,
            Some("numbers"),
        ),
        ("/v1/stores/a/histogram?bins=1", 400, Some("bins")),
        ("/v1/stores/a/histogram?bins=65", 400, Some("bins")),
        ("/v1/stores/a/histogram?of=gifts", 400, Some("of")),
        ("/v1/stores/a/histogram?period=2018-13", 400, Some("period")),
        (
            "/v1/stores/a/histogram?period=2018&min_date=2018-01-01",
            400,
            Some("period"),
        ),
        ("/v1/stores?limit=1001", 400, Some("limit")),
        ("/v1/stores?limit=0", 400, Some("limit")),
        ("/v1/stores?rank_by=growth", 400, Some("rank_by")),
        ("/v1/stores?region=atlantis", 404, Some("region")),
        (
            "/v1/stores?region=leeds&category=magic",
            404,
            Some("category"),
        ),
        ("/v1/stores?cursor=0", 400, Some("cursor")),
        ("/v1/search", 400, Some("q")),
        ("/v1/search?q=", 400, Some("q")),
        ("/v1/search?q=a&kind=person", 400, Some("kind")),
        ("/v1/info/generation?limit=3", 400, Some("limit")),
        (
            "/v1/stores/a?generation=2018-03-05-000000000000",
            404,
            Some("generation"),
        ),
        ("/v1/stores/a?generation=x", 404, Some("generation")),
        ("/healthz?verbose=1", 400, Some("verbose")),
        ("/readyz?x=1&x=1", 400, Some("x")),
        ("/metrics?name=a", 400, Some("name")),
    ] {
        let reply = client.get(target);
        assert_eq!(
            reply.problem(),
            (status, parameter.map(str::to_owned)),
            "{target}"
        );
        assert_eq!(
            reply.header("nightshard-generation"),
            Some(id.as_str()),
            "{target}"
        );
        assert_eq!(reply.header("nightshard-selection"), Some("1"), "{target}");
        assert_eq!(reply.header("etag"), None);
    }
}

#[test]
fn requests_for_another_host_are_refused() {
    let (harness, _) = server(config());
    let status = |head: &str| {
        let mut client = harness.connect();
        client.send(head.as_bytes());
        client.read(false).status
    };
    for (head, expected) in [
        (
            "GET /v1/stores/a HTTP/1.1\r\nhost: LocalHost:1\r\n\r\n",
            200,
        ),
        ("GET /v1/stores/a HTTP/1.1\r\nhost: [::1]:1\r\n\r\n", 200),
        (
            "GET http://127.0.0.1/v1/stores/a HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
            200,
        ),
        ("GET /v1/stores/a HTTP/1.0\r\n\r\n", 200),
        (
            "GET /v1/stores/a HTTP/1.1\r\nhost: evil.example\r\n\r\n",
            421,
        ),
        (
            "GET /metrics HTTP/1.1\r\nhost: evil.example:80\r\n\r\n",
            421,
        ),
        (
            "GET /v1/stores/a HTTP/1.0\r\nhost: evil.example\r\n\r\n",
            421,
        ),
        (
            "GET http://evil.example/v1/stores/a HTTP/1.1\r\nhost: localhost\r\n\r\n",
            421,
        ),
        ("GET /v1/stores/a HTTP/1.1\r\n\r\n", 400),
        (
            "GET /v1/stores/a HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
            400,
        ),
    ] {
        assert_eq!(status(head), expected, "{head}");
    }
}

#[test]
fn methods_that_a_resource_has_not_are_refused_with_those_it_has() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (method, target, allow) in [
        ("POST", "/v1/stores/a", "GET, HEAD"),
        ("DELETE", "/v1/stores", "GET, HEAD"),
        ("OPTIONS", "/v1/stores", "GET, HEAD"),
        ("GET", "/v1/batch", "POST"),
        ("PUT", "/healthz", "GET, HEAD"),
    ] {
        let reply = client.request(method, target, &[], b"");
        assert_eq!(reply.problem(), (405, None), "{method} {target}");
        assert_eq!(reply.header("allow"), Some(allow));
    }
}

#[test]
fn ids_are_decoded_after_the_path_is_split() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/b%2F1%20%C3%A9").data();
    assert_eq!(data["name"], "Café Noir");
    let data = client
        .get("/v1/stores/b%2f1%20%c3%a9/statistics?group_by=all")
        .data();
    assert_eq!(data["id"], "b/1 é");
    assert_eq!(client.get("/v1/stores/b/1%20%C3%A9").status, 404);
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for target in ["/v1/stores/a", "/v1/stores/zzz", "/healthz"] {
        let full = client.get(target);
        let head = client.request("HEAD", target, &[], b"");
        assert_eq!(head.status, full.status);
        assert_eq!(
            head.header("content-length"),
            Some(&*full.body.len().to_string())
        );
        for name in ["etag", "content-type", "nightshard-generation"] {
            assert_eq!(head.header(name), full.header(name));
        }
    }
}

#[test]
fn what_a_client_has_already_is_not_sent_again() {
    let (harness, id) = server(config());
    let mut client = harness.connect();
    let target = "/v1/stores/a/statistics";
    let tag = client.get(target).header("etag").unwrap().to_owned();
    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let reply = client.request("GET", target, &[("if-none-match", &known)], b"");
        assert_eq!((reply.status, reply.body.len()), (304, 0), "{known}");
        assert_eq!(reply.header("etag"), Some(&*tag));
        assert_eq!(reply.header("nightshard-generation"), Some(id.as_str()));
        assert_eq!(reply.header("nightshard-selection"), Some("1"));
    }
    let reply = client.request("GET", target, &[("if-none-match", "\"x\"")], b"");
    assert_eq!(reply.status, 200);
    // A tag is its own resource's: errors stay errors.
    for other in [
        "/v1/stores/zzz/statistics",
        "/v1/stores/a/statistics?bins=8",
    ] {
        let reply = client.request("GET", other, &[("if-none-match", &tag)], b"");
        assert!(reply.status >= 400, "{other}");
    }
}

#[test]
fn long_bodies_are_compressed_for_who_accepts_it() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let target = "/v1/stores/a/statistics?group_by=day&fill=zero";
    let plain = client.get(target);
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    let mut tags = vec![plain.header("etag").unwrap().to_owned()];
    for encoding in ["gzip", "zstd"] {
        let accepted = [("accept-encoding", encoding)];
        let reply = client.request("GET", target, &accepted, b"");
        assert_eq!(reply.header("content-encoding"), Some(encoding));
        assert!(reply.body.len() < plain.body.len() / 3);
        let mut body = Vec::new();
        match encoding {
            "gzip" => {
                flate2::read::GzDecoder::new(&reply.body[..])
                    .read_to_end(&mut body)
                    .unwrap();
            }
            _ => body = zstd::bulk::decompress(&reply.body, 1 << 20).unwrap(),
        }
        assert_eq!(body, plain.body);
        let tag = reply.header("etag").unwrap().to_owned();
        let again = [("accept-encoding", encoding), ("if-none-match", &*tag)];
        let reply = client.request("GET", target, &again, b"");
        assert_eq!((reply.status, reply.header("etag")), (304, Some(&*tag)));
        tags.push(tag);
    }
    tags.dedup();
    assert_eq!(tags.len(), 3, "each encoding has its own strong tag");
    let short = client.request("GET", "/v1/stores/a", &[("accept-encoding", "gzip")], b"");
    assert_eq!(short.header("content-encoding"), None);
}

#[test]
fn integers_are_exact_and_quoted_on_request() {
    let fixture = Arc::new(Fixture::new());
    let large = 100_000_000_000_000;
    let mut payments: Vec<Payment> = (0..100)
        .map(|card| payment(0, "2018-01-01", card, large))
        .collect();
    payments.push(payment(0, "2018-01-02", 1, 1));
    let id = fixture.write(&[Shop::new("x", "", "", "")], &payments);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let text = |reply: crate::client::Reply| String::from_utf8(reply.body).unwrap();
    let plain = text(client.get("/v1/stores/x/statistics?group_by=all"));
    assert!(plain.contains(r#""sum":10000000000000001,"#), "{plain}");
    let quoted = text(client.get("/v1/stores/x/statistics?group_by=all&numbers=string"));
    assert!(quoted.contains(r#""sum":"10000000000000001","#), "{quoted}");
    assert!(quoted.contains(r#""max":100000000000000,"#), "{quoted}");
    let body = br#"{"lookups": [{"path": "/v1/stores/x"}]}"#;
    let reply = client.request("POST", "/v1/batch?numbers=string", &[], body);
    assert!(text(reply).contains(r#""sum":"10000000000000001""#));
}

#[test]
fn a_batch_answers_each_lookup_in_order_from_one_generation() {
    let (harness, id) = server(config());
    let mut client = harness.connect();
    let paths = [
        "/v1/stores/a/statistics?group_by=all",
        "/v1/stores/zzz",
        "/v1/stores?limit=5000",
        "/v1/markets/all",
        "/healthz",
        "/nowhere",
        "/v1/stores/a?generation=x",
        "/v1/batch",
    ];
    let lookups: Vec<Value> = paths.iter().map(|path| json!({"path": path})).collect();
    let body = json!({"lookups": lookups}).to_string();
    let reply = client.request("POST", "/v1/batch", &[], body.as_bytes());
    assert_eq!(reply.json()["generation"], id.as_str());
    let data = reply.data();
    let rows = data["rows"].as_array().unwrap();
    let statuses: Vec<u64> = rows
        .iter()
        .map(|row| row["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [200, 404, 400, 200, 404, 404, 400, 404]);
    assert_eq!(rows[0]["data"], client.get(paths[0]).data());
    assert_eq!(rows[3]["data"], client.get(paths[3]).data());
    assert_eq!(rows[2]["problem"]["parameter"], "limit");
    assert_eq!(rows[6]["problem"]["parameter"], "generation");
    assert!(rows[1].get("data").is_none() && rows[1]["problem"]["status"] == 404);
}

#[test]
fn batches_beyond_the_limits_or_of_another_shape_are_refused() {
    let (harness, _) = server(config());
    let batch = |body: &[u8]| harness.connect().request("POST", "/v1/batch", &[], body);
    for body in [
        &b"not json"[..],
        b"{}",
        br#"{"lookups": [{"path": 1}]}"#,
        br#"{"lookups": [{"url": "/v1/stores"}]}"#,
        br#"{"lookups": [], "more": 1}"#,
        br#"[[]]"#,
        br#"[["/v1/stores"]]"#,
        br#"{"lookups": [["/v1/stores"]]}"#,
        br#"{"lookups": [{}]}"#,
        b"",
    ] {
        let reply = batch(body);
        let text = String::from_utf8_lossy(body);
        assert_eq!(reply.problem(), (400, None), "{text}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(!detail.contains("struct "), "{text}: {detail}");
    }
    let lookups = |count| {
        let lookups = vec![json!({"path": "/v1/stores/a"}); count];
        json!({"lookups": lookups}).to_string().into_bytes()
    };
    assert_eq!(
        batch(&lookups(1_000)).data()["rows"]
            .as_array()
            .unwrap()
            .len(),
        1_000
    );
    assert_eq!(
        batch(&lookups(1_001)).problem(),
        (400, Some("lookups".into()))
    );
    assert_eq!(batch(br#"{"lookups": []}"#).data(), json!({"rows": []}));
}

#[test]
fn pages_of_configured_origins_may_read_answers_and_others_not() {
    let cors = |origins: &[&str]| Config {
        cors: Cors {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        },
        ..config()
    };
    let (harness, _) = server(cors(&["https://shop.example"]));
    let mut client = harness.connect();
    let own = [("origin", "https://shop.example")];
    let reply = client.request("GET", "/v1/stores/a", &own, b"");
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    let exposed = reply.header("access-control-expose-headers").unwrap();
    for name in ["ETag", "Nightshard-Generation", "Nightshard-Selection"] {
        assert!(exposed.contains(name));
    }
    assert_eq!(reply.header("vary"), Some("Accept-Encoding, Origin"));
    let reply = client.request(
        "GET",
        "/v1/stores/a",
        &[("origin", "https://evil.example")],
        b"",
    );
    assert_eq!(reply.header("access-control-allow-origin"), None);
    let reply = client.request("OPTIONS", "/v1/batch", &own, b"");
    assert_eq!(reply.status, 204);
    assert!(
        reply
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    assert!(
        reply
            .header("access-control-allow-headers")
            .unwrap()
            .contains("Nightshard-At-Least")
    );

    let (harness, _) = server(cors(&["*"]));
    let reply = harness
        .connect()
        .request("GET", "/v1/stores/zzz", &own, b"");
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    let (harness, _) = server(config());
    let reply = harness.connect().request("GET", "/v1/stores/a", &own, b"");
    assert_eq!(reply.header("access-control-allow-origin"), None);
}

#[test]
fn a_server_without_a_generation_lives_but_is_not_ready() {
    let fixture = Arc::new(Fixture::new());
    let harness = Harness::start(config(), fixture.clone());
    let mut client = harness.connect();
    assert_eq!(client.get("/healthz").status, 200);
    for target in ["/readyz", "/v1/stores/a", "/v1/stores?limit=0"] {
        let reply = client.get(target);
        assert_eq!(reply.problem(), (503, None), "{target}");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    assert!(text.contains("nightshard_ready 0\n"));
    let id = fixture.write(&shops(), &payments());
    fixture.select(7, &id);
    harness.wait_for(7);
    assert_eq!(client.get("/readyz").status, 200);
    let reply = client.get("/v1/stores/a");
    assert_eq!(
        (reply.status, reply.header("nightshard-selection")),
        (200, Some("7"))
    );
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    assert!(text.contains("nightshard_ready 1\n") && text.contains("nightshard_swaps_total 1\n"));
    assert!(text.contains(&format!("nightshard_selection{{generation=\"{id}\"}} 7\n")));
    let counted = r#"nightshard_requests_total{resource="/v1/stores/{id}",status="200"} 1"#;
    assert!(text.contains(counted), "{text}");
}
