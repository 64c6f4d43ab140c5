//! The guide: one page per subject. Every program in it is compiled and run by the tests.
//!
//! | | |
//! |---|---|
//! | [`concurrency`] | what is guaranteed when requests meet or are sent again, and what stays with you |
//! | [`authentication`] | logins by password, another site or a passkey; guarded routes, roles, CORS and CSRF |
//! | [`login_does_not_stick`] | what to look at when a user is a visitor again at the next page |
//! | [`security`] | the defaults and why, OWASP ASVS 5.0 chapter 7 requirement by requirement |
//! | [`expiry`] | the two timeouts, touching, polling, remember me, sweeping |
//! | [`stores`] | which store for what, what a request costs, setting one up |
//! | [`writing_a_store`] | what a store keeps, a whole one on a key-value engine, the suite that it has to pass |
//! | [`websockets_and_streams`] | the session after the response headers are sent |
//! | [`near_cache`] | reading a session without a round trip, and how old it may be |
//! | [`device_bound_sessions`] | cookies that are worth nothing once they are stolen |
//! | [`operating`] | `wiz-session` on the command line: keys, tables, sweeps, a user's sessions |
//! | [`observability`] | every event and every metric |
//! | [`testing`] | tests of an application that uses sessions |
//! | [`without_axum`] | the layer around any tower service |
//! | [`errors`] | every message: when, the response to it, what to do next |
//! | [`performance`] | what a request costs, beside the peers; how it grows; where the time goes |
//! | [`design`] | what always holds, how a commit works, what a store has to guarantee |
//! | [`from_flask`] | moving over from `wiz.session` and Flask |
//! | [`from_tower_sessions`] | moving over from tower-sessions |
//! | [`from_axum_session`] | moving over from axum_session |
//! | [`from_axum_login`] | moving over from axum-login |
//!
//! The pages are Markdown files under `docs/`, and can be read there too.

/// A page. In its file, links lead to files or to docs.rs. Here the definitions that come first win, and lead to items.
macro_rules! page {
    ($page:ident, $file:literal) => {
        #[doc = include_str!("guide/links.md")]
        #[doc = include_str!(concat!("../docs/", $file))]
        pub mod $page {}
    };
}

page!(concurrency, "concurrency.md");
page!(authentication, "authentication.md");
page!(login_does_not_stick, "login-does-not-stick.md");
page!(security, "security.md");
page!(expiry, "expiry.md");
page!(stores, "stores.md");
page!(writing_a_store, "writing-a-store.md");
page!(websockets_and_streams, "websockets-and-streams.md");
page!(near_cache, "near-cache.md");
page!(device_bound_sessions, "device-bound-sessions.md");
page!(operating, "operating.md");
page!(observability, "observability.md");
page!(testing, "testing.md");
page!(without_axum, "without-axum.md");
page!(errors, "errors.md");
page!(performance, "performance.md");
page!(design, "design.md");
page!(from_flask, "from-flask.md");
page!(from_tower_sessions, "from-tower-sessions.md");
page!(from_axum_session, "from-axum-session.md");
page!(from_axum_login, "from-axum-login.md");
