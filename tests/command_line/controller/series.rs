//! Side series that end too early: an alert, and the night is served all the same.

use super::Nights;
use crate::listener::listen;

#[test]
fn a_night_with_a_stale_series_is_served_and_alerts() {
    let (webhook, alerts) = listen(|_path| "{}".into());
    let folder = tempfile::tempdir().unwrap();
    let series = folder.path().join("series.csv");
    std::fs::write(&series, "date,name,value\n2018-01-05,index,1\n").unwrap();
    let nights = Nights::new(&format!(
        "webhook = \"http://{webhook}/\"\n[series]\nfiles = [{series:?}]"
    ));
    let night = nights.run(&["--once", "--json", "--day", "2018-01-11"]);
    assert!(night.succeeded().json()["series"].is_null());

    let night = nights
        .run(&["--once", "--json", "--day", "2018-01-12"])
        .succeeded();
    let text = "stale side series: index ends on 2018-01-05, 7 days before the last business day";
    assert_eq!(night.json()["series"], text);
    assert!(
        night.stderr.contains(&format!("alert: 2018-01-12: {text}")),
        "{night:?}"
    );
    // The first night had none to tell.
    let alert: serde_json::Value = serde_json::from_str(&alerts.recv().unwrap()).unwrap();
    assert_eq!(
        (&alert["alert"], &alert["text"]),
        (&"series".into(), &text.into())
    );
    let history = nights
        .run(&["--history", "--day", "2018-01-12"])
        .succeeded();
    assert!(history.stdout.contains("gate       done"), "{history:?}");
}
