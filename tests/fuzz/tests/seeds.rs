//! Every seed, and every input that once went wrong, goes through its target.

use std::{fs, path::Path};

use mc_fuzz::TARGETS;

#[test]
fn every_seed_passes_its_target() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in TARGETS {
        let files = fs::read_dir(seeds.join(name)).expect("each target has seeds");
        let mut count = 0;
        for file in files {
            target(&fs::read(file.expect("a readable folder").path()).expect("a readable seed"));
            count += 1;
        }
        assert!(count >= 10, "{name} has {count} seeds only");
    }
}
