use std::{
    collections::{HashMap, HashSet},
    io,
    pin::pin,
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{Either, select},
};
use redis::{RedisError, RedisResult};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    advice,
    connection::Server,
    keys::Keys,
    subscriber::Subscriber,
    told::{News, Told},
};
use crate::{
    id::Handle,
    store::{Feed, FeedRequest},
};

/// How long a connection may take to be opened.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long it may be silent when it is asked something.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const PING_INTERVAL: Duration = Duration::from_secs(5);

const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];
/// Until somebody may have given the user the right to subscribe.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// How many channels one command subscribes to.
const BATCH: usize = 1000;

/// Subscribes to the channels of the sessions that are watched, on a connection of its own, and opens another whenever
/// it is lost. Returns if there is no way to be told.
pub(super) async fn listen(server: &Server, keys: &Keys, feed: Feed) {
    let [first, longest] = PAUSES;
    let mut pause = first;
    let mut listener = Listener {
        keys,
        feed,
        watched: HashSet::new(),
    };
    loop {
        let since = Instant::now();
        let opened = timeout(OPEN_TIMEOUT, Subscriber::open(server));
        let error = match listener.keep_up(opened).await {
            Ok(Ok(subscriber)) => listener.report(subscriber).await,
            Ok(Err(error)) => error,
            Err(_) => timed_out(),
        };
        if since.elapsed() > longest {
            pause = first;
        }
        match Deaf::by(&error) {
            Deaf::Broken => {
                listener.keep_up(sleep(pause)).await;
                pause = (2 * pause).min(longest);
            }
            Deaf::Refused => listener.keep_up(sleep(REFUSED_PAUSE)).await,
            Deaf::Unable => return,
        }
    }
}

struct Listener<'a> {
    keys: &'a Keys,
    feed: Feed,
    /// Those that the feed has asked for. While there is a connection, it is subscribed to these.
    watched: HashSet<Handle>,
}

/// What happens on a connection.
enum Event {
    Told(Option<Told>),
    Asked(FeedRequest),
    PingIsDue,
}

impl Listener<'_> {
    /// Reports what is told until the connection breaks, and answers why it did.
    async fn report(&mut self, mut subscriber: Subscriber) -> RedisError {
        match self.report_until_broken(&mut subscriber).await {
            Ok(()) => io::Error::from(io::ErrorKind::BrokenPipe).into(),
            Err(error) => error,
        }
    }

    async fn report_until_broken(&mut self, subscriber: &mut Subscriber) -> RedisResult<()> {
        self.note_all_requests();
        let channels: Vec<_> = self
            .watched
            .iter()
            .map(|one| self.keys.record(*one))
            .collect();
        for channels in channels.chunks(BATCH) {
            answered(subscriber.subscribe(channels)).await?;
        }
        // What was told before is lost.
        self.feed.gap();
        let mut ping_at = Instant::now() + PING_INTERVAL;
        loop {
            match self.next(subscriber, ping_at).await {
                Event::Told(None) => return Ok(()),
                Event::Told(Some(told)) => self.pass_on(&told),
                Event::Asked(request) => self.ask(subscriber, request).await?,
                // A connection may be dead in silence.
                Event::PingIsDue => {
                    answered(subscriber.ping()).await?;
                    ping_at = Instant::now() + PING_INTERVAL;
                }
            }
        }
    }

    async fn next(&mut self, subscriber: &mut Subscriber, ping_at: Instant) -> Event {
        let told = pin!(subscriber.next());
        let asked = pin!(self.feed.request());
        let ping = pin!(sleep_until(ping_at));
        match select(told, select(asked, ping)).await {
            Either::Left((told, _)) => Event::Told(told),
            Either::Right((Either::Left((request, _)), _)) => Event::Asked(request),
            Either::Right((Either::Right(_), _)) => Event::PingIsDue,
        }
    }

    fn pass_on(&self, told: &Told) {
        match told.news(self.keys) {
            Some(News::Ended(handle, why)) => self.feed.ended(handle, why),
            Some(News::Changed(handle, version)) => self.feed.changed(handle, version),
            None => {}
        }
    }

    /// Subscribes and unsubscribes as this request and all that wait behind it want.
    async fn ask(&mut self, subscriber: &mut Subscriber, first: FeedRequest) -> RedisResult<()> {
        let mut wanted = HashMap::new();
        let mut request = Some(first);
        while let Some(one) = request {
            match one {
                FeedRequest::Watch(handle) => wanted.insert(handle, true),
                FeedRequest::Unwatch(handle) => wanted.insert(handle, false),
            };
            request = match wanted.len() < BATCH {
                true => self.feed.request().now_or_never(),
                false => None,
            };
        }
        // A session that was left and is watched again is subscribed to all along.
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for (handle, is_watched) in wanted {
            match is_watched {
                true if self.watched.insert(handle) => new.push(handle),
                false if self.watched.remove(&handle) => old.push(self.keys.record(handle)),
                _ => {}
            }
        }
        // What many watches took is given back.
        if self.watched.len() < self.watched.capacity() / 4 {
            self.watched.shrink_to(2 * self.watched.len());
        }
        answered(subscriber.unsubscribe(&old)).await?;
        let channels: Vec<_> = new.iter().map(|one| self.keys.record(*one)).collect();
        answered(subscriber.subscribe(&channels)).await?;
        // What happened since it was looked at last was told to nobody.
        new.into_iter().for_each(|handle| self.feed.look(handle));
        Ok(())
    }

    /// Notes what is watched while nothing can be asked of the server.
    async fn keep_up<T>(&mut self, until: impl Future<Output = T>) -> T {
        let mut until = pin!(until);
        loop {
            let event = {
                let request = pin!(self.feed.request());
                match select(until.as_mut(), request).await {
                    Either::Left((done, _)) => Either::Left(done),
                    Either::Right((request, _)) => Either::Right(request),
                }
            };
            match event {
                Either::Left(done) => return done,
                Either::Right(request) => self.note(request),
            }
        }
    }

    fn note_all_requests(&mut self) {
        while let Some(request) = self.feed.request().now_or_never() {
            self.note(request);
        }
    }

    fn note(&mut self, request: FeedRequest) {
        match request {
            FeedRequest::Watch(handle) => self.watched.insert(handle),
            FeedRequest::Unwatch(handle) => self.watched.remove(&handle),
        };
    }
}

/// Why nothing is told. Looking is what is left.
enum Deaf {
    Broken,
    Refused,
    /// The server is too old, or the client speaks RESP2 with a cluster.
    Unable,
}

impl Deaf {
    fn by(error: &RedisError) -> Self {
        let text = error.to_string();
        if advice::says(error, "NOPERM") {
            Self::Refused
        } else if text.contains("unknown command") || text.contains("RESP3 is required") {
            Self::Unable
        } else {
            Self::Broken
        }
    }
}

async fn answered(answer: impl Future<Output = RedisResult<()>>) -> RedisResult<()> {
    match timeout(ANSWER_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(timed_out()),
    }
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
