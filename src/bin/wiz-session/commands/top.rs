use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    fmt,
    time::SystemTime,
};

use serde::Serialize;
use wiz_session::{Handle, Record};

use super::{for_each, show::State};
use crate::{
    exit::Exit,
    failure::Failure,
    screen::Screen,
    store::Store,
    text::{Moment, plain},
};

pub(crate) async fn run(store: &Store, most: usize, screen: Screen) -> Result<Exit, Failure> {
    let now = SystemTime::now();
    let mut largest = Largest::new(most);
    let damaged = for_each(store, |handle, record| {
        if State::of(record, now) == State::Live {
            largest.add(handle, record);
        }
    })
    .await?;
    let lines = largest.into_lines();
    match lines.is_empty() {
        true => screen.show_none(&List(lines), "there is no live session")?,
        false => screen.show(&List(lines))?,
    }
    damaged.tell();
    Ok(Exit::Done)
}

/// The largest sessions seen so far. It keeps no more of them than are to be shown, and nothing of what is in them.
struct Largest {
    limit: usize,
    sizes: BinaryHeap<Reverse<(usize, Handle)>>,
    lines: HashMap<Handle, Line>,
}

impl Largest {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            sizes: BinaryHeap::new(),
            lines: HashMap::new(),
        }
    }

    /// A scan may show a session twice: the first time counts.
    fn add(&mut self, handle: Handle, record: &Record) {
        let bytes = record.to_json().len();
        let smallest = self.sizes.peek().map(|Reverse((smallest, _))| *smallest);
        let is_full = self.lines.len() == self.limit;
        if is_full && smallest >= Some(bytes) || self.lines.contains_key(&handle) {
            return;
        }
        if is_full && let Some(Reverse((_, smallest))) = self.sizes.pop() {
            self.lines.remove(&smallest);
        }
        self.sizes.push(Reverse((bytes, handle)));
        self.lines.insert(handle, Line::new(handle, bytes, record));
    }

    fn into_lines(self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.lines.into_values().collect();
        lines.sort_by_key(|line| (Reverse(line.bytes), line.handle));
        lines
    }
}

#[derive(Serialize)]
struct List(Vec<Line>);

#[derive(Serialize)]
struct Line {
    handle: Handle,
    /// Of its JSON, as a store keeps it.
    bytes: usize,
    expires_at: Moment,
    user: Option<String>,
}

impl Line {
    fn new(handle: Handle, bytes: usize, record: &Record) -> Self {
        Self {
            handle,
            bytes,
            expires_at: Moment(record.expires_at()),
            user: record.user().map(str::to_owned),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:32}  {:>10}  {:20}  USER",
            "HANDLE", "BYTES", "EXPIRES"
        )?;
        for line in &self.0 {
            let (handle, bytes, expires_at) = (line.handle, line.bytes, line.expires_at);
            let user = plain(line.user.as_deref().unwrap_or("-"));
            write!(f, "\n{handle}  {bytes:10}  {expires_at}  {user}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wiz_session::Version;

    use super::*;

    #[test]
    fn the_largest_are_found_in_any_order_and_each_once() {
        let record = |bytes: usize| {
            let text = "x".repeat(bytes);
            let json =
                format!(r#"{{"v":1,"created_at":1,"deadline":2,"data":{{"text":"{text}"}}}}"#);
            Record::from_json(&json, Version::FIRST, SystemTime::UNIX_EPOCH).unwrap()
        };
        let mut largest = Largest::new(3);
        // 37 and 101 have no divisor in common, so each size comes once.
        for n in (0..101_u8).map(|n| (u16::from(n) * 37 % 101) as u8) {
            for _twice in 0..2 {
                largest.add(Handle::from_bytes([n; 16]), &record(n.into()));
            }
            assert!(largest.lines.len() <= 3 && largest.sizes.len() <= 3);
        }
        let handles = largest.into_lines().into_iter().map(|line| line.handle);
        let expected = [100, 99, 98].map(|n| Handle::from_bytes([n; 16]));
        assert_eq!(handles.collect::<Vec<_>>(), expected);
    }
}
