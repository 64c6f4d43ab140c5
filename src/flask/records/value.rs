//! Between a value as Flask-Session writes it and the JSON that a session keeps.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rmpv::{Value, decode::read_value, encode::write_value};

use super::{
    super::{flashes, json},
    serialization::FlaskSerialization::{self, Json, MsgPack},
};

/// A value of Flask's as a session keeps it. `None` if it is damaged.
pub(super) fn to_session(format: FlaskSerialization, key: &str, value: &[u8]) -> Option<String> {
    let text = match format {
        Json => String::from_utf8(value.to_vec()).ok()?,
        MsgPack => {
            let mut text = String::new();
            write_json(&read_value(&mut &*value).ok()?, &mut text);
            text
        }
    };
    match key {
        flashes::KEY => Some(flashes::from_flask(&text).map_or(text, |raw| raw.get().to_owned())),
        _ => Some(text),
    }
}

/// A value of a session as Flask-Session writes it, as near as that can be.
pub(super) fn to_flask(format: FlaskSerialization, key: &str, text: &str) -> Vec<u8> {
    let messages = (key == flashes::KEY)
        .then(|| flashes::to_flask(text))
        .flatten();
    match (format, messages) {
        (Json, None) => text.into(),
        (Json, Some(messages)) => {
            let mut json = String::new();
            write_json(&untagged(parsed(&messages)), &mut json);
            json.into()
        }
        (MsgPack, messages) => {
            let mut bytes = Vec::new();
            let value = untagged(parsed(messages.as_deref().unwrap_or(text)));
            write_value(&mut bytes, &value).expect("a vector takes all");
            bytes
        }
    }
}

/// A text that is a key, or a value of ours.
pub(super) fn text(format: FlaskSerialization, text: &str) -> Vec<u8> {
    match format {
        Json => serde_json::to_vec(text).expect("a text has a JSON form"),
        MsgPack => {
            let mut bytes = Vec::new();
            write_value(&mut bytes, &text.into()).expect("a vector takes all");
            bytes
        }
    }
}

/// A value that [`text`] wrote, maybe in other words.
pub(super) fn read_text(format: FlaskSerialization, value: &[u8]) -> Option<String> {
    match format {
        Json => serde_json::from_slice(value).ok(),
        MsgPack => match read_value(&mut &*value).ok()? {
            Value::String(text) => text.into_str(),
            _ => None,
        },
    }
}

/// What msgpack has no word for, as a number of too many digits or too deep a list, is shown to Flask as the text of it.
fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}

const FLOAT: &str = " f";
const EXT: &str = " ext";

fn is_tag(key: &str) -> bool {
    json::is_tag(key) || matches!(key, FLOAT | EXT)
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Boolean(boolean) => out.push_str(if *boolean { "true" } else { "false" }),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::F32(number) => write_float((*number).into(), out),
        Value::F64(number) => write_float(*number, out),
        Value::String(text) => match text.as_str() {
            Some(text) => write_text(text, out),
            None => write_tagged(" b", text.as_bytes(), out),
        },
        Value::Binary(bytes) => write_tagged(" b", bytes, out),
        Value::Ext(kind, bytes) => {
            let bytes = BASE64.encode(bytes);
            out.push_str(&format!(r#"{{"{EXT}":[{kind},"{bytes}"]}}"#));
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Map(members) => write_object(members, out),
    }
}

fn write_object(members: &[(Value, Value)], out: &mut String) {
    let lookalike = match members {
        [(Value::String(key), value)] => key.as_str().filter(|key| is_tag(key)).zip(Some(value)),
        _ => None,
    };
    if let Some((key, value)) = lookalike {
        out.push_str(r#"{" di":{"#);
        write_text(&format!("{key}__"), out);
        out.push(':');
        write_json(value, out);
        return out.push_str("}}");
    }
    out.push('{');
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match key.as_str() {
            Some(key) => write_text(key, out),
            // As JSON writes the keys of Python's that are no texts.
            None => {
                let mut text = String::new();
                write_json(key, &mut text);
                write_text(&text, out);
            }
        }
        out.push(':');
        write_json(value, out);
    }
    out.push('}');
}

fn write_float(number: f64, out: &mut String) {
    let name = match number {
        _ if number.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => {
            return out.push_str(&serde_json::to_string(&number).expect("it is finite"));
        }
    };
    out.push_str(&format!(r#"{{"{FLOAT}":"{name}"}}"#));
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a text has a JSON form"));
}

fn write_tagged(tag: &str, bytes: &[u8], out: &mut String) {
    out.push_str(&format!(r#"{{"{tag}":"{}"}}"#, BASE64.encode(bytes)));
}

/// What the tags stand for, as far as msgpack has it.
fn untagged(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(untagged).collect()),
        Value::Map(members) => match &*members {
            [(Value::String(tag), inner)] => {
                match tag.as_str().and_then(|tag| tagged(tag, inner)) {
                    Some(value) => value,
                    None => Value::Map(untagged_members(members)),
                }
            }
            _ => Value::Map(untagged_members(members)),
        },
        other => other,
    }
}

fn untagged_members(members: Vec<(Value, Value)>) -> Vec<(Value, Value)> {
    let members = members.into_iter();
    members.map(|(key, value)| (key, untagged(value))).collect()
}

fn tagged(tag: &str, inner: &Value) -> Option<Value> {
    match (tag, inner) {
        (" t", Value::Array(_)) => Some(untagged(inner.clone())),
        (" m" | " u" | " d", Value::String(_)) => Some(inner.clone()),
        (" b", Value::String(text)) => Some(Value::Binary(BASE64.decode(text.as_str()?).ok()?)),
        (FLOAT, Value::String(text)) => match text.as_str()? {
            "NaN" => Some(f64::NAN.into()),
            "Infinity" => Some(f64::INFINITY.into()),
            "-Infinity" => Some(f64::NEG_INFINITY.into()),
            _ => None,
        },
        (EXT, Value::Array(parts)) => match &**parts {
            [kind, Value::String(text)] => {
                let kind = i8::try_from(kind.as_i64()?).ok()?;
                Some(Value::Ext(kind, BASE64.decode(text.as_str()?).ok()?))
            }
            _ => None,
        },
        (" di", Value::Map(members)) => match &**members {
            [(Value::String(key), value)] => {
                let key = key.as_str()?.strip_suffix("__").filter(|key| is_tag(key))?;
                Some(Value::Map(vec![(key.into(), untagged(value.clone()))]))
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(format: FlaskSerialization, text: &str) -> Option<String> {
        to_session(format, "key", &to_flask(format, "key", text))
    }

    #[test]
    fn values_of_every_kind_survive() {
        for text in [
            "null",
            "true",
            "0",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "1.0",
            "-0.0",
            "1e+300",
            r#""""#,
            r#""\u0000\"\\é🛒""#,
            "[]",
            r#"[1,[2,{"z":1,"y":[]}],"x"]"#,
            r#"{}"#,
            r#"{"z":1,"a":{"z":1,"y":2}}"#,
            r#"{" b":"AAE="}"#,
            r#"{" f":"NaN"}"#,
            r#"{" f":"-Infinity"}"#,
            r#"{" ext":[-1,"Z3SFgA=="]}"#,
            r#"{" di":{" t__":[1]}}"#,
            r#"{" di":{" di__":{" b":"AAE="}}}"#,
        ] {
            for format in [MsgPack, Json] {
                let back = there_and_back(format, text);
                assert_eq!(back.as_deref(), Some(text), "{format:?}");
            }
        }
    }

    #[test]
    fn what_msgpack_lacks_comes_near() {
        for (text, seen) in [
            ("1.000", "1.0"),
            ("18446744073709551616", "1.8446744073709552e+19"),
            ("1e400", r#""1e400""#),
            (r#"{" t":[1,2]}"#, "[1,2]"),
            (r#"{" m":"<b>"}"#, r#""<b>""#),
        ] {
            let back = there_and_back(MsgPack, text);
            assert_eq!(back.as_deref(), Some(seen), "{text}");
            assert_eq!(there_and_back(Json, text).as_deref(), Some(text));
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let back = there_and_back(MsgPack, &deep);
        assert_eq!(back, Some(format!("\"{deep}\"")));
    }

    #[test]
    fn messages_are_pairs_on_the_one_side_and_have_a_level_on_the_other() {
        let flask = Value::Array(vec![Value::Array(vec!["success".into(), "Saved".into()])]);
        let mut bytes = Vec::new();
        write_value(&mut bytes, &flask).unwrap();
        let kept = to_session(MsgPack, flashes::KEY, &bytes).unwrap();
        assert!(kept.contains(r#""level":"success""#), "{kept}");
        assert_eq!(to_flask(MsgPack, flashes::KEY, &kept), bytes);
        let json = to_flask(Json, flashes::KEY, &kept);
        assert_eq!(json, br#"[["success","Saved"]]"#);
    }
}
