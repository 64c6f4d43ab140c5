use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wiz_session::{Error, Handle, Record};

use super::NO_SESSION;
use crate::{
    exit::Exit,
    failure::Failure,
    screen::Screen,
    store::Store,
    text::{Moment, counted, plain},
};

pub(crate) async fn run(
    store: &Store,
    handle: &str,
    values: bool,
    screen: Screen,
) -> Result<Exit, Failure> {
    let handle = super::handle(handle)?;
    let Some(record) = store.load(handle).await? else {
        screen.show_none(&(), NO_SESSION)?;
        return Ok(Exit::NothingThere);
    };
    let session = Session::new(handle, &record, values)?;
    screen.show(&session)?;
    Ok(match session.state {
        State::Live => Exit::Done,
        State::Expired | State::Moved => Exit::NothingThere,
    })
}

/// What a visitor with its cookie would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Live,
    Expired,
    Moved,
}

impl State {
    pub(crate) fn of(record: &Record, now: SystemTime) -> Self {
        match record.expires_at() {
            _ if record.is_tombstone() => Self::Moved,
            end if end <= now => Self::Expired,
            _ => Self::Live,
        }
    }
}

#[derive(Serialize)]
struct Session {
    handle: Handle,
    state: State,
    user: Option<String>,
    label: Option<String>,
    device_bound: bool,
    created_at: Moment,
    authenticated_at: Option<Moment>,
    expires_at: Moment,
    deadline: Moment,
    remember_seconds: Option<u64>,
    version: u64,
    values: BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct Value {
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
}

/// What a record tells in its JSON only.
#[derive(Deserialize)]
struct Body {
    deadline: u64,
    remember: Option<u64>,
    data: BTreeMap<String, Box<RawValue>>,
}

impl Session {
    fn new(handle: Handle, record: &Record, values: bool) -> Result<Self, Failure> {
        let body: Body = serde_json::from_str(&record.to_json())
            .map_err(|_| Failure::of_store(&Error::corrupt("its JSON is of another form")))?;
        let value = |value: Box<RawValue>| Value {
            bytes: value.get().len(),
            value: values.then_some(value),
        };
        Ok(Self {
            handle,
            state: State::of(record, SystemTime::now()),
            user: record.user().map(str::to_owned),
            label: record.label().map(str::to_owned),
            device_bound: record.is_device_bound(),
            created_at: Moment(record.created_at()),
            authenticated_at: record.authenticated_at().map(Moment),
            expires_at: Moment(record.expires_at()),
            deadline: Moment(UNIX_EPOCH + Duration::from_millis(body.deadline)),
            remember_seconds: body.remember.map(|millis| millis / 1_000),
            version: record.version().get(),
            values: body.data.into_iter().map(|(k, v)| (k, value(v))).collect(),
        })
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "handle      {}", self.handle)?;
        writeln!(f, "state       {}", self.state)?;
        writeln!(
            f,
            "user        {}",
            plain(self.user.as_deref().unwrap_or("-"))
        )?;
        let label = plain(self.label.as_deref().unwrap_or("-"));
        writeln!(f, "label       {label}")?;
        if self.device_bound {
            writeln!(f, "device      bound")?;
        }
        writeln!(f, "created     {}", self.created_at)?;
        match self.authenticated_at {
            Some(at) => writeln!(f, "logged in   {at}")?,
            None => writeln!(f, "logged in   -")?,
        }
        writeln!(f, "expires     {}", self.expires_at)?;
        writeln!(f, "at latest   {}", self.deadline)?;
        if let Some(seconds) = self.remember_seconds {
            writeln!(f, "remembered  for {}", counted(seconds, "second"))?;
        }
        writeln!(f, "version     {}", self.version)?;
        write!(f, "values      {}", self.values.len())?;
        for (key, value) in &self.values {
            write!(
                f,
                "\n  {}  {}",
                plain(key),
                counted(value.bytes as u64, "byte")
            )?;
            if let Some(value) = &value.value {
                write!(f, "  {}", plain(value.get()))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Moved => "moved",
        })
    }
}
