//! What values mean, and what is refused.

use std::collections::HashMap;

use http::StatusCode;
use serde_json::{Value, json, value::RawValue};
use wiz_session::{Error, WizSession};

use crate::support::{Site, StoreMethod};

/// Writes in one request and reads in the next, where everything comes from the store.
async fn round_trip(write: fn(&WizSession), read: fn(&WizSession)) {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            write(&session);
            read(&session);
        })
        .await;
    browser
        .visit(async |session| read(&session))
        .await
        .is_ok_without_cookie();
}

#[tokio::test]
async fn null_is_a_value() {
    round_trip(
        |session| session.set("null", Value::Null).unwrap(),
        |session| {
            assert!(session.contains_key("null") && !session.contains_key("missing"));
            assert_eq!(session.get_value("null"), Some(Value::Null));
            assert_eq!(session.get::<Option<u32>>("null").unwrap(), Some(None));
            assert_eq!(session.get::<Option<u32>>("missing").unwrap(), None);
            assert!(session.len() == 1 && !session.is_empty());
        },
    )
    .await;
}

#[tokio::test]
async fn numbers_keep_every_digit() {
    const NUMBERS: [&str; 5] = [
        "18446744073709551615",
        "-9223372036854775808",
        "1.000",
        "0.1000000000000000055511151231257827",
        "123456789012345678901234567890e-5",
    ];
    round_trip(
        |session| {
            for number in NUMBERS {
                let raw = RawValue::from_string(number.to_owned()).unwrap();
                session.set(number, raw).unwrap();
            }
        },
        |session| {
            for number in NUMBERS {
                let raw: Box<RawValue> = session.get(number).unwrap().unwrap();
                assert_eq!(raw.get(), number);
            }
            assert_eq!(session.get("18446744073709551615").unwrap(), Some(u64::MAX));
        },
    )
    .await;
}

#[tokio::test]
async fn keys_and_values_are_any_text() {
    const TEXTS: [&str; 6] = [
        "",
        "장바구니 🛒",
        "a\"b\\c",
        "\n\0\u{7f}",
        "_flashes2",
        "a.b[0]",
    ];
    round_trip(
        |session| {
            for text in TEXTS {
                session.set(text, text).unwrap();
            }
        },
        |session| {
            let mut sorted = TEXTS;
            sorted.sort_unstable();
            assert_eq!(session.keys(), sorted);
            for text in TEXTS {
                assert_eq!(session.get::<String>(text).unwrap().as_deref(), Some(text));
            }
        },
    )
    .await;
}

#[tokio::test]
async fn objects_extend_and_the_map_shows_all() {
    round_trip(
        |session| {
            session.set("a", 0).unwrap();
            session
                .extend(json!({ "a": 1, "b": [true, null] }))
                .unwrap();
            session.extend(json!({})).unwrap();
        },
        |session| {
            assert_eq!(
                Value::from(session.to_map()),
                json!({ "a": 1, "b": [true, null] })
            );
            assert_eq!(
                session
                    .get_or_default::<Vec<Option<bool>>>("b")
                    .unwrap()
                    .len(),
                2
            );
            assert_eq!(session.get_or("c", 7).unwrap(), 7);
        },
    )
    .await;
}

#[tokio::test]
async fn what_a_request_does_not_touch_is_not_encoded_again() {
    let site = Site::new();
    let mut browser = site.browser();
    let odd = r#"{ "z" : 1.000,"a":[ ] }"#;
    browser
        .write("odd", RawValue::from_string(odd.to_owned()).unwrap())
        .await;
    browser.write("a", 1).await;
    let handle = browser.handle().await.unwrap();
    let record = site.record(handle).await.unwrap().to_json();
    assert!(record.contains(odd), "{record}");
}

#[tokio::test]
async fn take_gives_and_removes() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            assert!(session.take::<String>("a").unwrap_err().is_decode());
            assert_eq!(session.take::<u32>("a")?, Some(1));
            assert_eq!(session.take::<u32>("a")?, None);
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn a_wrong_type_names_the_key_and_the_type_and_not_the_value() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.write("pin", "hunter2").await;
    let reply = browser
        .visit(async |session| {
            let tries = [
                session.get::<u64>("pin").map(drop),
                session.get_or::<u64>("pin", 1).map(drop),
                session.get_or_default::<u64>("pin").map(drop),
                session.take::<u64>("pin").map(drop),
                session.update("pin", |pin: &mut u64| *pin += 1).map(drop),
                session
                    .transaction(|tx| tx.get::<u64>("pin"))
                    .await
                    .map(drop),
            ];
            for error in tries.map(Result::unwrap_err) {
                assert!(error.is_decode());
                let text = error.to_string();
                assert!(text.contains("`pin`") && text.contains("u64"), "{text}");
                assert!(!format!("{error:?}{error}").contains("hunter2"));
                assert!(std::error::Error::source(&error).is_none());
            }
            session.get::<u64>("pin").map(drop)
        })
        .await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reply.body, "Internal Server Error");
    assert_eq!(browser.read("pin").await, Some("hunter2".to_owned()));
}

#[tokio::test]
async fn what_has_no_json_form_is_refused_and_changes_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            let no_json = HashMap::from([((1, 2), 3)]);
            assert!(session.set("a", &no_json).unwrap_err().is_encode());
            assert!(session.extend([1, 2]).unwrap_err().is_encode());
            assert!(session.extend("text").unwrap_err().is_encode());
        })
        .await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
}

#[tokio::test]
async fn too_much_is_refused_at_once_and_changes_nothing() {
    let site = Site::with(|builder| builder.max_bytes(20));
    let mut browser = site.browser();
    // Two bytes of keys, four of quotes.
    let (fits, large) = ("x".repeat(14), "x".repeat(15));
    let reply = browser
        .visit(async |session| {
            session.set("a", "")?;
            assert!(session.set("b", &large).unwrap_err().is_too_large());
            let both = json!({ "a": null, "b": &large });
            assert!(session.extend(both).unwrap_err().is_too_large());
            let grow = |text: &mut String| *text = "x".repeat(50);
            assert!(session.update("a", grow).unwrap_err().is_too_large());
            let flash = session.flash(wiz_session::FlashLevel::Info, "hello");
            assert!(flash.unwrap_err().is_too_large());
            let set = session.transaction(|tx| tx.set("b", "x".repeat(15)));
            assert!(set.await.unwrap_err().is_too_large());
            assert_eq!(Value::from(session.to_map()), json!({ "a": "" }));
            session.set("b", &fits)
        })
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(browser.read("b").await, Some(fits));

    let reply = browser.write("c", "").await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(reply.body, "Payload Too Large");
    assert_eq!(browser.read::<String>("c").await, None);
}

#[tokio::test]
async fn by_default_a_session_holds_64_kib() {
    let site = Site::new();
    let mut browser = site.browser();
    let reply = browser.write("a", "x".repeat(64 * 1024 - 3)).await;
    assert_eq!(reply.status, StatusCode::OK);
    let reply = site.browser().write("a", "x".repeat(64 * 1024 - 2)).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn floats_come_back_to_the_last_bit() {
    let site = Site::new();
    let mut browser = site.browser();
    let random: Vec<f64> = std::iter::repeat_with(|| f64::from_bits(fastrand::u64(..)))
        .filter(|float| float.is_finite())
        .take(1_000)
        .chain((0..1_000).map(|n| f64::from(n) * 0.01 * 1.19))
        .collect();
    browser.write("floats", &random).await;
    let kept: Vec<f64> = browser.read("floats").await.unwrap();
    assert!(
        random
            .iter()
            .zip(&kept)
            .all(|(a, b)| a.to_bits() == b.to_bits())
    );
}

/// What a request may do in this order it may do again in another.
#[tokio::test]
async fn the_limit_is_on_the_outcome() {
    let site = Site::with(|builder| builder.max_bytes(100));
    let long = || "x".repeat(80);
    let mut browser = site.browser();
    browser.write("z", long()).await;
    let mut other = browser.clone();
    browser
        .visit(async |session| {
            session.delete("z");
            session.set("a", long())?;
            session.reload().await?;
            other.write("n", 1).await;
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("a").await, Some(long()));
    browser
        .visit(async |session| {
            session.extend(json!({ "z": long(), "a": "" }))?;
            session.extend(json!({ "a": long(), "z": "" }))?;
            let error = session
                .extend(json!({ "a": long(), "z": long() }))
                .unwrap_err();
            assert!(error.is_too_large());
            assert_eq!(session.get("a")?, Some(long()));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
}
