//! Whatever Flask can write comes back to it unchanged.

use serde_json::json;

use crate::{
    python,
    there::There,
    visitor::{KEY, Visitor},
};

/// Python expressions, each of a value that survives Flask's own cookie.
const VALUES: [&str; 40] = [
    "None",
    "True",
    "0",
    "-1",
    "10**40",
    "-(2**64)",
    "1.0",
    "-0.0",
    "1e16",
    "1e-7",
    "5e-324",
    "1.7976931348623157e308",
    "0.1 + 0.2",
    "float('nan')",
    "float('inf')",
    "-float('inf')",
    "[float('nan'), {'a': float('inf')}]",
    "''",
    "'plain'",
    "'장바구니 🛒 \\u0000 \\x7f \"quoted\" \\\\ / \\u2028'",
    "'\\ud800'",
    "[]",
    "{}",
    "()",
    "(1, (2, [3, (4,)]))",
    "b''",
    "bytes(range(256))",
    "Markup('<b>&amp;</b>')",
    "uuid.UUID('00112233-4455-6677-8899-aabbccddeeff')",
    "datetime.datetime(2025, 1, 1, 12, 30, 59, tzinfo=datetime.timezone.utc)",
    "{' t': [1]}",
    "{' di': {' t__': 1}}",
    "{' b': 'x'}",
    "{' u': None}",
    "{' f': 'NaN'}",
    "{' f': float('nan')}",
    "{' f__': 1, 'a': 2}",
    "{' f__': 1}",
    "{' t__': (1,)}",
    "{'장': {'z': 1, 'a': [None, True]}, '': 0, '🛒': 1, '～': 2}",
];

async fn come_back(there: &There) {
    let visitor = Visitor::of(there).await;
    for (number, value) in VALUES.into_iter().enumerate() {
        let before = visitor
            .there(&format!(
                "session.clear(); session['v'] = {value}; session['키 {number}'] = 1"
            ))
            .await;
        let read_back = visitor.there("pass").await;
        let n = json!(number);
        visitor.set("here", &n).await;
        let after = visitor.there("del session['here']").await;
        assert_eq!(after, read_back, "{value}, first {before}");
        // And again, when Flask has written what we wrote.
        visitor.set("here", &n).await;
        assert_eq!(
            visitor.there("del session['here']").await,
            read_back,
            "{value}"
        );
    }
}

#[tokio::test]
async fn through_flask_3_0() {
    come_back(&There::flask(python::wiz(), KEY, &[])).await;
}

#[tokio::test]
async fn through_flask_3_1() {
    come_back(&There::flask(python::flask_3_1(), KEY, &[])).await;
}

/// All at once, which is compressed, and keys that look like tags or are no strings of Rust's.
#[tokio::test]
async fn a_whole_session_of_them() {
    let there = There::flask(python::flask_3_1(), KEY, &[]);
    let visitor = Visitor::of(&there).await;
    let all = VALUES.iter().enumerate();
    let all: Vec<_> = all
        .map(|(number, value)| format!("session['{number:02}'] = {value}"))
        .collect();
    visitor.there(&all.join("\n")).await;
    let before = visitor
        .there("session['\\ud800'] = 1; session[' t'] = (1,)")
        .await;
    visitor.set("here", &json!(1)).await;
    assert_eq!(visitor.there("del session['here']").await, before);
    for key in [" t", " di", " f", "\\ud800"] {
        let before = visitor
            .there(&format!("session.clear(); session['{key}'] = (1,)"))
            .await;
        visitor.set("here", &json!(1)).await;
        assert_eq!(visitor.there("del session['here']").await, before);
    }
}

/// What is set here and looks like a tag would break Flask's reading, were it not escaped.
#[tokio::test]
async fn nothing_that_is_set_here_breaks_flask() {
    let there = There::flask(python::flask_3_1(), KEY, &[]);
    let visitor = Visitor::of(&there).await;
    for (value, seen) in [
        (json!({ " b": "not base64!" }), "{' b': 'not base64!'}"),
        (json!({ " t": 5 }), "{' t': 5}"),
        (json!({ " u": "12" }), "{' u': '12'}"),
        (json!({ " di": 5 }), "{' di': 5}"),
        (json!({ " di": {} }), "{' di': {}}"),
        (json!({ " di": { "a": 1 } }), "{' di': {'a': 1}}"),
        (json!({ " t": [1, 2] }), "(1, 2)"),
        (json!({ " b": "AAE=" }), "b'\\x00\\x01'"),
        (json!({ " d": "never" }), "None"),
        (json!({ " f": "Infinity" }), "inf"),
        (json!({ " f": "NaNa" }), "{' f': 'NaNa'}"),
    ] {
        visitor.set("v", &value).await;
        assert_eq!(
            visitor.there("pass").await,
            format!("{{'v': {seen}}}"),
            "{value}"
        );
        visitor.there("session['w'] = 1").await;
        visitor.there("session.pop('w')").await;
        assert!(visitor.values().await.get("v").is_some());
    }
}
