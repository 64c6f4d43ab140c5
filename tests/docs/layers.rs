//! The layout in `CONTRIBUTING.md`: every file of the library is in it and imports from its own level and those below,
//! and no files import one another in a circle.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    modules::{Modules, ROOT, circles},
    root,
};

/// Folders and files that may import one another: `layer` because a layer makes its builder and the builder its layer;
/// the trait of stores and `regenerate` because the one's default method is the other, which calls the trait's methods.
/// A circle through any other file is an error.
const CIRCLES_ALLOWED: [&str; 3] = ["store/session_store", "store/regenerate", "layer"];

/// Where the descriptions begin.
const NAMES: std::ops::Range<usize> = 3..44;

fn levels() -> HashMap<String, u8> {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("it is there");
    let (_, layout) = text.split_once("```text\n").expect("a layout");
    let (layout, _) = layout.split_once("```").expect("an end of it");
    let (mut levels, mut level) = (HashMap::new(), 0);
    for line in layout.lines() {
        if let Ok(number) = line[..1].parse() {
            level = number;
        }
        let names = line[NAMES].split_whitespace();
        levels.extend(names.map(|name| (name.to_owned(), level)));
    }
    levels
}

/// The level of the deepest module that has one.
fn level(module: &str, levels: &HashMap<String, u8>) -> u8 {
    let name = if module == ROOT { "lib" } else { module };
    let mut modules = Path::new(name).ancestors().filter_map(Path::to_str);
    let level = modules.find_map(|name| levels.get(name));
    *level.unwrap_or_else(|| panic!("{name} is in no level of CONTRIBUTING.md"))
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let files = paths.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    });
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn every_file_imports_from_its_level_and_below() {
    let levels = levels();
    for (module, imports) in Modules::read(&root().join("src")).imports() {
        let own = level(&module, &levels);
        for import in imports {
            let below = level(&import, &levels) <= own;
            assert!(below, "{module} imports from {import}, which is above it");
        }
    }
}

#[test]
fn no_files_import_one_another() {
    let library = Modules::read(&root().join("src")).imports();
    let tool = Modules::read(&root().join("src/bin/wiz-session")).imports();
    let circles = [circles(&library, &CIRCLES_ALLOWED), circles(&tool, &[])].concat();
    let shown: Vec<String> = circles.iter().map(|circle| circle.join(" > ")).collect();
    assert!(shown.is_empty(), "circles:\n{}", shown.join("\n"));
}
