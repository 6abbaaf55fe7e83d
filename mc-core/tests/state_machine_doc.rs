//! Keeps `docs/STATE_MACHINE.md` equal to the law. `UPDATE_DOCS=1` writes the page anew.

use mc_core::task::law;

#[test]
fn the_page_about_the_state_machine_is_current() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/STATE_MACHINE.md");
    #[expect(clippy::disallowed_methods, reason = "the one switch of this test")]
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    if update {
        std::fs::write(page, law::markdown()).unwrap();
    }
    let found = std::fs::read_to_string(page).unwrap_or_default();
    assert!(found == law::markdown(), "docs/STATE_MACHINE.md is out of date: UPDATE_DOCS=1");
}
