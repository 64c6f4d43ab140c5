//! Which files of a crate import from which.
//!
//! A name that a `mod.rs` re-exports counts as imported from the file that defines it. A `mod.rs` that lists its modules
//! and re-exports their names does not import from them; one with code of its own that uses them does.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
};

use crate::imports::{Path, Source};

/// The files, each by the path of its module: `store/sql/lease`, and `store` for `store/mod.rs`.
pub(crate) struct Modules(BTreeMap<String, Source>);

/// For each file those that it imports from.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

/// The module of `lib.rs` or `main.rs`.
pub(crate) const ROOT: &str = "";

impl Modules {
    /// The crate whose root is in this folder. The folder `bin` holds other crates.
    pub(crate) fn read(folder: &std::path::Path) -> Self {
        let files = crate::layers::files(folder).into_iter();
        let library = files.filter(|file| !file.starts_with(folder.join("bin")));
        Self::new(library.map(|file| {
            let text = fs::read_to_string(&file).expect("a file");
            let name = file.strip_prefix(folder).expect("it is in the folder");
            (name.to_string_lossy().into_owned(), text)
        }))
    }

    /// From names such as `store/mod.rs` and the text of each.
    pub(crate) fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let files = files.into_iter();
        let mut sources: BTreeMap<String, Source> = files
            .map(|(file, text)| (module(&file), Source::parse(&text)))
            .collect();
        let for_tests: Vec<String> = sources
            .iter()
            .flat_map(|(module, source)| source.test_modules.iter().map(|name| join(module, name)))
            .collect();
        sources.retain(|module, _| !for_tests.iter().any(|test| is_within(module, test)));
        Self(sources)
    }

    pub(crate) fn imports(&self) -> Imports {
        let modules = self.0.keys();
        modules
            .map(|module| {
                let mut imports = self.imports_of(module);
                imports.remove(module);
                (module.clone(), imports)
            })
            .collect()
    }

    fn imports_of(&self, module: &str) -> BTreeSet<String> {
        let source = &self.0[module];
        let uses = source.uses.iter().filter_map(|import| {
            let target = self.resolve(module, &import.path)?;
            let is_contents = import.is_public
                && is_within(&target, module)
                && !source.identifiers.contains(&import.name);
            (!is_contents).then_some(target)
        });
        let paths = source.paths.iter();
        let paths = paths.filter_map(|path| self.resolve(module, path));
        uses.chain(paths).collect()
    }

    /// The file in which a path leads to an item; none for other crates and for local names.
    fn resolve(&self, module: &str, path: &Path) -> Option<String> {
        self.resolve_within(module, path, 0)
    }

    fn resolve_within(&self, module: &str, path: &Path, depth: usize) -> Option<String> {
        if depth > MAX_DEPTH {
            return None;
        }
        let here = path.inside.iter();
        let here = here.fold(module.to_owned(), |here, inner| join(&here, inner));
        let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
        match segments[..] {
            ["crate", ref rest @ ..] => self.descend(ROOT, rest, depth),
            ["self", ref rest @ ..] => self.descend(&here, rest, depth),
            ["super", ..] => {
                let (mut base, mut rest) = (&*here, &segments[..]);
                while let ["super", further @ ..] = rest {
                    (base, rest) = (parent(base), further);
                }
                self.descend(base, rest, depth)
            }
            [first, ..] if self.0.contains_key(&join(&here, first)) => {
                self.descend(&here, &segments, depth)
            }
            [first, ref rest @ ..] if depth == 0 => {
                // `use super::failure;` and then `failure::into_error`.
                let uses = self.0[module].uses.iter();
                let alias = uses
                    .filter(|import| import.path.inside == path.inside)
                    .find(|import| import.name == first && !import.path.segments.is_empty())?;
                let mut whole = alias.path.clone();
                whole.segments.extend(rest.iter().map(|s| (*s).to_owned()));
                self.resolve_within(module, &whole, depth + 1)
            }
            _ => None,
        }
    }

    /// From a module on, as deep as there are files; then through re-exports to the file of the item.
    fn descend(&self, base: &str, segments: &[&str], depth: usize) -> Option<String> {
        // Where `base` is a module inside a file, the file.
        let mut file = base;
        while !self.0.contains_key(file) {
            if file == ROOT {
                return None;
            }
            file = parent(file);
        }
        let is_inline = file != base;
        let mut file = file.to_owned();
        let mut segments = segments.iter();
        let item = segments.find(|segment| {
            let deeper = join(&file, segment);
            let is_item = is_inline || !self.0.contains_key(&deeper);
            if !is_item {
                file = deeper;
            }
            is_item
        });
        let Some(item) = item.filter(|_| !is_inline) else {
            return Some(file);
        };
        let defined_elsewhere = self.reexport(&file, item, depth);
        defined_elsewhere.or(Some(file))
    }

    /// Where the item of a module comes from, if that does not define it.
    fn reexport(&self, module: &str, item: &str, depth: usize) -> Option<String> {
        let source = &self.0[module];
        if source.items.contains(item) {
            return None;
        }
        if module == ROOT {
            let mut files = self.0.iter();
            let exported = files.find(|(_, file)| file.exported_macros.contains(item));
            if let Some((file, _)) = exported {
                return Some(file.clone());
            }
        }
        let uses = source.uses.iter();
        let mut uses = uses.filter(|import| import.path.inside.is_empty());
        if let Some(import) = uses.clone().find(|import| import.name == item) {
            return self.resolve_within(module, &import.path, depth + 1);
        }
        uses.find_map(|import| {
            let glob = (import.name == "*").then_some(&import.path)?;
            let target = self.resolve_within(module, glob, depth + 1)?;
            self.0[&target].items.contains(item).then_some(target)
        })
    }
}

/// Of re-exports of re-exports.
const MAX_DEPTH: usize = 10;

/// The circles of imports, each from its first file back to it; of several through one file the shortest. Those that
/// stay within the folders `allowed` are left out.
pub(crate) fn circles(imports: &Imports, allowed: &[&str]) -> Vec<Vec<String>> {
    let (mut circles, mut seen) = (Vec::new(), BTreeSet::new());
    let is_allowed = |file: &str| allowed.iter().any(|folder| is_within(file, folder));
    for start in imports.keys().filter(|file| !is_allowed(file)) {
        if seen.contains(start) {
            continue;
        }
        if let Some(circle) = shortest_circle(imports, start) {
            seen.extend(circle.iter().cloned());
            circles.push(circle);
        }
    }
    circles
}

fn shortest_circle(imports: &Imports, start: &String) -> Option<Vec<String>> {
    let mut reached_from: BTreeMap<&String, &String> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for target in imports.get(file).into_iter().flatten() {
            if reached_from.contains_key(target) {
                continue;
            }
            reached_from.insert(target, file);
            queue.push_back(target);
        }
    }
    let mut circle = vec![start.clone()];
    let mut file = *reached_from.get(start)?;
    while file != start {
        circle.push(file.clone());
        file = reached_from[file];
    }
    circle.push(start.clone());
    circle.reverse();
    Some(circle)
}

/// Whether a module is this one or inside of it.
pub(crate) fn is_within(module: &str, outer: &str) -> bool {
    let rest = module.strip_prefix(outer);
    outer == ROOT || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn module(file: &str) -> String {
    let name = file.strip_suffix(".rs").expect("a file of Rust");
    match name {
        "lib" | "main" => ROOT.to_owned(),
        _ => name.strip_suffix("/mod").unwrap_or(name).to_owned(),
    }
}

fn join(module: &str, name: &str) -> String {
    match module {
        ROOT => name.to_owned(),
        _ => format!("{module}/{name}"),
    }
}

fn parent(module: &str) -> &str {
    module.rsplit_once('/').map_or(ROOT, |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(&str, &str)]) -> Imports {
        let files = files.iter();
        let files = files.map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
        Modules::new(files).imports()
    }

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let circles = circles(&imports(files), &[]).into_iter();
        circles.map(|circle| circle.join(" > ")).collect()
    }

    #[test]
    fn a_circle_is_found() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; pub use self::a::A;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use crate::{c::{C, D}, a}; pub struct B;"),
            ("c.rs", "use std::fmt; pub struct C;"),
        ];
        assert_eq!(found(&files), ["a > b > a"]);
    }

    #[test]
    fn a_long_circle_is_found() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use super::b::B;"),
            ("b.rs", "fn f() { crate::c::f() }"),
            ("c.rs", "macro_rules! m { () => { crate::a::f() } }"),
        ];
        assert_eq!(found(&files), ["a > b > c > a"]);
    }

    #[test]
    fn imports_in_one_direction_are_no_circle() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::{b, c};"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
        ];
        assert!(found(&files).is_empty());
    }

    #[test]
    fn a_name_comes_from_the_file_that_defines_it() {
        let files = [
            ("lib.rs", "mod f;"),
            (
                "f/mod.rs",
                "mod a; mod b; mod c; pub use self::{a::A, b::*};",
            ),
            ("f/a.rs", "pub struct A;"),
            ("f/b.rs", "use super::{A as Other, c}; pub enum B {}"),
            ("f/c.rs", "use super::B;"),
        ];
        let imports = imports(&files);
        assert_eq!(imports["f/b"], ["f/a", "f/c"].map(str::to_owned).into());
        assert_eq!(imports["f/c"], ["f/b"].map(str::to_owned).into());
        assert!(imports["f"].is_empty(), "a table of contents");
        assert_eq!(found(&files), ["f/b > f/c > f/b"]);
    }

    #[test]
    fn a_path_through_an_import_comes_from_the_file_that_defines_it() {
        let files = [
            ("lib.rs", "mod f; mod g;"),
            ("f/mod.rs", "mod a; pub use self::a::A; pub fn b() {}"),
            ("f/a.rs", "pub struct A;"),
            ("g.rs", "use crate::f; fn g(_: f::A) { f::b() }"),
        ];
        assert_eq!(imports(&files)["g"], ["f", "f/a"].map(str::to_owned).into());
    }

    #[test]
    fn a_folder_with_code_of_its_own_imports_what_that_uses() {
        let files = [
            ("lib.rs", "mod f;"),
            ("f/mod.rs", "mod a; pub use self::a::A; pub struct B(A);"),
            ("f/a.rs", "use super::B; pub struct A;"),
        ];
        assert_eq!(found(&files), ["f > f/a > f"]);
        let private = ("f/mod.rs", "mod a; use self::a::A; pub struct B;");
        assert_eq!(found(&[files[0], private, files[2]]), ["f > f/a > f"]);
        let path = ("f/mod.rs", "mod a; pub struct B(a::A);");
        assert_eq!(found(&[files[0], path, files[2]]), ["f > f/a > f"]);
    }

    #[test]
    fn an_exported_macro_comes_from_the_file_that_defines_it() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "#[macro_export] macro_rules! m { () => { crate::m!() } }",
            ),
            ("b.rs", "crate::m!();"),
        ];
        assert_eq!(imports(&files)["a"], [].into());
        assert_eq!(imports(&files)["b"], ["a".to_owned()].into());
    }

    #[test]
    fn modules_in_a_file_are_that_file() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "pub mod x { use super::y::Y; use super::super::b::B; } mod y {}",
            ),
            ("b.rs", "use crate::a::x::X;"),
        ];
        assert_eq!(found(&files), ["a > b > a"]);
    }

    #[test]
    fn modules_for_tests_are_left_out() {
        let files = [
            ("lib.rs", "mod a; #[cfg(test)] mod test; mod b;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", ""),
            ("test/mod.rs", "mod inner;"),
            ("test/inner.rs", "use crate::a::A; use super::super::test;"),
        ];
        let imports = imports(&files);
        assert_eq!(imports.keys().collect::<Vec<_>>(), ["", "a", "b"]);
    }

    #[test]
    fn a_circle_that_leaves_an_allowed_folder_is_found() {
        let mut imports = imports(&[
            ("lib.rs", "mod f; mod g;"),
            ("f/mod.rs", "mod a; mod b;"),
            ("f/a.rs", "use super::b::B; use crate::g::G;"),
            ("f/b.rs", "use super::a::A;"),
            ("g.rs", ""),
        ]);
        assert_eq!(circles(&imports, &[]), [["f/a", "f/b", "f/a"]]);
        assert!(circles(&imports, &["f"]).is_empty());
        imports.insert("g".to_owned(), ["f/b".to_owned()].into());
        assert_eq!(circles(&imports, &["f"]), [["g", "f/b", "f/a", "g"]]);
    }
}
