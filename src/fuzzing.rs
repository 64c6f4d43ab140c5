//! What `fuzz/` throws at the readers of what comes from outside. Each function here panics if a reader breaks a promise. It
//! is there for fuzzing and for tests, and part of no API.

/// The `Cookie` headers of a request, one a line.
pub fn cookie_header(lines: &[u8]) {
    crate::cookie::fuzz::header(lines);
}

/// A session id of 32 bytes, and changes to its signed value.
pub fn cookie_value(bytes: &[u8]) {
    crate::cookie::fuzz::value(bytes);
}

/// A record as databases keep it.
pub fn record_json(bytes: &[u8]) {
    crate::record::fuzz::json(bytes);
}

/// A record as Redis keeps it.
#[cfg(feature = "redis")]
pub fn redis_value(bytes: &[u8]) {
    crate::store::fuzz::value(bytes);
}

/// A device's signed answer.
#[cfg(feature = "dbsc")]
pub fn jws(line: &[u8]) {
    const SIGNED: &str = include_str!("../fuzz/seeds/jws/rs256");
    crate::device::fuzz::jws(line, SIGNED);
}

/// The value of Flask's cookie, or the JSON that is signed in it.
#[cfg(feature = "flask")]
pub fn flask_cookie(bytes: &[u8]) {
    crate::flask::fuzz::cookie(bytes);
}

/// Each target with its seeds and with altered ones. `WIZ_FUZZ_SECONDS` is for how long, for each.
#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::Path,
        time::{Duration, Instant},
    };

    use super::*;

    fn run(target: &str, check: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/seeds")
            .join(target);
        let files = fs::read_dir(&folder).expect("a folder of seeds");
        let paths = files.map(|file| file.expect("it can be listed").path());
        let mut seeds: Vec<Vec<u8>> = paths.map(|path| fs::read(path).expect("a seed")).collect();
        seeds.sort_unstable();
        assert!(seeds.len() > 2, "only {} seeds in {folder:?}", seeds.len());
        seeds.iter().for_each(|seed| check(seed));
        let seconds = std::env::var("WIZ_FUZZ_SECONDS").ok();
        let seconds = seconds.map(|text| text.parse().expect("a number"));
        let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut rng = fastrand::Rng::with_seed(18);
        let mut rounds = 0;
        while end.map_or(rounds < 2_000, |end| Instant::now() < end) {
            check(&altered(&seeds, &mut rng));
            rounds += 1;
        }
        println!("{target}: {rounds} rounds");
    }

    fn altered(seeds: &[Vec<u8>], rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = rng.choice(seeds).expect("a seed").clone();
        for _ in 0..rng.usize(1..4) {
            let other = rng.choice(seeds).expect("a seed");
            let (at, from) = (rng.usize(..=bytes.len()), rng.usize(..=other.len()));
            let until = from + rng.usize(..=(other.len() - from).min(16));
            match rng.u8(..4) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] = rng.u8(..),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => drop(bytes.splice(at..at, other[from..until].iter().copied())),
            }
        }
        bytes
    }

    #[test]
    fn cookie_headers() {
        run("cookie_header", cookie_header);
    }

    #[test]
    fn cookie_values() {
        run("cookie_value", cookie_value);
    }

    #[test]
    fn records_as_json() {
        run("record_json", record_json);
    }

    #[cfg(feature = "redis")]
    #[test]
    fn records_in_redis() {
        run("redis_value", redis_value);
    }

    #[cfg(feature = "dbsc")]
    #[test]
    fn answers_of_devices() {
        run("jws", jws);
    }

    #[cfg(feature = "flask")]
    #[test]
    fn flask_cookies() {
        run("flask_cookie", flask_cookie);
    }
}
