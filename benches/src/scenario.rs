//! What a request does.

use crate::routes;

pub struct Scenario {
    pub name: &'static str,
    pub size: Size,
    pub path: &'static str,
    pub cookie: Cookie,
    /// Cookies in the header, the session's being the last.
    pub cookies: usize,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Size {
    /// One small key: what most sessions begin with.
    One,
    /// 3 small keys.
    Small,
    /// 100 keys, 99 of them with values of 100 bytes.
    Large,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Cookie {
    None,
    /// Of one of a few sessions.
    Own,
    /// Of a session that no other request has: it will have another id afterwards.
    OwnOnce,
    /// Well formed, with a wrong MAC, or a made-up id where there is none.
    Forged,
}

use Cookie::{Forged, None, Own, OwnOnce};
use Size::{Large, One, Small};

const fn scenario(
    name: &'static str,
    size: Size,
    path: &'static str,
    cookie: Cookie,
    cookies: usize,
) -> Scenario {
    Scenario {
        name,
        size,
        path,
        cookie,
        cookies,
    }
}

pub const ALL: [Scenario; 25] = [
    scenario("untouched, no cookie", Small, routes::UNTOUCHED, None, 0),
    scenario("untouched, cookie", Small, routes::UNTOUCHED, Own, 1),
    scenario("read", Small, routes::READ, Own, 1),
    scenario("write", Small, routes::WRITE, Own, 1),
    scenario("new session", One, routes::WRITE, None, 0),
    scenario("new session", Small, routes::FILL_SMALL, None, 0),
    scenario("forged cookie", Small, routes::READ, Forged, 1),
    scenario("regenerate", Small, routes::REGENERATE, OwnOnce, 1),
    scenario("untouched, no cookie", Large, routes::UNTOUCHED, None, 0),
    scenario("untouched, cookie", Large, routes::UNTOUCHED, Own, 1),
    scenario("read", Large, routes::READ, Own, 1),
    scenario("write", Large, routes::WRITE, Own, 1),
    scenario("new session", Large, routes::FILL_LARGE, None, 0),
    scenario("forged cookie", Large, routes::READ, Forged, 1),
    scenario("regenerate", Large, routes::REGENERATE, OwnOnce, 1),
    scenario("untouched, 5 cookies", Small, routes::UNTOUCHED, Own, 5),
    scenario("read, 5 cookies", Small, routes::READ, Own, 5),
    scenario("write, 5 cookies", Small, routes::WRITE, Own, 5),
    scenario("forged, 5 cookies", Small, routes::READ, Forged, 5),
    scenario(
        "regenerate, 5 cookies",
        Small,
        routes::REGENERATE,
        OwnOnce,
        5,
    ),
    scenario("untouched, 20 cookies", Small, routes::UNTOUCHED, Own, 20),
    scenario("read, 20 cookies", Small, routes::READ, Own, 20),
    scenario("write, 20 cookies", Small, routes::WRITE, Own, 20),
    scenario("forged, 20 cookies", Small, routes::READ, Forged, 20),
    scenario(
        "regenerate, 20 cookies",
        Small,
        routes::REGENERATE,
        OwnOnce,
        20,
    ),
];

impl Scenario {
    /// How it is called in tables, on the command line and in the baseline.
    pub fn title(&self) -> String {
        match self.size {
            One => format!("1 key, {}", self.name),
            Small => format!("3 keys, {}", self.name),
            Large => format!("100 keys, {}", self.name),
        }
    }
}

pub fn titled(title: &str) -> &'static Scenario {
    ALL.iter()
        .find(|one| one.title() == title)
        .unwrap_or_else(|| panic!("no scenario is titled {title}"))
}
