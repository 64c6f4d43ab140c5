//! What a layer refuses to be built with.

use std::time::Duration;

use wiz_session::{
    CookieOptions, Key, MemoryStore, SameSite, WizSessionLayer, WizSessionLayerBuilder,
};

use crate::support::key;

const SECOND: Duration = Duration::from_secs(1);

fn build(
    settings: impl FnOnce(WizSessionLayerBuilder) -> WizSessionLayerBuilder,
) -> Result<WizSessionLayer, String> {
    let builder = WizSessionLayer::builder(MemoryStore::new(), key(1));
    settings(builder).build().map_err(|error| error.to_string())
}

#[test]
fn contradictions_in_the_cookie_are_refused_with_a_reason() {
    let host = CookieOptions::default;
    let table = [
        (host().secure(false), "__Host-"),
        (host().path("/app"), "__Host-"),
        (host().domain("example.com"), "__Host-"),
        (host().name("__HOST-sid").secure(false), "__Host-"),
        (CookieOptions::insecure("__Secure-sid"), "__Secure-"),
        (CookieOptions::insecure("__Http-sid"), "__Http-"),
        (host().name("__Host-Http-sid").path("/app"), "__Host-Http-"),
        (
            CookieOptions::insecure("sid").same_site(SameSite::None),
            "SameSite=None",
        ),
        (
            CookieOptions::insecure("sid").partitioned(true),
            "Partitioned",
        ),
        (CookieOptions::new(""), "name"),
        (CookieOptions::new("a b"), "name"),
        (CookieOptions::new("a=b"), "name"),
        (CookieOptions::new("a\r\nSet-Cookie: b"), "name"),
        (CookieOptions::new("세션"), "name"),
        (CookieOptions::new("sid").path("app"), "path"),
        (
            CookieOptions::new("sid").path("/; Domain=evil.example"),
            "path",
        ),
        (CookieOptions::new("sid").domain("a; Path=/"), "domain"),
        (CookieOptions::new("sid").domain(".."), "domain"),
    ];
    for (options, reason) in table {
        let why = build(|builder| builder.cookie(options.clone())).unwrap_err();
        assert!(why.contains(reason), "{options:?}: {why}");
    }
}

#[test]
fn settings_out_of_bounds_are_refused_with_a_reason() {
    type Setting = fn(WizSessionLayerBuilder) -> WizSessionLayerBuilder;
    let table: [(Setting, &str); 9] = [
        (|b| b.idle_timeout(Duration::ZERO), "idle_timeout"),
        (
            |b| b.idle_timeout(SECOND - Duration::from_nanos(1)),
            "idle_timeout",
        ),
        (|b| b.absolute_timeout(Duration::ZERO), "absolute_timeout"),
        (
            |b| b.idle_timeout(SECOND * 60).absolute_timeout(SECOND * 59),
            "absolute_timeout",
        ),
        (
            |b| b.touch_threshold(Duration::from_secs(30 * 60)),
            "touch_threshold",
        ),
        (|b| b.touch_threshold(Duration::MAX), "touch_threshold"),
        (|b| b.store_timeout(Duration::ZERO), "store_timeout"),
        (|b| b.max_bytes(0), "max_bytes"),
        (|b| b.max_bytes(usize::MAX), "max_bytes"),
    ];
    for (setting, reason) in table {
        let why = build(setting).unwrap_err();
        assert!(why.contains(reason), "{reason}: {why}");
    }
}

#[test]
fn the_edges_of_the_bounds_are_fine() {
    let table: [fn(WizSessionLayerBuilder) -> WizSessionLayerBuilder; 6] = [
        |b| b,
        |b| b.idle_timeout(SECOND).absolute_timeout(SECOND),
        |b| {
            b.idle_timeout(Duration::MAX)
                .absolute_timeout(Duration::MAX)
        },
        |b| b.touch_threshold(Duration::ZERO),
        |b| b.max_bytes(1),
        |b| {
            b.cookie(
                CookieOptions::new("__Secure-sid")
                    .domain("example.com")
                    .path("/app"),
            )
        },
    ];
    for setting in table {
        build(setting).unwrap();
    }
}

#[test]
fn a_short_key_is_refused() {
    assert!(Key::try_from([7; 63].as_slice()).is_err());
    assert!(Key::try_from([7; 64].as_slice()).is_ok());
    assert!(std::panic::catch_unwind(|| Key::derive_from(&[7; 31])).is_err());
    Key::derive_from(&[7; 32]);
}
