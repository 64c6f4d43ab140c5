use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use stateright::{Model, Property};

use super::{
    cache::{Cache, News},
    call::{Call, Kept, Reply},
    fault::Fault,
    ledger::Rule,
    script::Script,
    store::Store,
    times::{ABSOLUTE, CACHE_FOR, IDLE, MINUTE, START},
    visit::{Cookie, Visit, Waits},
};
use crate::{
    change::Data,
    commit::Policy,
    expiry::Expiry,
    id::{Handle, counted},
    record::{Body, CommitIds, Record, Version},
    store::Replaced,
    time::Timestamp,
};

/// What is explored.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) fault: Option<Fault>,
    /// What the browser has at first.
    pub(super) sessions: Vec<Session>,
    /// What its requests do, each for itself.
    pub(super) scripts: Vec<Vec<Script>>,
    /// How many steps are taken at most.
    pub(super) depth: u8,
    /// How many calls fail, are late, or are cut short by a crash.
    pub(super) mishaps: u8,
    /// How often a time passes that matters.
    pub(super) waits: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Session {
    None,
    Plain,
    /// Its cookie is sent again when it is used.
    Remembered,
}

/// Two processes and a store, and a browser that sends requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    now: u64,
    pub(super) store: Store,
    jar: Option<Handle>,
    clients: Vec<Client>,
    /// That of the process which serves all but the first request.
    cache: Cache,
    /// What the feed has not told that process yet.
    news: Vec<(Handle, News)>,
    /// Calls whose requests have given them up, and that will still arrive.
    late: Vec<Late>,
    mishaps: u8,
    waits: u8,
    /// Part of the state, so that each is explored with as many steps as are left to it, whichever thread finds it first.
    steps: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Client {
    /// Its request is not sent yet.
    Idle(Script),
    Waits(Request),
    Over,
}

/// A request under way. What it waits for follows from its history.
#[derive(Debug, Clone)]
struct Request {
    script: Script,
    presented: Option<Handle>,
    found: Option<Kept>,
    began: u64,
    replies: Arc<[(u64, Reply)]>,
    call: Arc<Call>,
    /// Its session has moved or ended, and no answer has told it since: what it sends then could as well be late on its
    /// way.
    is_overtaken: bool,
    /// Of all but the call.
    print: u64,
}

impl Request {
    /// Its commit moves or ends the session, or looks up what became of it.
    fn is_ending(&self) -> bool {
        let is_lookup = self
            .replies
            .iter()
            .any(|(_, reply)| matches!(reply, Reply::Fails));
        is_lookup || matches!(*self.call, Call::Regenerate { .. } | Call::Delete(_))
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        (self.print, self.is_overtaken) == (other.print, other.is_overtaken)
    }
}

impl Eq for Request {}

impl Hash for Request {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.print, self.is_overtaken).hash(hasher);
    }
}

#[derive(Debug, Clone)]
struct Late {
    call: Arc<Call>,
    client: usize,
    print: u64,
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl Eq for Late {}

impl Hash for Late {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.print.hash(hasher);
    }
}

/// What happens next. Of the numbers each names a client, a late call or news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// A request is sent with the cookie that the jar has now, and finds its session.
    Send(usize, Script),
    /// Its call takes effect and is answered. If that was the last one, so is the request.
    Answer(usize),
    /// Its call fails.
    Fail(usize),
    /// Its call takes effect, but the answer is lost.
    LoseAnswer(usize),
    /// Its call seems to fail, but takes effect later.
    Delay(usize),
    /// It ends before its call is sent.
    Crash(usize),
    /// It ends after its call has taken effect.
    CrashLate(usize),
    Arrive(usize),
    Hear(usize),
    Sweep,
    /// So many minutes pass: the time of the cache, until the idle end, until the absolute end.
    Wait(u64),
}
use Action::*;

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut scripts = vec![vec![]];
        for choices in &self.scripts {
            let more = |before: &Vec<Script>| {
                let before = before.clone();
                choices.iter().map(move |script| {
                    let mut scripts = before.clone();
                    scripts.push(*script);
                    scripts
                })
            };
            scripts = scripts.iter().flat_map(more).collect();
        }
        // All but the first are served alike, so that their order says nothing.
        scripts.retain(|scripts| scripts[1..].is_sorted_by_key(|script| *script as u8));
        let states = |session: &Session| {
            let session = *session;
            scripts
                .iter()
                .map(move |scripts| self.start(session, scripts))
        };
        self.sessions.iter().flat_map(states).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, client) in state.clients.iter().enumerate() {
            match client {
                Client::Idle(script) => actions.push(Send(at, *script)),
                Client::Waits(request) => {
                    actions.push(Answer(at));
                    if state.mishaps > 0 {
                        actions.extend([Fail(at), Crash(at)]);
                        if !matches!(*request.call, Call::Load(_)) {
                            actions.extend([LoseAnswer(at), Delay(at), CrashLate(at)]);
                        }
                    }
                }
                Client::Over => {}
            }
        }
        actions.extend((0..state.late.len()).map(Arrive));
        actions.extend((0..state.news.len()).map(Hear));
        if state.store.has_expired(state.now) {
            actions.push(Sweep);
        }
        // A tombstone lives for longer than that takes.
        let is_ending = state.clients.iter().any(|client| match client {
            Client::Waits(request) => request.is_ending(),
            Client::Idle(_) | Client::Over => false,
        });
        if state.waits > 0 && !is_ending {
            actions.extend([CACHE_FOR, IDLE, ABSOLUTE].map(|time| Wait(time / MINUTE)));
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        state.steps += 1;
        if let Fail(_) | LoseAnswer(_) | Delay(_) | Crash(_) | CrashLate(_) = action {
            state.mishaps -= 1;
        }
        match action {
            Send(client, _) => self.send(&mut state, client),
            Answer(client) => {
                let reply = self.effect(&mut state, client);
                self.reply(&mut state, client, reply);
            }
            Fail(client) => self.reply(&mut state, client, Reply::Fails),
            LoseAnswer(client) => {
                self.effect(&mut state, client);
                self.reply(&mut state, client, Reply::Fails);
            }
            Delay(client) => {
                let Client::Waits(request) = &state.clients[client] else {
                    return None;
                };
                let (call, print) = (Arc::clone(&request.call), request.print);
                state.late.push(Late {
                    call,
                    client,
                    print,
                });
                self.reply(&mut state, client, Reply::Fails);
            }
            Crash(client) => self.crash(&mut state, client),
            CrashLate(client) => {
                self.effect(&mut state, client);
                self.crash(&mut state, client);
            }
            Arrive(which) => {
                let Late { call, client, .. } = state.late.remove(which);
                self.call(&mut state, client, &call);
            }
            Hear(which) => {
                let (handle, news) = state.news.remove(which);
                state.cache.hear(handle, news);
            }
            Sweep => {
                state.store.sweep(state.now);
                let State { store, clients, .. } = &mut state;
                let is_gone = |handle: Handle| !store.records.contains_key(&handle);
                for client in clients {
                    if let Client::Waits(request) = client {
                        request.is_overtaken |= request.presented.is_some_and(is_gone);
                    }
                }
            }
            Wait(minutes) => {
                state.waits -= 1;
                state.now += minutes * MINUTE;
                if self.fault != Some(Fault::CacheKeepsForever) {
                    state.cache.tidy(state.now);
                }
            }
        }
        let State { cache, news, .. } = &mut state;
        news.retain(|(handle, _)| cache.has(*handle));
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! always {
            ($($rule:ident),+) => {
                vec![$(Property::always(stringify!($rule), |_: &Self, state: &State| {
                    state.store.ledger.holds(Rule::$rule)
                })),+]
            };
        }
        always![
            NothingLost,
            Once,
            RefusedIsNotStored,
            EndedForGood,
            JarGoesForward,
            AbsoluteEnd
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.steps <= self.depth
    }
}

impl World {
    fn start(&self, session: Session, scripts: &[Script]) -> State {
        let mut state = State {
            now: START,
            store: Store::default(),
            jar: None,
            clients: scripts.iter().copied().map(Client::Idle).collect(),
            cache: Cache::default(),
            news: Vec::new(),
            late: Vec::new(),
            mishaps: self.mishaps,
            waits: self.waits,
            steps: 0,
        };
        if session == Session::None {
            return state;
        }
        let body = Body {
            created_at: Timestamp::from_millis(0),
            authenticated_at: None,
            deadline: Timestamp::from_millis(ABSOLUTE),
            remember: (session == Session::Remembered).then_some(Duration::from_millis(IDLE)),
            user: None,
            tombstone: false,
            details: None,
            commits: CommitIds::default(),
            data: Data::default(),
        };
        let record = Record::new(Version::FIRST, Timestamp::from_millis(IDLE), body);
        let handle = Handle::from_bytes([0xff; 16]);
        let created = Call::Create(handle, record.clone());
        state.store.call(&created, START, None);
        state.cache.keep(handle, &Kept::new(record), START);
        state.jar = Some(handle);
        state.store.ledger.is_given(handle);
        state
    }

    fn send(&self, state: &mut State, client: usize) {
        let Client::Idle(script) = state.clients[client] else {
            return;
        };
        let now = state.now;
        let mut found = None;
        if let Some(handle) = state.jar {
            let cached = state.cache.get(handle).filter(|_| caches(client));
            let is_live = |kept: &Kept| {
                let now = Timestamp::from_millis(now);
                kept.is_session() && expiry().is_live(&kept.record, now)
            };
            let mut age = 0;
            found = match cached.filter(|(kept, _)| is_live(kept)).cloned() {
                Some((kept, _)) => {
                    age = CACHE_FOR;
                    Some(kept)
                }
                None => {
                    let load = Call::Load(handle);
                    let Reply::Loaded(kept) = self.call(state, client, &load) else {
                        return;
                    };
                    if caches(client) {
                        let reply = Reply::Loaded(kept.clone());
                        state.cache.note(&load, &reply, now, self.fault);
                    }
                    kept
                }
            };
            if self.fault == Some(Fault::CacheKeepsGone) && caches(client) {
                let load = Call::Load(handle);
                found = found.filter(|_| state.cache.answer(&load).is_none());
            }
            let Store { records, ledger } = &mut state.store;
            match found.as_ref().is_some_and(is_live) {
                true => ledger.answers(handle, age, now),
                false => ledger.check(
                    Rule::NothingLost,
                    !records.get(&handle).is_some_and(is_live),
                ),
            }
        }
        let mut hasher = DefaultHasher::new();
        (client, script, state.jar, &found, now).hash(&mut hasher);
        let request = Request {
            script,
            presented: state.jar,
            found,
            began: now,
            replies: Arc::new([]),
            call: Arc::new(Call::Load(Handle::from_bytes([0; 16]))),
            is_overtaken: false,
            print: hasher.finish(),
        };
        self.go_on(state, client, request);
    }

    /// Its call takes effect.
    fn effect(&self, state: &mut State, client: usize) -> Reply {
        let Client::Waits(request) = &state.clients[client] else {
            return Reply::Fails;
        };
        let call = Arc::clone(&request.call);
        match state.cache.answer(&call).filter(|_| caches(client)) {
            Some(reply) => reply,
            None => self.call(state, client, &call),
        }
    }

    /// The store does what it is asked for by a client, and the feed tells of it.
    fn call(&self, state: &mut State, client: usize, call: &Call) -> Reply {
        let reply = state.store.call(call, state.now, self.fault);
        for other in &mut state.clients {
            let Client::Waits(request) = other else {
                continue;
            };
            match (call, &reply) {
                (Call::Regenerate { old: handle, .. }, Reply::Replaced(Replaced::Stored(_)))
                | (Call::Delete(handle), Reply::Deleted(true))
                    if request.presented == Some(*handle) =>
                {
                    request.is_overtaken = true;
                }
                _ => {}
            }
        }
        if !caches(client) {
            let told = match (call, &reply) {
                (Call::Replace(handle, ..), Reply::Replaced(Replaced::Stored(version))) => {
                    Some((*handle, News::Changed(*version)))
                }
                (Call::Regenerate { old, .. }, Reply::Replaced(Replaced::Stored(_))) => {
                    Some((*old, News::Ended))
                }
                (Call::Delete(handle), Reply::Deleted(true)) => Some((*handle, News::Ended)),
                _ => None,
            };
            state.news.extend(told);
        }
        reply
    }

    fn reply(&self, state: &mut State, client: usize, reply: Reply) {
        let Client::Waits(request) = &state.clients[client] else {
            return;
        };
        let mut request = request.clone();
        match (&*request.call, &reply) {
            // It tells whether the session is still there.
            (Call::Load(handle), Reply::Loaded(_))
            | (Call::Touch(handle, _), Reply::Touched(_))
            | (Call::Replace(handle, ..), Reply::Replaced(Replaced::Gone))
                if request.presented == Some(*handle) =>
            {
                request.is_overtaken = false;
            }
            _ => {}
        }
        if caches(client) {
            state
                .cache
                .note(&request.call, &reply, state.now, self.fault);
        }
        let mut hasher = DefaultHasher::new();
        (request.print, state.now, &reply).hash(&mut hasher);
        request.print = hasher.finish();
        let all = request.replies.iter().cloned();
        request.replies = all.chain([(state.now, reply)]).collect();
        self.go_on(state, client, request);
    }

    /// Makes the request anew from its history, and looks what it waits for.
    fn go_on(&self, state: &mut State, client: usize, mut request: Request) {
        let policy = Policy {
            expiry: expiry(),
            is_immediate: false,
        };
        let is_careless = self.fault == Some(Fault::DoubtIsTakenForFailure);
        let first_id = (client as u64 + 1) << 32;
        let waits = counted::from(first_id, || {
            let now = Timestamp::from_millis;
            let mut visit = Visit::new(
                (client, request.script),
                request.presented,
                request.found.as_ref(),
                now(request.began),
                (&policy, is_careless),
            );
            let mut waits = visit.run(now(request.began));
            for (at, reply) in request.replies.iter() {
                visit.answered(reply, now(*at));
                waits = visit.run(now(*at));
            }
            waits
        });
        state.clients[client] = match waits {
            Waits::Call(call) => {
                request.call = Arc::new(call);
                Client::Waits(request)
            }
            Waits::Over(mut told) => {
                if self.fault == Some(Fault::EachResponseSetsTheCookie) && told.cookie.is_none() {
                    told.cookie = request.presented.map(Cookie::Set);
                }
                let State {
                    store, jar, now, ..
                } = state;
                let Store { records, ledger } = store;
                let is_over = |handle: Handle| {
                    let kept = records.get(&handle);
                    kept.is_none_or(|kept| kept.record.expires().as_millis() <= *now)
                };
                // Of a session that moved long ago nothing is left that could tell.
                let is_known = request
                    .found
                    .as_ref()
                    .is_some_and(|kept| request.began < kept.record.expires().as_millis());
                let presented = (request.presented.filter(|_| is_known), request.is_overtaken);
                ledger.told(&told, jar, presented, is_over);
                store.check();
                Client::Over
            }
        };
    }

    fn crash(&self, state: &mut State, client: usize) {
        let Client::Waits(request) = &state.clients[client] else {
            return;
        };
        if caches(client) {
            let call = Arc::clone(&request.call);
            state
                .cache
                .note(&call, &Reply::Fails, state.now, self.fault);
        }
        state.clients[client] = Client::Over;
    }
}

/// Whether the process that serves it has a cache.
fn caches(client: usize) -> bool {
    client > 0
}

fn expiry() -> Expiry {
    Expiry {
        idle_timeout: Duration::from_millis(IDLE),
        absolute_timeout: Duration::from_millis(ABSOLUTE),
        remember_limit: Duration::from_millis(ABSOLUTE),
        touch_threshold: None,
    }
}
