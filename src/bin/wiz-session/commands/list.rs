use std::{cmp::Reverse, fmt, time::SystemTime};

use serde::Serialize;
use wiz_session::{Handle, Record};

use super::show::State;
use crate::{
    exit::Exit,
    failure::Failure,
    screen::Screen,
    store::Store,
    text::{Moment, plain},
};

pub(crate) async fn run(store: &Store, user: &str, screen: Screen) -> Result<Exit, Failure> {
    let (now, sessions) = (SystemTime::now(), store.list(user).await?);
    let live = sessions
        .into_iter()
        .filter(|(_, record)| State::of(record, now) == State::Live);
    let mut lines: Vec<Line> = live
        .map(|(handle, record)| Line::new(handle, &record))
        .collect();
    lines.sort_by_key(|line| Reverse((line.authenticated_at, line.created_at)));
    match lines.is_empty() {
        true => screen.show_none(&List(lines), "this user has no live session")?,
        false => screen.show(&List(lines))?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct List(Vec<Line>);

#[derive(Serialize)]
struct Line {
    handle: Handle,
    created_at: Moment,
    authenticated_at: Option<Moment>,
    expires_at: Moment,
    label: Option<String>,
    device_bound: bool,
}

impl Line {
    fn new(handle: Handle, record: &Record) -> Self {
        Self {
            handle,
            created_at: Moment(record.created_at()),
            authenticated_at: record.authenticated_at().map(Moment),
            expires_at: Moment(record.expires_at()),
            label: record.label().map(str::to_owned),
            device_bound: record.is_device_bound(),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:32}  {:20}  {:20}  {:20}  LABEL",
            "HANDLE", "CREATED", "LOGGED IN", "EXPIRES"
        )?;
        for line in &self.0 {
            let logged_in = line
                .authenticated_at
                .map_or_else(String::new, |at| at.to_string());
            let (handle, created_at) = (line.handle, line.created_at);
            let expires_at = line.expires_at;
            let label = plain(line.label.as_deref().unwrap_or("-"));
            write!(
                f,
                "\n{handle}  {created_at}  {logged_in:20}  {expires_at}  {label}"
            )?;
        }
        Ok(())
    }
}
