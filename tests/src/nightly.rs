//! How large random tests are: the one reader of `MC_NIGHTLY`, which the tests of the other crates
//! take in by its path, because no crate may need this one.

/// Says whether the long sizes of a nightly run are wanted.
pub(crate) fn is_wanted() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test's switch, not the product's")]
    std::env::var_os("MC_NIGHTLY").is_some()
}
