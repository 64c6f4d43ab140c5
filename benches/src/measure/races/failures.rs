//! What a client sees of a store that fails, and what is left when it works again.

use tokio::runtime::Runtime;

use super::{
    Scene,
    browser::{Answer, Browser},
    contestants::{self, OURS},
    routes, target,
    way::Fault,
};
use crate::{table::Table, targets::Target};

pub fn measure(runtime: &Runtime) -> Target {
    let faults = [
        ("loads fail", Fault::Loads),
        ("writes fail", Fault::Saves),
        ("all fails", Fault::Both),
    ];
    let head = faults.iter().flat_map(|(title, _)| {
        ["a page that reads", "that writes"].map(|page| format!("{title}: {page}"))
    });
    let mut table = Table::new(["contestant".to_owned()].into_iter().chain(head));
    let mut told = true;
    for one in &contestants::ALL {
        eprintln!("races: {}, failures", one.name);
        let mut row = vec![one.name.to_owned()];
        for (_, fault) in faults {
            let read = async || read(&Scene::new(one, 0).await, fault).await;
            let write = async || write(&Scene::new(one, 0).await, fault).await;
            let cells = [runtime.block_on(read()), runtime.block_on(write())];
            let wanted = match fault {
                Fault::Saves => ["200", "503"],
                Fault::Loads | Fault::Both => ["503", "503"],
            };
            told &= one.name != OURS || cells == wanted;
            row.extend(cells);
        }
        table.row(row);
    }
    table.print("A store that fails");
    println!(
        "\nStatus, and what is left when the store works again. A user is logged in; the failing request is with a \
         process that has just started."
    );
    target("a failing store: 503, nothing else".to_owned(), told)
}

/// A page that shows who is logged in.
async fn read(scene: &Scene, fault: Fault) -> String {
    let answer = failing(scene, fault, routes::USER).await;
    let mut words = vec![answer.now.status.as_u16().to_string()];
    if answer.now.body == "nobody" {
        words.push("as nobody".to_owned());
    }
    words.extend(answer.afterwards);
    words.join(", ")
}

/// A page that writes.
async fn write(scene: &Scene, fault: Fault) -> String {
    let answer = failing(scene, fault, &routes::set(0)).await;
    let mut words = vec![answer.now.status.as_u16().to_string()];
    if answer.now.status.is_success() && !answer.kept {
        words.push("lost".to_owned());
    }
    words.extend(answer.afterwards);
    words.join(", ")
}

struct Failing {
    now: Answer,
    kept: bool,
    /// What became of the login, if not all is well.
    afterwards: Option<String>,
}

/// The login is with one process; the failing request, and what follows, with one that has just started and so has
/// nothing in memory.
async fn failing(scene: &Scene, fault: Fault, path: &str) -> Failing {
    let new = &scene.apps[2];
    let mut browser = Browser::default();
    browser.get(&scene.apps[0], routes::LOG_IN).await;
    let login = browser.clone();
    scene.way.fail(fault);
    let now = browser.get(new, path).await;
    scene.way.heal();
    let user = browser.ask(new, routes::USER).await.body;
    let kept = browser.ask(new, &routes::kept(1)).await.body == "1";
    let afterwards = if user == "7" {
        None
    } else if login.ask(new, routes::USER).await.body == "7" {
        Some("another cookie replaces the login's".to_owned())
    } else {
        Some("the session is empty there".to_owned())
    };
    Failing {
        now,
        kept,
        afterwards,
    }
}
