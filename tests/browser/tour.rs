//! Every page with something on it, for the tests that look at all of them.

use crate::browser::Browser;

/// The pages in the order in which a visitor meets them.
pub(crate) const STOPS: [Stop; 6] = [
    Stop::Visitor,
    Stop::WrongPassword,
    Stop::Login,
    Stop::Member,
    Stop::Home,
    Stop::Users,
];

/// A page in a certain state.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stop {
    /// The start page of somebody new.
    Visitor,
    /// The same with an error shown.
    WrongPassword,
    /// The login page.
    Login,
    /// A page of one who is logged in.
    Member,
    /// The start page with a cart, a registration on its last screen, and logins to end.
    Home,
    /// The users, with a message.
    Users,
}

impl Stop {
    /// Goes there. The stops build on each other.
    pub(crate) async fn visit(self, browser: &Browser) {
        match self {
            Self::Visitor => browser.go("/").await,
            Self::WrongPassword => {
                browser.log_in("alice@example.com", "wrong").await;
                browser.until_shown("#notice.error").await;
                browser
                    .until("getComputedStyle(document.getElementById('notice')).opacity === '1'")
                    .await;
            }
            Self::Login => {
                browser.go("/dashboard").await;
                browser.arrive("/login").await;
            }
            Self::Member => {
                browser.log_in("alice@example.com", "wonderland").await;
                browser.arrive("/dashboard").await;
            }
            Self::Home => {
                browser.go("/").await;
                browser.add_to_cart(7).await;
                browser.add_to_cart(12).await;
                register_two_steps(browser).await;
                // The notice would go, but takes its time.
                browser.reload().await;
                browser.until_shown("#step3").await;
            }
            Self::Users => {
                let form = "form[action='/api/create_user']";
                browser.fill(&format!("{form} [name=name]"), "Carol").await;
                browser
                    .fill(&format!("{form} [name=email]"), "carol@example.com")
                    .await;
                browser.click(&format!("{form} button")).await;
                browser.arrive("/users").await;
                browser.until_shown("#flash").await;
            }
        }
    }
}

async fn register_two_steps(browser: &Browser) {
    browser.fill("#step1 [name=name]", "김하나").await;
    browser
        .fill("#step1 [name=email]", "hana@example.com")
        .await;
    browser.click("#step1 [type=submit]").await;
    browser.fill("#step2 [name=phone]", "010-1234-5678").await;
    browser
        .fill("#step2 [name=address]", "서울시 종로구 세종대로 209")
        .await;
    browser.click("#step2 [type=submit]").await;
    browser.until_shown("#step3").await;
}
