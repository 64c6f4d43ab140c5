//! A Flask cookie of 4 KB, read and written by the bridge's codec, and by itsdangerous.

use std::{hint::black_box, process::Command, time::SystemTime};

use wiz_session::flask::{FlaskCookie, FlaskData};

use super::parts::nanoseconds;
use crate::table::Table;

const KEY: &str = "a key of Flask's";

/// As Flask does it: the serialiser that it makes for each request, with its tags.
const ITSDANGEROUS: &str = "
import sys, timeit, flask
app = flask.Flask('bench'); app.secret_key = sys.argv[1]
signer = lambda: flask.sessions.SecureCookieSessionInterface().get_signing_serializer(app)
with app.app_context():
    read = timeit.repeat(lambda: signer().loads(sys.argv[2], max_age=9999), number=200, repeat=15)
    data = signer().loads(sys.argv[2])
    write = timeit.repeat(lambda: signer().dumps(data), number=200, repeat=15)
print(sorted(read)[7] / 200 * 1e9, sorted(write)[7] / 200 * 1e9)
";

pub fn measure() {
    eprintln!("flask");
    let mut table = Table::new([
        "cookie of 4 KB",
        "read, µs",
        "write, µs",
        "itsdangerous: read, µs",
        "write, µs",
    ]);
    // Flask compresses both: even random text is shorter then.
    for (name, is_random) in [("of random text", true), ("of many short texts", false)] {
        let cookie = FlaskCookie::builder(KEY).build().expect("a key");
        let now = SystemTime::now();
        // As much as fits.
        let sessions = (1..).map(|size| session(is_random, size));
        let fits = |data: &FlaskData| cookie.encode(data, now).len() <= 4_050;
        let data = sessions.take_while(fits).last().expect("a small one fits");
        let value = cookie.encode(&data, now);
        assert!((3_900..4_096).contains(&value.len()), "{}", value.len());
        let read =
            nanoseconds(|| black_box(cookie.decode(black_box(&value), now)).expect("it is good"));
        let write = nanoseconds(|| black_box(cookie.encode(black_box(&data), now)));
        let [their_read, their_write] = itsdangerous(&value);
        let micros = |ns: f64| format!("{:.1}", ns / 1_000.0);
        table.row([
            name.to_owned(),
            micros(read),
            micros(write),
            their_read,
            their_write,
        ]);
    }
    table.print("Flask's cookie");
}

fn session(is_random: bool, size: usize) -> FlaskData {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut data = FlaskData::default();
    let mut set = |key: &str, value: String| data.set(key, value).expect("a text");
    match is_random {
        true => set("text", (0..10 * size).map(|_| rng.alphanumeric()).collect()),
        false => {
            for number in 0..size {
                let value = format!("{:016x} and what else belongs to it", rng.u64(..));
                set(&format!("key_{number}"), value);
            }
        }
    }
    data
}

fn itsdangerous(value: &str) -> [String; 2] {
    let python = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/flask/flask-3.1.3/bin/python"
    );
    let output = Command::new(python)
        .args(["-c", ITSDANGEROUS, KEY, value])
        .output();
    let said = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let mut figures = said
        .split_whitespace()
        .filter_map(|figure| figure.parse::<f64>().ok());
    // `cargo test --test flask` installs it there.
    [(); 2].map(|()| {
        figures
            .next()
            .map_or("no Flask".to_owned(), |ns| format!("{:.1}", ns / 1_000.0))
    })
}
