//! Rules about the source tree that a machine can hold: homes, layers, sizes, places of trust.
//!
//! Each test lists every violation at once. A rule is changed here, in the commit that needs it, with its reason.

mod tree;

use std::collections::{BTreeMap, BTreeSet};

use tree::{File, files, words};

/// Each outside library has one home, so that replacing it touches one place.
const HOMES: &[(&str, &str)] = &[
    ("axum", "src/http/"),
    ("sqlx", "src/store/"),
    ("jsonwebtoken", "src/authn/"),
    ("tantivy", "indexes/src/lexical"),
    ("hnsw_rs", "indexes/src/vector/hnsw.rs"),
    ("cedar_policy", "indexes/src/rules/"),
    ("landlock", "src/cage/"),
    ("seccompiler", "src/cage/"),
    ("lopdf", "ingest/src/parse/pdf/"),
    ("quick_xml", "ingest/src/parse/xml.rs"),
    ("mail_parser", "ingest/src/parse/mail.rs"),
];

/// The modules of the server, lowest layer first: a module uses its own layer and those below.
const LAYERS: &[&[&str]] = &[
    &["acl_form", "clock", "entropy", "error", "scim", "seal"],
    &[
        "audit",
        "authn",
        "authz",
        "cage",
        "catalog",
        "commit",
        "config",
        "context",
        "embed",
        "envelope",
        "release",
        "store",
        "telemetry",
    ],
    &["administration", "ingestion", "retrieval"],
    &["app", "http"],
    &["cli", "lib", "main"],
];

/// What a crate must not depend on: `ingest` is pure, `indexes` knows no server.
const CRATE_BANS: &[(&str, &[&str])] = &[
    (
        "ingest/Cargo.toml",
        &["ringfence", "ringfence-indexes", "axum", "hyper", "reqwest", "sqlx", "tokio", "tantivy", "jsonwebtoken"],
    ),
    ("indexes/Cargo.toml", &["ringfence", "axum", "hyper", "reqwest", "sqlx", "jsonwebtoken", "tokio"]),
];

/// What the pure crate must not reach for: clock, disk, network, environment.
const IMPURE: &[&str] = &["std::fs", "std::net", "std::env", "std::process", "SystemTime", "Instant"];

/// Functions that take responsibility instead of checking, and the only places that may call them.
/// A new place is a decision: add it here with its reason, in the commit that needs it.
const PLACES_OF_TRUST: &[(&str, &str, &str)] = &[
    ("expose_untrusted", "ingest/src/", "the sanitiser, the redactor and the cutter work on the text itself"),
    ("expose_untrusted", "indexes/src/lexical", "words are indexed and highlighted"),
    ("expose_untrusted", "indexes/src/body.rs", "what is indexed is set aside until it is found"),
    (
        "expose_untrusted",
        "indexes/src/document.rs",
        "hashes of what is indexed, and sketches that tell near duplicates",
    ),
    ("expose_untrusted", "indexes/src/segment.rs", "words are counted"),
    ("expose_untrusted", "src/embed/", "the embedder turns text into numbers"),
    ("expose_untrusted", "src/ingestion/", "a document is embedded and hashed before it is stored"),
    ("expose_untrusted", "src/release.rs", "the one way out: redacted and labelled"),
    ("expose_untrusted", "src/store/", "the store writes what it was given"),
    ("assert_prepared", "indexes/src/body.rs", "the engine gives back what it was given and set aside"),
    ("assert_prepared", "src/store/", "the store gives back what `prepare` made"),
    ("assert_verified", "src/authn/", "only authentication verifies principals"),
];

/// Crates that must not be in the tree, and why.
const BANNED: &[(&str, &str)] = &[
    ("native-tls", "one TLS: rustls"),
    ("openssl", "one cryptography: aws-lc"),
    ("openssl-sys", "one cryptography: aws-lc"),
    ("ring", "one cryptography: aws-lc"),
    ("rsa", "RUSTSEC-2023-0071: its timing leaks the key"),
];

/// Lines before tests. A file above this is more than one idea.
const LINES_MAX: usize = 450;
/// Files above [`LINES_MAX`] with the length they may not exceed. The list only shrinks.
const LONG_FILES: &[(&str, usize)] = &[];

#[track_caller]
fn none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}

fn check(rule: &str, is_subject: impl Fn(&File) -> bool, violation: impl Fn(&File) -> Vec<String>) {
    let files: Vec<File> = files().into_iter().filter(|file| is_subject(file)).collect();
    assert!(!files.is_empty(), "no file is subject to: {rule}");
    none(
        rule,
        &files
            .iter()
            .flat_map(|file| violation(file).into_iter().map(|what| format!("{}: {what}", file.path)))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn every_source_file_says_what_it_is() {
    check(
        "a source file opens with `//!`: what it is, why it exists",
        |file| file.has_extension("rs"),
        |file| if file.text.starts_with("//! ") { vec![] } else { vec!["does not".to_owned()] },
    );
}

#[test]
fn each_library_has_one_home() {
    check("an outside library is used in its home only", File::is_product, |file| {
        let code = file.code();
        let strays = HOMES.iter().filter(|(library, home)| !file.path.starts_with(home) && uses(&code, library));
        strays.map(|(library, home)| format!("uses `{library}`, whose home is {home}")).collect()
    });
}

/// Whether code names a crate: in a `use`, or in a path.
fn uses(code: &str, library: &str) -> bool {
    words(code, library).any(|at| {
        let names_a_field = code[..at].ends_with(['.', '"', '-']) || code[..at].ends_with("::");
        !names_a_field && (code[at + library.len()..].starts_with("::") || code[..at].ends_with("use "))
    })
}

#[test]
fn the_server_is_built_in_layers() {
    check(
        "a module uses its own layer and those below",
        |file| file.is_product() && file.path.starts_with("src/"),
        |file| {
            let own = file.path["src/".len()..].split(['/', '.']).next().unwrap_or_default();
            let Some(own_layer) = layer(own) else { return vec![format!("`{own}` has no layer: add it to LAYERS")] };
            let above =
                crate_uses(&file.code()).into_iter().filter(|used| layer(used).is_some_and(|other| other > own_layer));
            above.map(|used| format!("uses `{used}`, a layer above")).collect()
        },
    );
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The modules that follow `crate::`, also in a group.
fn crate_uses(code: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (at, opening) in code.match_indices("crate::") {
        let rest = &code[at + opening.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            modules.insert(name(rest));
            continue;
        };
        let mut depth = 1;
        let mut starts_item = true;
        for (offset, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => starts_item = depth == 1,
                _ if character.is_whitespace() => {}
                _ if starts_item => {
                    modules.insert(name(&group[offset..]));
                    starts_item = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    modules
}

fn name(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn crates_keep_the_line_of_dependencies() {
    check(
        "a crate depends on those to its right only",
        |file| CRATE_BANS.iter().any(|(path, _)| *path == file.path),
        |file| {
            let bans = CRATE_BANS.iter().filter(|(path, _)| *path == file.path).flat_map(|(_, bans)| *bans);
            let dependencies = dependencies(&file.text);
            bans.filter(|ban| dependencies.contains(**ban)).map(|ban| format!("depends on `{ban}`")).collect()
        },
    );
}

/// The names under `[dependencies]`: tests may use more.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split(['.', ' ', '=']).next()).collect()
}

#[test]
fn ingest_is_pure() {
    check(
        "`ingest` has no clock, disk, network or environment",
        |file| file.is_product() && file.path.starts_with("ingest/"),
        |file| {
            let code = file.code();
            IMPURE
                .iter()
                .filter(|name| words(&code, name).next().is_some())
                .map(|name| format!("uses `{name}`"))
                .collect()
        },
    );
}

#[test]
fn trust_is_taken_in_known_places() {
    check("a function that takes responsibility is called in a listed place only", File::is_product, |file| {
        let code = file.code();
        let functions: BTreeSet<&str> = PLACES_OF_TRUST.iter().map(|(function, ..)| *function).collect();
        let called =
            functions.into_iter().filter(|function| words(&code, function).any(|at| !code[..at].ends_with("fn ")));
        let is_listed = |function: &str| {
            PLACES_OF_TRUST.iter().any(|(own, place, _)| *own == function && file.path.starts_with(place))
        };
        called
            .filter(|function| !is_listed(function))
            .map(|function| format!("calls `{function}`: not in PLACES_OF_TRUST"))
            .collect()
    });
}

#[test]
fn files_stay_readable() {
    check(
        "a file is at most 450 lines before its tests",
        // Tests in a file of their own count as little as tests below the code.
        |file| file.has_extension("rs") && !file.path.ends_with("/tests.rs") && !file.path.ends_with("_tests.rs"),
        |file| {
            let lines = file.before_tests().lines().count();
            match LONG_FILES.iter().find(|(path, _)| *path == file.path) {
                Some((_, max)) if lines > *max => vec![format!("{lines} lines, may not grow beyond {max}")],
                Some((_, max)) if lines < *max => {
                    vec![format!("{lines} lines: lower its entry in LONG_FILES, or drop it")]
                }
                None if lines > LINES_MAX => vec![format!("{lines} lines")],
                _ => vec![],
            }
        },
    );
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not name what it forbids.
    let words_left = [["FIX", "ME"].concat(), ["X", "XX"].concat(), ["TO", "DO"].concat()];
    let macro_left = ["todo", "!"].concat();
    let is_subject =
        |file: &File| ["rs", "md", "toml", "sh", "sql", "js", "css", "yml"].iter().any(|own| file.has_extension(own));
    // What others wrote is taken over as it is.
    let is_ours = |file: &File| is_subject(file) && !file.path.starts_with("assets/swagger-ui/");
    check("nothing is left to do", is_ours, |file| {
        let mut left: Vec<String> =
            words_left.iter().filter(|word| words(&file.text, word).next().is_some()).cloned().collect();
        if file.has_extension("rs") && file.code().contains(&macro_left) {
            left.push(macro_left.clone());
        }
        left
    });
}

#[test]
fn nothing_names_a_machine() {
    let paths = [["/wo", "rk/"].concat(), ["/root/", "."].concat(), ["/tmp/", "tools"].concat()];
    check(
        "nothing names a path of one machine",
        |_| true,
        |file| {
            let stands_alone = |path: &str| {
                file.text
                    .match_indices(path)
                    .any(|(at, _)| !file.text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '.'))
            };
            paths.iter().filter(|path| stands_alone(path)).map(|path| format!("names `{path}`")).collect()
        },
    );
}

#[test]
fn markdown_ends_cleanly() {
    check(
        "markdown has no trailing blanks and ends with one line end",
        |file| file.has_extension("md"),
        |file| {
            let mut junk: Vec<String> = (1..)
                .zip(file.text.lines())
                .filter(|(_, line)| line.ends_with([' ', '\t', '\r']))
                .map(|(number, _)| format!("line {number} ends with a blank"))
                .collect();
            if !file.text.ends_with('\n') || file.text.ends_with("\n\n") {
                junk.push("does not end with one line end".to_owned());
            }
            junk
        },
    );
}

#[test]
fn migrations_are_twins() {
    let mut dialects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files() {
        if let Some((dialect, name)) = file.path.strip_prefix("migrations/").and_then(|rest| rest.split_once('/')) {
            dialects.entry(dialect.to_owned()).or_default().insert(name.to_owned());
        }
    }
    let all: BTreeSet<&String> = dialects.values().flatten().collect();
    let missing = dialects.iter().flat_map(|(dialect, names)| {
        all.iter()
            .filter(|name| !names.contains(**name))
            .map(move |name| format!("migrations/{dialect}/{name} is missing"))
    });
    none("a migration has the same name in every dialect", &missing.collect::<Vec<_>>());
}

#[test]
fn everything_comes_from_crates_io() {
    let lock = files().into_iter().find(|file| file.path == "Cargo.lock").expect("the lock file is committed").text;
    let sources = lock.lines().filter(|line| line.starts_with("source = "));
    let strange = sources.filter(|line| *line != "source = \"registry+https://github.com/rust-lang/crates.io-index\"");
    none("a dependency comes from crates.io", &strange.map(str::to_owned).collect::<Vec<_>>());
}

/// Asks cargo rather than the lock file, which also names crates behind features that nobody turned on.
#[test]
fn no_banned_crate_is_built() {
    let arguments = ["tree", "--locked", "--offline", "--workspace", "--edges", "normal,build", "--prefix", "none"];
    let output = std::process::Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let built: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("ringfence"), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let found = BANNED.iter().filter(|(name, _)| built.contains(name)).map(|(name, why)| format!("{name}: {why}"));
    none("a banned crate is built", &found.collect::<Vec<_>>());
}

#[test]
fn the_scanners_see_what_they_should() {
    let file = |text: &str| File { path: "src/http/search.rs".to_owned(), text: text.to_owned() };
    let group = "use crate::{store::{Store, a::b}, http,\n    audit::Receipt};\nlet x = crate::release::release(y);";
    assert_eq!(crate_uses(group), ["audit", "http", "release", "store"].map(str::to_owned).into());
    assert!(uses("use axum::Router;", "axum") && uses("let r = axum::Router::new();", "axum"));
    assert!(!uses("self.axum", "axum") && !uses("my_axum::x", "axum") && !uses("crate::axum::x", "axum"));
    let text = "//! x\nfn a() {} // why: axum::x\n#[cfg(test)]\nmod tests {\n    use axum::x;\n}\n";
    assert!(!file(text).code().contains("axum") && file(text).code().contains("fn a"));
    assert!(file("#[cfg(test)]\nmod tests;\nuse axum::x;\n").code().contains("axum"));
    assert_eq!(
        dependencies("[dependencies]\na.workspace = true\nb = \"1\"\n\n[dev-dependencies]\nc = \"1\""),
        ["a", "b", ""].into()
    );
}
