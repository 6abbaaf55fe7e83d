//! What the disk says about a call: looked up by the daemon, judged here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What a call's judgement needs to know of the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Absolute paths without `.` and `..`, whose links are to be followed.
    pub paths: BTreeSet<String>,
    /// Names of programs to be found in the standard directories, or absolute paths of some.
    pub programs: BTreeSet<String>,
    /// Absolute paths of scripts that the call runs, to be hashed.
    pub scripts: BTreeSet<String>,
}

impl Wanted {
    /// Says whether nothing is to be looked up.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.programs.is_empty() && self.scripts.is_empty()
    }
}

/// What was found. What is missing in it could not be looked up and is judged as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Where a path leads once all links are followed, for those that lead elsewhere than written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// Where a program lies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, String>,
    /// SHA-256 of a program's file, in hex, by the program's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub program_hashes: BTreeMap<String, String>,
    /// SHA-256 of a script's content, in hex.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scripts: BTreeMap<String, String>,
    /// Whether the disk did not answer in time; then nothing is let through unasked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_late: bool,
}

impl Facts {
    /// Nothing was looked up.
    pub const NONE: &'static Self = &Self {
        links: BTreeMap::new(),
        programs: BTreeMap::new(),
        program_hashes: BTreeMap::new(),
        scripts: BTreeMap::new(),
        is_late: false,
    };
}
