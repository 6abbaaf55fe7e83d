//! Goes through files that the fuzzer found, at the product's own speed: none may be slow.
//!
//! `replay DIR`: each folder in it is called like its target.

use std::{env, fs, path::Path};

use mc_fuzz::{TARGETS, timed};

fn main() {
    let dir = env::args().nth(1).expect("usage: replay DIR");
    for (name, target) in TARGETS {
        let Ok(files) = fs::read_dir(Path::new(&dir).join(name)) else { continue };
        let mut count = 0;
        for file in files.flatten() {
            timed(&fs::read(file.path()).expect("a readable file"), *target);
            count += 1;
        }
        println!("{name}: {count} inputs, none over its limit");
    }
}
