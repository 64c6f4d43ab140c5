use std::{cmp::Reverse, fmt, time::SystemTime};

use serde::Serialize;

use super::{for_each, show::State};
use crate::{
    exit::Exit,
    failure::Failure,
    frequent::Frequent,
    screen::Screen,
    store::Store,
    text::{Moment, plain},
};

/// How many users are remembered at a time, some ten megabytes of names of usual length.
const CAPACITY: usize = 100_000;

pub(crate) async fn run(store: &Store, most: usize, screen: Screen) -> Result<Exit, Failure> {
    let now = SystemTime::now();
    let mut users = Frequent::new(CAPACITY);
    let damaged = for_each(store, |_, record| {
        if let Some(user) = record.user()
            && State::of(record, now) == State::Live
        {
            users.add(user);
        }
    })
    .await?;
    // A scan may show a session twice, and forget some of a user's: the store's list is exact.
    let mut lines = Vec::new();
    for user in users.into_most(most) {
        lines.extend(Line::of(store, user, now).await?);
    }
    lines.sort_by(|a, b| (Reverse(a.sessions), &a.user).cmp(&(Reverse(b.sessions), &b.user)));
    match lines.is_empty() {
        true => screen.show_none(&List(lines), "nobody is logged in")?,
        false => screen.show(&List(lines))?,
    }
    damaged.tell();
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct List(Vec<Line>);

#[derive(Serialize)]
struct Line {
    user: String,
    sessions: usize,
    last_login: Option<Moment>,
}

impl Line {
    /// Nothing for a user who has logged out meanwhile.
    async fn of(store: &Store, user: String, now: SystemTime) -> Result<Option<Self>, Failure> {
        let mut sessions = store.list(&user).await?;
        sessions.retain(|(_, record)| State::of(record, now) == State::Live);
        let logins = sessions.iter();
        let last_login = logins.filter_map(|(_, record)| record.authenticated_at());
        Ok((!sessions.is_empty()).then(|| Self {
            last_login: last_login.max().map(Moment),
            sessions: sessions.len(),
            user,
        }))
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SESSIONS  {:20}  USER", "LAST LOGIN")?;
        for line in &self.0 {
            let Line { user, sessions, .. } = line;
            let last = line
                .last_login
                .map_or_else(String::new, |at| at.to_string());
            write!(f, "\n{sessions:8}  {last:20}  {}", plain(user))?;
        }
        Ok(())
    }
}
