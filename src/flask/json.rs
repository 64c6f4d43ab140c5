// Over 250 lines: one pass over a text, whose steps are of no use apart.

//! Between JSON as Flask writes it and JSON as a session keeps it, without a value in between: every digit stays.
//!
//! Flask marks what JSON cannot hold by tags: objects of one member, `{" t":[1,2]}` for a tuple. A session keeps them as
//! they are, so they survive by construction. What remains is NaN and the infinities, which Python writes as bare words.
//! A session keeps them as `{" f":"NaN"}`, a tag of our own.

use std::{cmp::Ordering, ops::Range};

use base64::{Engine, engine::general_purpose::STANDARD};

/// What becomes of a text on the way. In each case it is written as Flask does: keys sorted, no spaces, ASCII alone. So
/// texts of the same meaning are equal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Flask's to Flask's.
    Unchanged,
    /// Flask's to a session's.
    FromFlask,
    /// A session's to Flask's. What looks like a tag and is none is escaped: Flask would fail on reading it.
    ToFlask,
}

/// The members of an object, sorted by key: the key's text between the quotes, and the value's.
pub(super) type Members = Vec<(Box<str>, Box<str>)>;

/// A value in its other form. `None` if it is no JSON, or nested too deeply.
pub(super) fn value(json: &str, way: Way) -> Option<String> {
    let mut transcoder = Transcoder::new(json, way);
    transcoder.value(0)?;
    transcoder.end()?;
    String::from_utf8(transcoder.out).ok()
}

/// The members of an object, each in its other form. `None` also for a value that is no object.
pub(super) fn members(json: &str, way: Way) -> Option<Members> {
    let mut transcoder = Transcoder::new(json, way);
    transcoder.space();
    let members = transcoder.object(0)?;
    transcoder.end()?;
    let text = |range: &Range<usize>| str::from_utf8(&transcoder.out[range.clone()]).ok();
    let member = |Member { key, value }: &Member| Some((text(key)?.into(), text(value)?.into()));
    members.iter().map(member).collect()
}

/// The text of a string between its quotes, as Flask writes it.
pub(super) fn key(text: &str) -> Box<str> {
    let json = serde_json::to_string(text).expect("a string has a JSON form");
    let written = value(&json, Way::Unchanged).expect("it is JSON");
    written[1..written.len() - 1].into()
}

/// The string with this text between its quotes. `None` for half of a surrogate pair, which Python has and Rust does not.
pub(super) fn unescaped(key: &str) -> Option<String> {
    match key.contains('\\') {
        false => Some(key.to_owned()),
        true => serde_json::from_str(&format!("\"{key}\"")).ok(),
    }
}

/// The order of Python's strings: by code point.
pub(super) fn compare_keys(one: &str, other: &str) -> Ordering {
    match one.contains('\\') || other.contains('\\') {
        false => one.cmp(other),
        true => code_points(one).cmp(code_points(other)),
    }
}

/// Whether Flask takes an object for a tagged value if this is its only key.
pub(super) fn is_tag(key: &str) -> bool {
    matches!(key, " t" | " b" | " m" | " u" | " d" | " di")
}

/// What an escaped tag holds: of `" t__"`, `" t"`.
pub(super) fn escaped_tag(key: &str) -> Option<&str> {
    let tag = key.strip_suffix("__")?;
    (is_tag(tag) || tag == FLOAT).then_some(tag)
}

/// The tag of a float that JSON lacks.
const FLOAT: &str = " f";

/// Python itself does not write more.
const MAX_DEPTH: usize = 400;

/// Of what was written, without the quotes of the key.
struct Member {
    key: Range<usize>,
    value: Range<usize>,
}

struct Transcoder<'a> {
    rest: &'a [u8],
    way: Way,
    out: Vec<u8>,
}

impl<'a> Transcoder<'a> {
    fn new(json: &'a str, way: Way) -> Self {
        Self {
            rest: json.as_bytes(),
            way,
            out: Vec::with_capacity(json.len() + 16),
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        self.space();
        match self.rest.first()? {
            b'{' => {
                let start = self.out.len();
                let members = self.object(depth)?;
                self.tagged(start, &members)
            }
            b'[' => self.array(depth),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.word(),
        }
    }

    fn end(&mut self) -> Option<()> {
        self.space();
        self.rest.is_empty().then_some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.expect(b'[')?;
        self.out.push(b'[');
        if !self.skip(b']') {
            loop {
                self.value(depth_below(depth)?)?;
                if self.skip(b']') {
                    break;
                }
                self.expect(b',')?;
                self.out.push(b',');
            }
        }
        self.out.push(b']');
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<Vec<Member>> {
        self.expect(b'{')?;
        let start = self.out.len();
        self.out.push(b'{');
        let mut members = Vec::new();
        if !self.skip(b'}') {
            loop {
                members.push(self.member(depth_below(depth)?)?);
                if self.skip(b'}') {
                    break;
                }
                self.expect(b',')?;
                self.out.push(b',');
            }
        }
        self.out.push(b'}');
        self.sort(start, &mut members);
        Some(members)
    }

    fn member(&mut self, depth: usize) -> Option<Member> {
        self.space();
        let key = self.out.len() + 1;
        self.string()?;
        let key = key..self.out.len() - 1;
        self.expect(b':')?;
        self.out.push(b':');
        let value = self.out.len();
        self.value(depth)?;
        let value = value..self.out.len();
        Some(Member { key, value })
    }

    /// Sorts the members that were written from `start` on. Of a repeated key the last counts.
    fn sort(&mut self, start: usize, members: &mut Vec<Member>) {
        let key = |member: &Member, out: &[u8]| text(&out[member.key.clone()]).to_owned();
        let out = &self.out;
        let in_order = |pair: &[Member]| {
            let [one, other] = [&pair[0], &pair[1]].map(|member| text(&out[member.key.clone()]));
            compare_keys(one, other) == Ordering::Less
        };
        if members.windows(2).all(in_order) {
            return;
        }
        let unsorted = self.out.split_off(start);
        let mut written: Vec<(String, Range<usize>)> = members
            .iter()
            .map(|member| {
                let at = |at: usize| at - start;
                let shifted = Member {
                    key: at(member.key.start)..at(member.key.end),
                    value: at(member.value.start)..at(member.value.end),
                };
                (key(&shifted, &unsorted), shifted.value)
            })
            .collect();
        // The later one first, so that it is the one that stays.
        written.reverse();
        written.sort_by(|one, other| compare_keys(&one.0, &other.0));
        written.dedup_by(|later, first| later.0 == first.0);
        members.clear();
        self.out.push(b'{');
        for (index, (name, value)) in written.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.push(b'"');
            let key = self.out.len()..self.out.len() + name.len();
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"\":");
            let start = self.out.len();
            self.out.extend_from_slice(&unsorted[value.clone()]);
            let value = start..self.out.len();
            members.push(Member { key, value });
        }
        self.out.push(b'}');
    }

    fn string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        self.out.push(b'"');
        loop {
            let (run, rest) = self.rest.split_at(plain_len(self.rest));
            self.out.extend_from_slice(run);
            self.rest = rest;
            match rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    self.out.push(b'"');
                    return Some(());
                }
                [b'\\', escape, rest @ ..] => {
                    self.rest = rest;
                    self.escape(*escape)?;
                }
                // DEL, which is to be escaped, and what is not ASCII.
                [byte, ..] if *byte >= 0x7f => self.character()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self, escape: u8) -> Option<()> {
        match escape {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.out.extend_from_slice(&[b'\\', escape]);
            }
            b'/' => self.out.push(b'/'),
            b'u' => {
                let (digits, rest) = self.rest.split_at_checked(4)?;
                let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
                let unit = u16::from_str_radix(text(digits), 16)
                    .ok()
                    .filter(|_| is_hex)?;
                self.rest = rest;
                self.unit(unit);
            }
            _ => return None,
        }
        Some(())
    }

    fn character(&mut self) -> Option<()> {
        // A whole character begins here, as the text is UTF-8: no more of it is looked at.
        let length = match self.rest[0] {
            0xf0.. => 4,
            0xe0.. => 3,
            0xc0.. => 2,
            _ => 1,
        };
        let (character, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        let character = str::from_utf8(character).ok()?.chars().next()?;
        for unit in character.encode_utf16(&mut [0; 2]) {
            self.unit(*unit);
        }
        Some(())
    }

    /// A unit of UTF-16 as Python writes it.
    fn unit(&mut self, unit: u16) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let escaped = match unit {
            0x22 | 0x5c => unit as u8,
            0x08 => b'b',
            0x09 => b't',
            0x0a => b'n',
            0x0c => b'f',
            0x0d => b'r',
            0x20..=0x7e => return self.out.push(unit as u8),
            _ => {
                let digit = |shift: u16| HEX[usize::from(unit >> shift & 0xf)];
                let digits = [digit(12), digit(8), digit(4), digit(0)];
                self.out.extend_from_slice(b"\\u");
                return self.out.extend_from_slice(&digits);
            }
        };
        self.out.extend_from_slice(&[b'\\', escaped]);
    }

    fn number(&mut self) -> Option<()> {
        if self.rest.starts_with(b"-I") {
            return self.word();
        }
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let end = self.rest.iter().position(|byte| !is_part(byte));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let is_number = match number {
            [b'0'] | [b'1'..=b'9'] => true,
            // Any number of digits, however large.
            _ => serde_json::from_slice::<&serde_json::value::RawValue>(number).is_ok(),
        };
        self.rest = rest;
        self.out.extend_from_slice(number);
        is_number.then_some(())
    }

    fn word(&mut self) -> Option<()> {
        const WORDS: [&[u8]; 6] = [
            b"null",
            b"true",
            b"false",
            b"NaN",
            b"Infinity",
            b"-Infinity",
        ];
        let place = WORDS.iter().position(|word| self.rest.starts_with(word))?;
        let word = WORDS[place];
        self.rest = &self.rest[word.len()..];
        match (place, self.way) {
            (..3, _) | (_, Way::Unchanged) => self.out.extend_from_slice(word),
            (_, Way::FromFlask) => {
                self.out.extend_from_slice(b"{\" f\":\"");
                self.out.extend_from_slice(word);
                self.out.extend_from_slice(b"\"}");
            }
            // A session holds JSON.
            (_, Way::ToFlask) => return None,
        }
        Some(())
    }

    /// The object that was written from `start` on may be a tagged value.
    fn tagged(&mut self, start: usize, members: &[Member]) -> Option<()> {
        let [Member { key, value }] = members else {
            return Some(());
        };
        let (key, value) = (text(&self.out[key.clone()]), text(&self.out[value.clone()]));
        let changed = match self.way {
            Way::FromFlask if key == FLOAT => Some(escaped(key, value)),
            Way::ToFlask if key == FLOAT => float(value).map(str::to_owned),
            Way::ToFlask if is_tag(key) => match is_readable(key, value) {
                true => escaped_float(key, value),
                false => Some(escaped(key, value)),
            },
            _ => None,
        };
        if let Some(changed) = changed {
            self.out.truncate(start);
            self.out.extend_from_slice(changed.as_bytes());
        }
        Some(())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn skip(&mut self, byte: u8) -> bool {
        self.space();
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip(byte).then_some(())
    }
}

fn depth_below(depth: usize) -> Option<usize> {
    (depth < MAX_DEPTH).then_some(depth + 1)
}

/// What a string holds as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) & (byte != b'"') & (byte != b'\\')
}

/// How many bytes a string holds as they are before one that it does not.
fn plain_len(bytes: &[u8]) -> usize {
    const CHUNK: usize = 16;
    // Without a branch for each byte the compiler takes a chunk at once.
    let is_plain_chunk = |chunk: &&[u8; CHUNK]| {
        let plain = chunk.iter().map(|byte| is_plain(*byte));
        plain.fold(true, |all, byte| all & byte)
    };
    let (chunks, _) = bytes.as_chunks::<CHUNK>();
    let whole = CHUNK * chunks.iter().take_while(is_plain_chunk).count();
    let rest = bytes[whole..].iter();
    whole + rest.take_while(|byte| is_plain(**byte)).count()
}

/// Of what was written, which is ASCII.
fn text(ascii: &[u8]) -> &str {
    str::from_utf8(ascii).unwrap_or_default()
}

fn escaped(key: &str, value: &str) -> String {
    format!(r#"{{" di":{{"{key}__":{value}}}}}"#)
}

/// The word for a float that has our tag.
fn float(value: &str) -> Option<&str> {
    let word = value.strip_prefix('"')?.strip_suffix('"')?;
    matches!(word, "NaN" | "Infinity" | "-Infinity").then_some(word)
}

/// What Flask calls `{" f":…}`, for our escape of it.
fn escaped_float(key: &str, value: &str) -> Option<String> {
    let inner = value.strip_prefix(r#"{" f__":"#)?.strip_suffix('}')?;
    (key == " di").then(|| format!(r#"{{" f":{inner}}}"#))
}

/// Whether Flask can read what has this tag.
fn is_readable(tag: &str, value: &str) -> bool {
    let string = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    match tag {
        " t" => value.starts_with('['),
        " b" => string.is_some_and(|text| STANDARD.decode(text).is_ok()),
        " u" => string.is_some_and(|text| {
            text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        }),
        " m" | " d" => string.is_some(),
        _ => match &*members(value, Way::Unchanged).unwrap_or_default() {
            [(key, _)] => escaped_tag(key).is_some(),
            _ => false,
        },
    }
}

/// The code points of a string's text, between its quotes.
fn code_points(text: &str) -> impl Iterator<Item = u32> {
    let mut units = utf16_units(text).peekable();
    std::iter::from_fn(move || {
        let unit = u32::from(units.next()?);
        let low = units.peek().map(|unit| u32::from(*unit));
        match (unit, low) {
            (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                units.next();
                Some(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
            }
            _ => Some(unit),
        }
    })
}

fn utf16_units(text: &str) -> impl Iterator<Item = u16> {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        if byte != b'\\' {
            return Some(u16::from(byte));
        }
        Some(match bytes.next()? {
            b'b' => 0x08,
            b't' => 0x09,
            b'n' => 0x0a,
            b'f' => 0x0c,
            b'r' => 0x0d,
            b'u' => (0..4).fold(0, |unit, _| {
                let digit = bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                unit << 4 | digit.unwrap_or_default() as u16
            }),
            other => u16::from(other),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_as_python_writes_it() {
        let table = [
            (r#" { "b" : 1 , "a" : [ ] } "#, r#"{"a":[],"b":1}"#),
            (
                "\"장 é \u{7f} 🛒 /\"",
                r#""\uc7a5 \u00e9 \u007f \ud83d\uded2 /""#,
            ),
            (
                r#""\u0041\u00E9\/\u000a\u0022\u005c""#,
                r#""A\u00e9/\n\"\\""#,
            ),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (
                r#"[1.50,-0,1E+3,123456789012345678901234567890]"#,
                "[1.50,-0,1E+3,123456789012345678901234567890]",
            ),
            (r#""\ud800""#, r#""\ud800""#),
            (
                "[NaN,Infinity,-Infinity,null,true,false]",
                "[NaN,Infinity,-Infinity,null,true,false]",
            ),
            // U+FF5E comes before U+1F6D2, though not in UTF-16.
            (
                r#"{"🛒":1,"～":2,"z":3}"#,
                r#"{"z":3,"\uff5e":2,"\ud83d\uded2":1}"#,
            ),
        ];
        for (text, written) in table {
            assert_eq!(
                value(text, Way::Unchanged).as_deref(),
                Some(written),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let long = "[".repeat(MAX_DEPTH + 2) + &"]".repeat(MAX_DEPTH + 2);
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "01",
            "1.",
            "-",
            "+1",
            ".5",
            "1e",
            "nul",
            "NaNN",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\n\"",
            "{a:1}",
            "1 2",
            "'a'",
            "\u{a0}1",
            &long,
        ] {
            assert!(value(text, Way::Unchanged).is_none(), "{text:.20}");
        }
        let deep = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
        assert_eq!(value(&deep, Way::Unchanged), Some(deep));
        assert_eq!(members("[]", Way::Unchanged), None);
    }

    #[test]
    fn what_flask_writes_survives_a_session() {
        for text in [
            r#"{" t":[1,{" b":"AAE="}]}"#,
            r#"{" di":{" t__":[1]}}"#,
            r#"{" di":{" di__":{" f__":1}}}"#,
            r#"{" f":"NaN"}"#,
            r#"{" f":{" f":[NaN]}}"#,
            r#"{" f__":NaN}"#,
            r#"[NaN,Infinity,-Infinity,{"a":NaN}]"#,
            r#"{" m":"<b>"}"#,
            r#"{" u":"00112233445566778899aabbccddeeff"}"#,
            r#"{" d":"Wed, 01 Jan 2025 00:00:00 GMT"}"#,
        ] {
            let kept = value(text, Way::FromFlask).unwrap();
            assert!(
                serde_json::from_str::<&serde_json::value::RawValue>(&kept).is_ok(),
                "{kept}"
            );
            assert_eq!(value(&kept, Way::ToFlask).as_deref(), Some(text), "{kept}");
        }
    }

    #[test]
    fn what_looks_like_a_tag_and_is_none_is_escaped() {
        for (tag, held) in [
            (" t", "5"),
            (" b", "\"x\""),
            (" b", "[]"),
            (" m", "1"),
            (" u", "\"12\""),
            (" d", "null"),
            (" di", "[]"),
            (" di", r#"{"a":1}"#),
            (" di", r#"{" t":[1]}"#),
            (" di", r#"{" t__":1,"a":2}"#),
        ] {
            let text = format!(r#"{{"{tag}":{held}}}"#);
            let written = value(&text, Way::ToFlask).unwrap();
            assert_eq!(written, format!(r#"{{" di":{{"{tag}__":{held}}}}}"#));
        }
        // With another member it is an object like any other.
        let text = r#"{" t":5,"a":1}"#;
        assert_eq!(value(text, Way::ToFlask).as_deref(), Some(text));
    }

    #[test]
    fn keys_are_escaped_and_back() {
        for text in ["", "cart", "장바구니 🛒", "a\"b\\c\n\u{7f}"] {
            assert_eq!(unescaped(&key(text)).as_deref(), Some(text));
        }
        assert_eq!(unescaped(r"\ud800"), None);
    }
}
