//! Takes the programs that people come from out of the pages on moving over, so that `tests/before.rs` runs them as they
//! stand there. They are here because the peers are.

use std::{env, fs, path::Path};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets it");
    for page in ["from-tower-sessions", "from-axum-session"] {
        let path = format!("../docs/{page}.md");
        println!("cargo::rerun-if-changed={path}");
        let text = fs::read_to_string(&path).expect("the page is there");
        let (_, rest) = text.split_once("```text\n").expect("a program before");
        let (program, _) = rest.split_once("```").expect("its end");
        fs::write(Path::new(&out).join(format!("{page}.rs")), program).expect("a file");
    }
}
