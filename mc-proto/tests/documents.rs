//! docs/API.md is made from the types, and current.

use std::{fs, path::Path};

#[test]
fn the_api_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/API.md");
    let made = mc_proto::describe::markdown();
    #[expect(clippy::disallowed_methods, reason = "a test's switch, not the product's")]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == made,
        "docs/API.md is out of date: run `UPDATE_DOCS=1 cargo test -p mc-proto`"
    );
}
