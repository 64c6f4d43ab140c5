//! The layout in `CONTRIBUTING.md`: every file of the library is in it, and imports from its own level and those below.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use crate::root;

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

/// The deepest module that has a level of its own.
fn module(file: &Path, levels: &HashMap<String, u8>) -> Option<String> {
    let inside = file.strip_prefix(root().join("src")).expect("it is in src");
    let names = inside.with_extension("");
    let mut modules = names.ancestors().filter_map(Path::to_str);
    modules
        .find(|name| levels.contains_key(*name))
        .map(str::to_owned)
}

/// The modules of the crate that a file imports from, its tests aside.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let statements = code.split("use crate::").skip(1);
    let paths = statements.map(|rest| rest.split(';').next().unwrap_or_default());
    paths.flat_map(|path| first_names(path.trim())).collect()
}

/// `a::b` is `a`; `{a, b::{c, d}}` are `a` and `b`.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| {
        let path = path.trim();
        path.split("::").next().unwrap_or_default().to_owned()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn every_file_imports_from_its_level_and_below() {
    let levels = levels();
    let programs = root().join("src/bin");
    let library = files(&root().join("src"))
        .into_iter()
        .filter(|file| !file.starts_with(&programs));
    for file in library {
        let shown = file.display();
        let module = module(&file, &levels)
            .unwrap_or_else(|| panic!("{shown} is in no level of CONTRIBUTING.md"));
        let text = fs::read_to_string(&file).expect("a file");
        for import in imports(&text) {
            let level = levels.get(&import);
            let level = level.unwrap_or_else(|| panic!("{shown}: {import} is in no level"));
            assert!(*level <= levels[&module], "{shown} imports from {import}");
        }
    }
}

#[test]
fn the_test_sees_imports() {
    let text = "use crate::{\n    a::{b, c},\n    d,\n    e::f,\n};\nuse crate::g::{h, i};\nuse std::fmt;\n#[cfg(test)]\nmod tests { use crate::j; }";
    assert_eq!(imports(text), ["a", "d", "e", "g"]);
}
