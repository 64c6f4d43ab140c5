//! Values of every kind, there and back.

use serde_json::json;

use super::engine::{Both, Database, Engine};

/// Python expressions, and how each is seen here.
const VALUES: [(&str, &str); 25] = [
    ("None", "null"),
    ("True", "true"),
    ("0", "0"),
    ("-2**63", "-9223372036854775808"),
    ("2**64 - 1", "18446744073709551615"),
    ("1.0", "1.0"),
    ("-0.0", "-0.0"),
    ("1e16", "1e+16"),
    ("5e-324", "5e-324"),
    ("0.1 + 0.2", "0.30000000000000004"),
    ("float('inf')", r#"{" f":"Infinity"}"#),
    ("[-float('inf')]", r#"[{" f":"-Infinity"}]"#),
    ("''", r#""""#),
    (
        "'장바구니 🛒 \\u0000 \"x\"'",
        r#""장바구니 🛒 \u0000 \"x\"""#,
    ),
    ("'x' * 20000", ""),
    ("[]", "[]"),
    (
        "list(range(20))",
        "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]",
    ),
    ("{}", "{}"),
    ("{'z': 1, 'a': {'y': None}}", r#"{"z":1,"a":{"y":null}}"#),
    ("{1: 'a', 'b': {2: 'c'}}", r#"{"1":"a","b":{"2":"c"}}"#),
    ("(1, (2, [3]))", "[1,[2,[3]]]"),
    ("b'\\x00\\x01'", r#"{" b":"AAE="}"#),
    (
        "uuid.UUID('00112233-4455-6677-8899-aabbccddeeff')",
        r#""00112233-4455-6677-8899-aabbccddeeff""#,
    ),
    (
        "datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)",
        r#"{" ext":[-1,"Z3SFgA=="]}"#,
    ),
    ("{' t': [1]}", r#"{" di":{" t__":[1]}}"#),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_flask_wrote_comes_back_to_it() {
    let both = Both::of(&Database::new(Engine::Redis)).await;
    for (value, seen) in VALUES {
        let visitor = both.visitor();
        visitor
            .there(&format!("session['v'] = {value}; session[5] = 'five'"))
            .await;
        let before = visitor.there("pass").await;
        let shown = visitor.raw("v").await;
        assert!(seen.is_empty() || shown == seen, "{value}: {shown}");
        // Another key, another login: a new record with the same value.
        visitor.set("own", &json!(1)).await;
        visitor.here("log_in/7").await;
        let code = "del session['own']; del session['user_id']";
        assert_eq!(visitor.there(code).await, before, "{value}");
        // What is put back as it was seen is what it was.
        visitor.set_raw("copy", &visitor.raw("v").await).await;
        if !value.starts_with("{1:") {
            let same = "assert session['copy'] == session['v'] and type(session['copy']) == type(session['v'])";
            visitor.there(same).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_flask_has_no_form_for_is_kept_here() {
    let both = Both::of(&Database::new(Engine::Redis)).await;
    let visitor = both.visitor();
    let digits = "123456789012345678901234567890";
    visitor.here("log_in/7").await;
    visitor.set_raw("big", digits).await;
    let near = "assert session['big'] == 123456789012345678901234567890.0";
    visitor.there(near).await;
    assert_eq!(visitor.raw("big").await, digits);
    // Flask has changed another key: it is the same number still.
    visitor.there("session['other'] = 1").await;
    assert_eq!(visitor.raw("big").await, digits);
    visitor.there("session['big'] = 5").await;
    assert_eq!(visitor.values().await["big"], 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_shown_once_on_either_side() {
    for format in ["msgpack", "json"] {
        let setting = format!("SESSION_SERIALIZATION_FORMAT={format}");
        let both = Both::with(&Database::new(Engine::Redis), &[&setting], |b| b).await;
        let visitor = both.visitor();
        visitor
            .there("flash('Saved', 'success'); flash('No')")
            .await;
        let expected = json!([
            { "level": "success", "message": "Saved" },
            { "level": "info", "message": "No" },
        ]);
        assert_eq!(visitor.here("flashes").await, expected);
        visitor.there("assert messages() == []").await;
        visitor.here("flash/Careful").await;
        visitor.there("flash('Twice')").await;
        let seen = "assert [tuple(m) for m in messages()] == [('warning', 'Careful'), ('message', 'Twice')], messages()";
        visitor.there(seen).await;
        assert_eq!(visitor.here("flashes").await, json!([]));
    }
}
