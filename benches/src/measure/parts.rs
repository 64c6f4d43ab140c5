//! What the work of a request costs by itself: the floor under a session layer on this machine.

use std::{
    future::ready,
    hint::black_box,
    time::{Instant, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use wiz_session::{Handle, Record, SessionStore, Version};

use crate::{contestants::wiz_session as ours, stage::runtime, stats::median, table::Table};

const REPEATS: usize = 1_000;
const ROUNDS: usize = 101;

pub fn measure() {
    eprintln!("parts");
    let mut table = Table::new(["part", "ns"]);
    let mut part = |name: &str, run: &mut dyn FnMut()| {
        table.row([name.to_owned(), format!("{:.0}", nanoseconds(run))]);
    };
    let key = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length will do");
    let text = [b'a'; 32];
    part(
        "HMAC-SHA256 of an id's text, key schedule kept",
        &mut || {
            black_box(key.clone().chain_update(black_box(text)).finalize());
        },
    );
    part("the same, key scheduled anew", &mut || {
        let key = Hmac::<Sha256>::new_from_slice(black_box(&[7; 32])).expect("any length will do");
        black_box(key.chain_update(black_box(text)).finalize());
    });
    part("base64 of a MAC", &mut || {
        let mut out = [0; 44];
        black_box(BASE64.encode_slice(black_box([7; 32]), &mut out)).expect("it fits");
        black_box(out);
    });
    part("SHA-256 of an id", &mut || {
        black_box(Sha256::digest(black_box([7_u8; 16])));
    });
    part("the clock", &mut || {
        black_box(SystemTime::now());
    });
    part("an allocation of 256 bytes", &mut || {
        drop(black_box(Vec::<u8>::with_capacity(black_box(256))));
    });
    part("16 random bytes from the system", &mut || {
        let mut bytes = [0_u8; 16];
        getrandom::getrandom(&mut bytes).expect("there is randomness");
        black_box(bytes);
    });
    part("Uuid::new_v4", &mut || {
        black_box(uuid::Uuid::new_v4());
    });
    table.print("The parts of a request, alone");
    store_calls();
}

fn store_calls() {
    let mut table = Table::new(["call of the memory store, 100,000 sessions", "ns"]);
    let (store, runtime) = (ours::store(), runtime());
    let far = SystemTime::now() + std::time::Duration::from_secs(3_600);
    let deadline = far
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("it is later")
        .as_millis();
    let json = format!(
        r#"{{"v":1,"created_at":0,"deadline":{deadline},"data":{{"theme":"dark","user":"alice","visits":1}}}}"#
    );
    let record = Record::from_json(&json, Version::FIRST, far).expect("it is format 1");
    let mut rng = fastrand::Rng::with_seed(1);
    let handles: Vec<Handle> = (0..100_000)
        .map(|_| Handle::from_bytes(rng.u128(..).to_ne_bytes()))
        .collect();
    for handle in &handles {
        let created = runtime.block_on(store.create(*handle, &record));
        created.expect("the memory store answers");
    }
    let mut next = 0;
    let mut handle = || {
        next = (next + 1) % handles.len();
        handles[next]
    };
    let mut call = |name: &str, run: &mut dyn FnMut()| {
        table.row([name.to_owned(), format!("{:.0}", nanoseconds(run))]);
    };
    call("(nothing, run by the runtime)", &mut || {
        runtime.block_on(ready(handle()));
    });
    call("load", &mut || {
        let loaded = runtime
            .block_on(store.load(handle()))
            .expect("the memory store answers");
        black_box(loaded);
    });
    call("touch", &mut || {
        runtime
            .block_on(store.touch(handle(), far))
            .expect("the memory store answers");
    });
    call("load and replace", &mut || {
        let handle = handle();
        let stored = runtime
            .block_on(store.load(handle))
            .expect("the memory store answers");
        let version = stored.expect("it was created").version();
        let replaced = runtime.block_on(store.replace(handle, version, &record));
        black_box(replaced).expect("the memory store answers");
    });
    let mut rng = fastrand::Rng::with_seed(2);
    call("create", &mut || {
        let handle = Handle::from_bytes(rng.u128(..).to_ne_bytes());
        let created = runtime.block_on(store.create(handle, &record));
        black_box(created).expect("the memory store answers");
    });
    table.print("Store calls");
}

fn nanoseconds(run: &mut dyn FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..REPEATS {
                run();
            }
            start.elapsed().as_nanos() as f64 / REPEATS as f64
        })
        .collect();
    median(&mut times)
}
