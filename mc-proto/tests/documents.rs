//! docs/API.md and docs/ROLES.md are made from the types, and current.

use std::{fs, path::Path};

#[test]
fn the_api_document_is_current() {
    is_current("API.md", &mc_proto::describe::markdown());
}

#[test]
fn the_document_of_who_may_do_what_is_current() {
    is_current("ROLES.md", &mc_proto::describe::roles());
}

fn is_current(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    #[expect(clippy::disallowed_methods, reason = "a test's switch, not the product's")]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        assert!(fs::write(&path, made).is_ok(), "docs/{name} can't be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let how = "run `UPDATE_DOCS=1 cargo test -p mc-proto`";
    assert!(found == made, "docs/{name} is out of date: {how}");
}
