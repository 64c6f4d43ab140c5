//! The documents agree: the READMEs are in step, links lead somewhere, and the layout is the code's.

mod imports;
mod layers;
mod markdown;
mod modules;
mod observability;
mod site;

use std::{
    fs,
    path::{Path, PathBuf},
};

use markdown::{Document, Part};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Document {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    Document::parse(&text)
}

fn readmes() -> (Document, Document) {
    (
        read(&root().join("README.md")),
        read(&root().join("README.ko.md")),
    )
}

/// All Markdown that readers meet.
fn documents() -> Vec<PathBuf> {
    let names = [
        "README.md",
        "README.ko.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ];
    let mut paths = names.map(|name| root().join(name)).to_vec();
    for entry in fs::read_dir(root().join("docs")).expect("there is a folder docs") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    paths
}

#[test]
fn the_readmes_have_the_same_structure() {
    let (english, korean) = readmes();
    assert_eq!(english.outline(), korean.outline());
}

#[test]
fn the_readmes_have_the_same_code() {
    let (english, korean) = readmes();
    let (english, korean) = (english.code(), korean.code());
    assert_eq!(english.len(), korean.len());
    for (ours, theirs) in english.iter().zip(&korean) {
        assert_eq!(ours, theirs);
    }
}

#[test]
fn the_readmes_tables_name_the_same_code() {
    let (english, korean) = readmes();
    assert_eq!(english.code_in_tables(), korean.code_in_tables());
}

#[test]
fn relative_links_lead_to_files() {
    for path in documents() {
        let folder = path.parent().expect("a file is in a folder");
        for link in read(&path).links() {
            let Some(file) = relative(&link) else {
                continue;
            };
            assert!(
                folder.join(file).exists(),
                "{}: {link} leads nowhere",
                path.display()
            );
        }
    }
}

/// The registry shows them without the files around them.
#[test]
fn the_readmes_links_hold_anywhere() {
    for readme in [readmes().0, readmes().1] {
        let links = readme.links();
        assert!(links.len() > 20, "it has links");
        let relative: Vec<_> = links.iter().filter_map(|link| relative(link)).collect();
        assert_eq!(relative, [""; 0]);
    }
}

#[test]
fn no_reference_is_undefined() {
    for path in documents() {
        let missing = read(&path).undefined_references();
        assert!(missing.is_empty(), "{}: {missing:?}", path.display());
    }
}

/// Every page is in the guide, and no program in it is left out of the tests.
#[test]
fn every_page_is_in_the_guide_and_is_run() {
    let guide = fs::read_to_string(root().join("src/guide.rs")).expect("there is a guide");
    for path in documents() {
        let name = path.file_name().expect("it is a file").to_string_lossy();
        if path.starts_with(root().join("docs")) {
            assert!(guide.contains(&format!("\"{name}\"")), "{name}");
            assert!(!read(&path).code().is_empty(), "{name} shows no program");
        }
        for info in read(&path).languages() {
            assert!(
                ["rust", "rust,no_run", "python", "sh", "text", "toml"].contains(&info.as_str()),
                "{name}: a block of `{info}`"
            );
        }
    }
}

/// Every error that is listed says what to do about it.
#[test]
fn no_error_is_listed_without_what_to_do() {
    let page = fs::read_to_string(root().join("docs/errors.md")).expect("there is a page");
    let mut tables = 0;
    let mut is_asked = false;
    for line in page.lines() {
        match line.strip_suffix(" what to do |") {
            Some(_) => (is_asked, tables) = (true, tables + 1),
            None if !line.starts_with('|') => is_asked = false,
            None => assert!(!is_asked || !line.ends_with("| |"), "{line}"),
        }
    }
    assert!(tables >= 6, "the page has tables");
}

/// Nor in the library's own documentation.
#[test]
fn no_doc_test_is_ignored() {
    for file in layers::files(&root().join("src")) {
        let text = fs::read_to_string(&file).expect("a file");
        let ignored = text
            .lines()
            .any(|line| line.contains("```") && line.contains("ignore"));
        assert!(!ignored, "{}", file.display());
    }
}

/// Every page of the guide is found from the crate's first page.
#[test]
fn the_first_page_leads_to_all_others() {
    let first = fs::read_to_string(root().join("src/lib.rs")).expect("there is a crate");
    let guide = fs::read_to_string(root().join("src/guide.rs")).expect("there is a guide");
    for line in guide.lines() {
        if let Some(page) = line.strip_prefix("page!(") {
            let page = page.split(',').next().expect("a name");
            assert!(first.contains(&format!("[`guide::{page}`]")), "{page}");
        }
    }
}

/// The file of a link that leads to one.
fn relative(link: &str) -> Option<&str> {
    let file = link.split('#').next().unwrap_or_default();
    let elsewhere = file.contains("://") || file.starts_with("mailto:") || file.is_empty();
    (!elsewhere).then_some(file)
}

#[test]
fn the_test_sees_what_it_looks_for() {
    let text = "# One\n\n[a](b.md) and [c]\n\n```rust\nlet a = 1; // one\n// two\n\n```\n\n| `x` | y |\n|---|---|\n| 1 | 2 |\n\n[c]: d.md\n";
    let document = Document::parse(text);
    assert_eq!(
        document.outline(),
        [
            Part::Heading(1),
            Part::Code("rust".to_owned()),
            Part::Table {
                rows: 3,
                columns: 2
            }
        ]
    );
    assert_eq!(document.code(), ["let a = 1;"]);
    assert_eq!(document.links(), ["b.md", "d.md"]);
    assert_eq!(document.code_in_tables(), ["x"]);
    assert!(document.undefined_references().is_empty());
    assert_eq!(
        Document::parse("see [there].").undefined_references(),
        ["there"]
    );
}

/// What the page on Flask says that Flask does, it does.
#[test]
fn the_program_before_moving_over_from_flask_runs() {
    let script = root().join("tests/docs/flask/before.py");
    let page = root().join("docs/from-flask.md");
    let python = std::process::Command::new("/usr/bin/python3")
        .args([script, page])
        .output()
        .expect("the test needs Python: apt-get install python3-flask");
    let said = String::from_utf8_lossy(&python.stderr);
    assert!(
        python.status.success(),
        "is python3-flask installed? {said}"
    );
    assert_eq!(python.stdout, b"ok\n");
}
