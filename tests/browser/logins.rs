//! The panel that shows where one is logged in.

use crate::{browser::Browser, server::Server};

const COUNT: &str = "document.querySelectorAll('#logins li').length";
const CARD_HIDDEN: &str = "document.getElementById('logins-card').hidden";

#[tokio::test]
async fn end_a_login_in_another_browser() {
    let server = Server::start();
    let here = Browser::open(&server).await;
    assert_eq!(here.eval(CARD_HIDDEN).await, true);
    here.log_in_as_alice().await;
    assert_eq!(here.eval(COUNT).await, 1);
    assert_eq!(here.text("#logins .tag").await, "이 브라우저");
    assert_eq!(here.text("#end-others").await, "", "there are no others");

    let there = Browser::open(&server).await;
    there.log_in_as_alice().await;
    here.click("#reload").await;
    assert_eq!(here.eval(COUNT).await, 2);
    assert_eq!(
        here.eval("document.querySelectorAll('#logins .tag').length")
            .await,
        1
    );
    let first = here.text("#logins li:first-child").await;
    assert!(first.contains("이 브라우저"), "{first}");
    assert_eq!(here.text("#logins li:first-child code").await.len(), 8);

    here.click("#logins li:last-child button").await;
    here.until(&format!("{COUNT} === 1")).await;
    assert_eq!(here.text("#logins .tag").await, "이 브라우저");
    assert_eq!(here.eval("document.activeElement.id").await, "logins-title");

    // There, the next thing one does is done as a visitor.
    there.add_to_cart(1).await;
    there.until_text("#who", "로그인하지 않음").await;
    assert_eq!(there.eval(CARD_HIDDEN).await, true);
    here.reload().await;
    assert_eq!(here.text("#who").await, "Alice");
}

#[tokio::test]
async fn end_all_others() {
    let server = Server::start();
    let here = Browser::open(&server).await;
    let there = Browser::open(&server).await;
    there.log_in_as_alice().await;
    here.log_in_as_alice().await;
    assert_eq!(here.eval(COUNT).await, 2);
    there.click("#reload").await;

    // In English: the panel speaks both languages.
    here.click("[name=language][value=en]").await;
    assert_eq!(here.text("#logins-title").await, "Where you are logged in");
    assert_eq!(here.text("#logins .tag").await, "This browser");
    assert_eq!(here.text("#end-others").await, "Log out everywhere else");
    here.click("#end-others").await;
    here.until(&format!("{COUNT} === 1")).await;
    here.until_text("#notice", "Logged out there.").await;

    there.until_text("#who", "로그인하지 않음").await;
    let notice = "다른 곳에서 이 로그인을 끝냈습니다.";
    there.until_text("#notice.shown", notice).await;
    assert_eq!(there.eval(CARD_HIDDEN).await, true);
}
