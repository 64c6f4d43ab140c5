//! What a source file imports and defines, read from its tokens. Code that only tests see is left out.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The names that `use` declares.
    pub(crate) uses: Vec<Use>,
    /// All other paths: in expressions, types and macros.
    pub(crate) paths: Vec<Path>,
    /// The items at the top of the file.
    pub(crate) items: HashSet<String>,
    /// The macros that are exported, which makes them the crate's.
    pub(crate) exported_macros: HashSet<String>,
    /// Every identifier outside of a `use`.
    pub(crate) identifiers: HashSet<String>,
    /// The files that are modules for tests.
    pub(crate) test_modules: HashSet<String>,
}

#[derive(Debug)]
pub(crate) struct Use {
    /// `*` for a glob.
    pub(crate) name: String,
    pub(crate) path: Path,
    pub(crate) is_public: bool,
}

/// As written: `["super", "store", "SqlStore"]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    /// The modules of the same file around it, the outermost first.
    pub(crate) inside: Vec<String>,
    pub(crate) segments: Vec<String>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Self {
        let mut source = Self::default();
        source.visit(text.parse().expect("Rust"), &[], true);
        source
    }

    fn visit(&mut self, tokens: TokenStream, inside: &[String], is_top: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            at += match rest {
                [TokenTree::Punct(hash), TokenTree::Group(attribute), ..]
                    if hash.as_char() == '#' && is_for_tests(attribute) =>
                {
                    2 + self.skip_item(&rest[2..])
                }
                [
                    TokenTree::Punct(hash),
                    TokenTree::Group(attribute),
                    TokenTree::Ident(word),
                    _,
                    TokenTree::Ident(name),
                    ..,
                ] if hash.as_char() == '#'
                    && word == "macro_rules"
                    && attribute.stream().to_string() == "macro_export" =>
                {
                    self.exported_macros.insert(name.to_string());
                    2
                }
                [TokenTree::Ident(word), next, ..] if word == "use" && !is(next, '<') => {
                    let length = rest.iter().position(|token| is(token, ';'));
                    let length = length.unwrap_or(rest.len());
                    self.visit_use(&rest[1..length], inside, is_public(&tokens[..at]));
                    length
                }
                [
                    TokenTree::Ident(word),
                    TokenTree::Ident(name),
                    TokenTree::Group(body),
                    ..,
                ] if word == "mod" && body.delimiter() == Delimiter::Brace => {
                    let inside = [inside, &[name.to_string()]].concat();
                    self.visit(body.stream(), &inside, false);
                    3
                }
                [TokenTree::Ident(word), TokenTree::Ident(_), ..] if word == "mod" => 2,
                [TokenTree::Ident(_), ..] => {
                    let (segments, length) = path(rest);
                    self.identifiers.extend(segments.iter().cloned());
                    if segments.len() > 1 && !is_after_colons(&tokens[..at]) {
                        let inside = inside.to_vec();
                        self.paths.push(Path { inside, segments });
                    } else if is_top {
                        self.items.extend(item(rest));
                    }
                    length
                }
                [TokenTree::Group(group), ..] => {
                    self.visit(group.stream(), inside, false);
                    1
                }
                _ => 1,
            };
        }
    }

    /// The length of the item that begins here.
    fn skip_item(&mut self, tokens: &[TokenTree]) -> usize {
        if let [TokenTree::Ident(word), TokenTree::Ident(name), end, ..] = tokens
            && word == "mod"
            && is(end, ';')
        {
            self.test_modules.insert(name.to_string());
        }
        let is_end = |token: &TokenTree| is(token, ';') || is_braced(token);
        let end = tokens.iter().position(is_end);
        end.map_or(tokens.len(), |end| end + 1)
    }

    fn visit_use(&mut self, tokens: &[TokenTree], inside: &[String], is_public: bool) {
        let mut leaves = Vec::new();
        use_tree(tokens, &[], &mut leaves);
        self.uses.extend(leaves.into_iter().map(|(name, segments)| {
            let inside = inside.to_vec();
            let path = Path { inside, segments };
            Use {
                name,
                path,
                is_public,
            }
        }));
    }
}

/// Names and paths of `a::{self, b as c, d::*}`.
fn use_tree(tokens: &[TokenTree], prefix: &[String], leaves: &mut Vec<(String, Vec<String>)>) {
    let branches = tokens.split(|token| is(token, ','));
    for branch in branches.filter(|branch| !branch.is_empty()) {
        let mut segments = prefix.to_vec();
        if let [first, ..] = branch
            && is(first, ':')
        {
            // `::a` is another crate.
            segments.push(String::new());
        }
        let mut name = None;
        let mut words = branch.iter();
        while let Some(token) = words.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    name = words.next().map(ToString::to_string);
                }
                TokenTree::Ident(word) if word == "self" && !segments.is_empty() => {}
                TokenTree::Ident(word) => segments.push(word.to_string()),
                TokenTree::Punct(star) if star.as_char() == '*' => name = Some("*".to_owned()),
                TokenTree::Group(group) => {
                    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                    use_tree(&tokens, &segments, leaves);
                    segments.clear();
                }
                _ => {}
            }
        }
        if let Some(name) = name.or_else(|| segments.last().cloned()) {
            leaves.push((name, segments));
        }
    }
}

/// The segments of `a::b::c`, and of how many tokens it is.
fn path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let mut segments = vec![tokens[0].to_string()];
    let mut length = 1;
    while let [colon, other, TokenTree::Ident(word), ..] = &tokens[length..]
        && is(colon, ':')
        && is(other, ':')
    {
        segments.push(word.to_string());
        length += 3;
    }
    (segments, length)
}

/// The name of the item that begins here.
fn item(tokens: &[TokenTree]) -> Option<String> {
    const KEYWORDS: [&str; 8] = [
        "fn", "struct", "enum", "union", "trait", "type", "const", "static",
    ];
    match tokens {
        [TokenTree::Ident(word), TokenTree::Ident(name), ..]
            if KEYWORDS.iter().any(|keyword| word == keyword) && name != "fn" =>
        {
            Some(name.to_string())
        }
        [TokenTree::Ident(word), _, TokenTree::Ident(name), ..] if word == "macro_rules" => {
            Some(name.to_string())
        }
        _ => None,
    }
}

/// Whether an attribute is `cfg(test)` or `cfg(all(test, …))`.
fn is_for_tests(attribute: &Group) -> bool {
    let text = attribute
        .stream()
        .to_string()
        .replace(char::is_whitespace, "");
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// Whether `pub` or `pub(…)` comes last.
fn is_public(before: &[TokenTree]) -> bool {
    let is_pub = |token: &TokenTree| token.to_string() == "pub";
    match before {
        [.., word, TokenTree::Group(scope)] if scope.delimiter() == Delimiter::Parenthesis => {
            is_pub(word)
        }
        [.., word] => is_pub(word),
        [] => false,
    }
}

/// Whether `::` comes last: what follows is of another crate, or belongs to a type.
fn is_after_colons(before: &[TokenTree]) -> bool {
    matches!(before, [.., first, second] if is(first, ':') && is(second, ':'))
}

fn is(token: &TokenTree, letter: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == letter)
}

fn is_braced(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

#[test]
fn uses_are_read() {
    let source = Source::parse(
        "pub use self::a::{B, c::{self, D as E}, f::*,};
         use ::a::A;
         use std::fmt;
         /// use crate::comment;
         mod declared;
         fn f() -> impl Sized + use<> { \"use crate::text;\" }
         #[cfg(test)] mod only_here;
         #[cfg(test)] mod tests { use crate::j; }
         mod inline { use super::g; }",
    );
    let found = |name: &str, path: &str, is_public: bool| {
        let is_it = |u: &&Use| u.path.segments.join("::") == path;
        let found = source.uses.iter().find(is_it);
        let found = found.unwrap_or_else(|| panic!("no {path} in {:?}", source.uses));
        assert_eq!((&*found.name, found.is_public), (name, is_public), "{path}");
    };
    found("B", "self::a::B", true);
    found("c", "self::a::c", true);
    found("E", "self::a::c::D", true);
    found("*", "self::a::f", true);
    found("fmt", "std::fmt", false);
    found("g", "super::g", false);
    found("A", "::a::A", false);
    assert_eq!(source.uses.len(), 7);
    assert!(source.test_modules.contains("only_here"));
    assert!(!source.identifiers.contains("declared"));
}

#[test]
fn paths_and_items_are_read() {
    let source = Source::parse(
        "macro_rules! m { () => { super::a::b!() } }
         struct S(crate::c::D);
         #[macro_export] macro_rules! n { () => {} }
         const fn f() { let x: e::F = ::a::g(); }",
    );
    assert_eq!(source.exported_macros, ["n".to_owned()].into());
    let paths = source.paths.iter().map(|path| path.segments.join("::"));
    assert_eq!(
        paths.collect::<Vec<_>>(),
        ["super::a::b", "crate::c::D", "e::F"]
    );
    assert_eq!(source.items, ["m", "S", "n", "f"].map(str::to_owned).into());
}
