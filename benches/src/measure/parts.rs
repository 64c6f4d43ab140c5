//! What the work of a request costs by itself: the floor under a session layer on this machine.

use std::{
    hint::black_box,
    slice,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Instant, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use hmac::{Hmac, Mac};
use http::{
    Extensions, HeaderMap, HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE, VARY},
};
use memchr::memmem;
use sha2::{Digest, Sha256, compress256};
use wiz_session::{Handle, SessionStore};

use super::time;
use crate::{
    contestants::{
        OURS,
        wiz_session::{filled, now},
    },
    scenario,
    stats::median,
    table::Table,
};

const REPEATS: usize = 1_000;
const ROUNDS: usize = 101;

pub fn measure() {
    eprintln!("parts");
    read();
    others();
    store_calls();
}

/// The parts that a request needs which reads one key, beside what the library takes for it.
fn read() {
    const READ: &str = "3 keys, read";
    let mut table = Table::new(["part of a request that reads a key", "ns"]);
    let mut sum = 0.0;
    let mut part = |name: &str, ns: f64| {
        sum += ns;
        table.row([name.to_owned(), format!("{ns:.0}")]);
    };
    part(
        "a fourth extension in the request: the table grows",
        extension(),
    );
    part(
        "the other three allocations: its box, the slot, the state",
        3.0 * allocation(),
    );
    let line = format!("__Host-sid={}", "a".repeat(75));
    let name = memmem::Finder::new("__Host-sid");
    let find = || black_box(name.find(black_box(line.as_bytes())));
    part("find the cookie", nanoseconds(find));
    part(
        "SHA-256: two blocks for the id's HMAC, key schedule kept, and one for its handle",
        nanoseconds(three_blocks),
    );
    let encode = || {
        let mut out = [0; 43];
        black_box(BASE64URL.encode_slice(black_box([7; 32]), &mut out)).expect("it fits");
        black_box(out);
    };
    part("base64 of the MAC", nanoseconds(encode));
    part("the clock", nanoseconds(|| black_box(SystemTime::now())));
    part("load the record, of 1,000", load(1_000));
    let number = || black_box(serde_json::from_slice::<u64>(black_box(b"100000")));
    part("parse the value", nanoseconds(number));
    part("`Vary: Cookie`", vary());
    part(
        "reference counts and locks, some twenty, which nobody else holds",
        20.0 * nanoseconds(atomic),
    );
    table.row(["sum".to_owned(), format!("{sum:.0}")]);
    let times = time::figures([scenario::titled(READ)]);
    let ours = times[&(READ.to_owned(), OURS)];
    table.row(["the library, over `noop`".to_owned(), format!("{ours:.0}")]);
    table.print("Where the time of a read goes");
}

fn others() {
    let mut table = Table::new(["part of others", "ns"]);
    let mut part = |name: &str, ns: f64| table.row([name.to_owned(), format!("{ns:.0}")]);
    let schedule = || {
        let key = Hmac::<Sha256>::new_from_slice(black_box(&[7; 32])).expect("any length will do");
        black_box(key.chain_update(black_box([b'a'; 32])).finalize());
    };
    part("HMAC-SHA256, key scheduled anew", nanoseconds(schedule));
    let key = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length will do");
    let kept = || black_box(key.clone().chain_update(black_box([b'a'; 32])).finalize());
    part("the same, key schedule kept", nanoseconds(kept));
    let hash = || black_box(Sha256::digest(black_box([b'a'; 32])));
    part(
        "SHA-256 of 32 bytes, by its crate's interface",
        nanoseconds(hash),
    );
    let random = || {
        let mut bytes = [0_u8; 16];
        getrandom::getrandom(&mut bytes).expect("there is randomness");
        black_box(bytes);
    };
    part("16 random bytes from the system", nanoseconds(random));
    part(
        "`Uuid::new_v4`",
        nanoseconds(|| black_box(uuid::Uuid::new_v4())),
    );
    table.print("Other parts");
}

/// Two that follow each other, and one by itself.
fn three_blocks() {
    let block = black_box([b'a'; 64]);
    let blocks = slice::from_ref((&block).into());
    let [mut mac, mut handle] = [[7; 8]; 2];
    compress256(&mut mac, blocks);
    compress256(&mut mac, blocks);
    compress256(&mut handle, blocks);
    black_box((mac, handle));
}

fn atomic() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    COUNT.fetch_add(1, Ordering::AcqRel)
}

fn allocation() -> f64 {
    nanoseconds(|| black_box(Vec::<u8>::with_capacity(black_box(256))))
}

/// What the fourth costs, where axum puts in three. Empty types need no box.
fn extension() -> f64 {
    #[derive(Clone)]
    struct One;
    #[derive(Clone)]
    struct Two;
    #[derive(Clone)]
    struct Three;
    #[derive(Clone)]
    struct Four;
    let three = || {
        let mut extensions = Extensions::new();
        extensions.insert(One);
        extensions.insert(Two);
        extensions.insert(Three);
        extensions
    };
    let fewer = nanoseconds(|| black_box(three()));
    let more = nanoseconds(|| {
        let mut extensions = three();
        extensions.insert(Four);
        black_box(extensions);
    });
    more - fewer
}

/// What a third header costs, and to look whether it is there.
fn vary() -> f64 {
    const OK: HeaderValue = HeaderValue::from_static("ok");
    let two = || {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, OK);
        headers.insert(CONTENT_LENGTH, OK);
        headers
    };
    let fewer = nanoseconds(|| black_box(two()));
    let more = nanoseconds(|| {
        let mut headers = two();
        if !headers.contains_key(VARY) {
            headers.append(VARY, OK);
        }
        black_box(headers);
    });
    more - fewer
}

fn load(count: usize) -> f64 {
    let (store, handles, _) = filled(count);
    let mut next = 0;
    nanoseconds(|| {
        next = (next + 1) % handles.len();
        black_box(now(store.load(handles[next]))).expect("the memory store answers");
    })
}

fn store_calls() {
    let mut table = Table::new(["call of the memory store, 100,000 sessions", "ns"]);
    let (store, handles, record) = filled(100_000);
    let mut next = 0;
    let mut handle = || {
        next = (next + 1) % handles.len();
        handles[next]
    };
    let mut call = |name: &str, ns: f64| table.row([name.to_owned(), format!("{ns:.0}")]);
    let load = nanoseconds(|| {
        black_box(now(store.load(handle()))).expect("the memory store answers");
    });
    call("load", load);
    let far = record.expires_at();
    let touch = nanoseconds(|| {
        now(store.touch(handle(), far)).expect("the memory store answers");
    });
    call("touch", touch);
    let replace = nanoseconds(|| {
        let handle = handle();
        let stored = now(store.load(handle)).expect("the memory store answers");
        let version = stored.expect("it was created").version();
        black_box(now(store.replace(handle, version, &record))).expect("the memory store answers");
    });
    call("load and replace", replace);
    let mut rng = fastrand::Rng::with_seed(2);
    let create = nanoseconds(|| {
        let handle = Handle::from_bytes(rng.u128(..).to_ne_bytes());
        black_box(now(store.create(handle, &record))).expect("the memory store answers");
    });
    call("create", create);
    table.print("Store calls");
}

pub fn nanoseconds<T>(mut run: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..REPEATS {
                black_box(run());
            }
            start.elapsed().as_nanos() as f64 / REPEATS as f64
        })
        .collect();
    median(&mut times)
}
