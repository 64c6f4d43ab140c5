//! The preferences.

use futures_util::future::join;
use serde_json::json;

use crate::browser::Browser;
use crate::server::Server;

const UPDATE: &str = "/api/update_preferences";
const GET: &str = "/api/get_preferences";

#[tokio::test]
async fn have_defaults_and_change_one_by_one() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let answer = browser.get(GET).await.expect(200);
    let defaults = json!({ "theme": "light", "language": "ko", "notifications": true });
    assert_eq!(answer.json(), defaults);
    assert_eq!(answer.set_cookie(), None);

    let dark = json!({ "theme": "dark", "language": "ko", "notifications": true });
    assert_eq!(
        browser
            .post(UPDATE, json!({ "theme": "dark" }))
            .await
            .expect(200)
            .json(),
        dark
    );
    assert_eq!(browser.session().await, json!({ "preferences": dark }));

    let quiet = json!({ "theme": "dark", "language": "en", "notifications": false });
    let fields = [("language", "en"), ("notifications", "false")];
    assert_eq!(
        browser.form(UPDATE, &fields).await.expect(200).json(),
        quiet
    );
    assert_eq!(browser.get(GET).await.expect(200).json(), quiet);
    assert_eq!(
        browser.post(UPDATE, json!({})).await.expect(200).json(),
        quiet
    );
}

#[tokio::test]
async fn two_changes_at_once_are_both_kept() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for _ in 0..20 {
        browser
            .post(UPDATE, json!({ "theme": "light", "language": "ko" }))
            .await
            .expect(200);
        let theme = browser.post(UPDATE, json!({ "theme": "dark" }));
        let language = browser.post(UPDATE, json!({ "language": "en" }));
        join(theme, language).await;
        assert_eq!(
            browser.get(GET).await.expect(200).json(),
            json!({ "theme": "dark", "language": "en", "notifications": true })
        );
    }
}
