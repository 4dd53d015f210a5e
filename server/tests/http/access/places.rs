//! Places and the market under every scope, where answers are protected.

use super::Guarded;
use crate::{harness::config, protected};

/// What is told of places, and what is not.
const TOLD: [&str; 7] = [
    "/v1/regions",
    "/v1/regions/leeds/categories",
    "/v1/regions/leeds",
    "/v1/categories/food/statistics",
    "/v1/regions/leeds/categories/food/statistics",
    "/v1/markets/all",
    "/v1/markets/all/statistics?group_by=month",
];
const UNTOLD: [&str; 2] = ["/v1/markets/all/histogram", "/v1/regions/leeds/unit_price"];

/// Those who see some data.
const READERS: [&str; 4] = ["store:a", "merchant:m", "app", "analyst"];

#[test]
fn what_hides_as_many_cards_as_the_server_asks_for_is_told_to_all_alike() {
    let guarded = Guarded::serve(protected::fixture(), config(), 3, None);
    for path in TOLD {
        let whole = guarded.get("analyst", path).data();
        for scope in READERS {
            assert_eq!(guarded.get(scope, path).data(), whole, "{scope} {path}");
        }
        for scope in ["customer", "admin"] {
            assert_eq!(guarded.get(scope, path).status, 403, "{scope} {path}");
        }
    }
    for (path, scope) in UNTOLD.into_iter().zip(READERS) {
        let detail = guarded.get(scope, path).json()["detail"].take();
        let detail = detail.as_str().unwrap();
        assert!(detail.contains("privacy.k is 3"), "{scope} {path} {detail}");
    }
}

#[test]
fn what_hides_fewer_cards_than_the_server_asks_for_is_told_to_analysts() {
    let guarded = Guarded::serve(protected::fixture(), config(), 4, None);
    for path in TOLD.into_iter().chain(["/v1/regions/rome"]) {
        for scope in &READERS[..3] {
            let detail = guarded.get(scope, path).json()["detail"].take();
            let detail = detail.as_str().unwrap();
            assert!(
                detail.contains("may not see exact figures"),
                "{scope} {path} {detail}"
            );
        }
    }
    for path in TOLD {
        assert_eq!(guarded.get("analyst", path).status, 200, "{path}");
    }
}
