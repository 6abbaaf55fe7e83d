//! The programs that are known, each with the options that it may have (K10, K11).
//!
//! The rows are meant to be read beside the manuals of GNU coreutils, grep, ripgrep, jq and the
//! like. An option is left out when it writes, runs something, follows files, changes where things
//! are looked for, or is simply rare.

use super::options::{
    Form,
    Means::{Read, Text, Write},
    Operands::{All, Formats, None as Nothing, ReadThenLastWrite, ReadThenWrite, TextThenRead},
};
use crate::policy::Risk::{self, Green, Yellow};

/// A program with one way to call it.
pub(super) struct Program {
    /// Its name.
    pub(super) name: &'static str,
    /// What a call that fits is.
    pub(super) risk: Risk,
    /// How it may be called.
    pub(super) form: Form,
}

const fn green(name: &'static str, form: Form) -> Program {
    Program { name, risk: Green, form }
}

const fn yellow(name: &'static str, form: Form) -> Program {
    Program { name, risk: Yellow, form }
}

const READS: Form = Form::READS;
const TEXTS: Form = Form { operands: All(Text), ..READS };
const NOTHING: Form = Form { operands: Nothing, ..READS };

/// Every program whose calls are judged by their options alone.
pub(super) const PROGRAMS: &[Program] = &[
    // Listing and reading.
    green(
        "ls",
        Form {
            flags: "aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1",
            valued: &[('I', Text), ('w', Text)],
            long: &[
                "all",
                "almost-all",
                "directory",
                "full-time",
                "group-directories-first",
                "human-readable",
                "inode",
                "no-group",
                "numeric-uid-gid",
                "recursive",
                "reverse",
                "size",
            ],
            long_valued: &[("sort", Text), ("time", Text), ("time-style", Text), ("ignore", Text)],
            long_maybe: &["color", "classify"],
            ..READS
        },
    ),
    green("pwd", Form { flags: "LP", ..NOTHING }),
    green(
        "cat",
        Form {
            flags: "AbeEnstTuv",
            long: &["number", "number-nonblank", "show-all", "show-ends", "squeeze-blank"],
            ..READS
        },
    ),
    green("head", HEAD),
    green("tail", HEAD),
    green("wc", Form { flags: "clLmw", long: &["bytes", "chars", "lines", "words"], ..READS }),
    green(
        "nl",
        Form { flags: "p", valued: &[('b', Text), ('n', Text), ('s', Text), ('w', Text)], ..READS },
    ),
    green(
        "stat",
        Form {
            flags: "fLt",
            valued: &[('c', Text)],
            long: &["dereference", "terse"],
            long_valued: &[("format", Text), ("printf", Text)],
            ..READS
        },
    ),
    green("file", Form { flags: "bhikLnN", long: &["brief", "mime", "mime-type"], ..READS }),
    green(
        "du",
        Form {
            flags: "abcDhHklmsSx0",
            valued: &[('d', Text)],
            long: &["all", "apparent-size", "human-readable", "summarize", "total"],
            long_valued: &[("max-depth", Text), ("exclude", Text)],
            ..READS
        },
    ),
    green(
        "tree",
        Form {
            flags: "aCdDfFghinpqrstuvNS",
            valued: &[('L', Text), ('I', Text), ('P', Text)],
            long: &["dirsfirst", "noreport", "prune", "gitignore"],
            ..READS
        },
    ),
    green("basename", Form { flags: "az", valued: &[('s', Text)], ..TEXTS }),
    green("dirname", Form { flags: "z", ..TEXTS }),
    green("realpath", Form { flags: "emsqz", ..READS }),
    green("readlink", Form { flags: "efmnz", ..READS }),
    // Comparing and cutting text.
    green("cmp", Form { flags: "bls", valued: &[('n', Text)], ..READS }),
    green(
        "diff",
        Form {
            flags: "abBcdeiNqrsTuwy",
            valued: &[('C', Text), ('I', Text), ('U', Text), ('W', Text), ('x', Text)],
            long: &["brief", "recursive", "side-by-side", "suppress-common-lines", "unified"],
            long_maybe: &["color"],
            numeric: true,
            ..READS
        },
    ),
    green("comm", Form { flags: "123z", ..READS }),
    green(
        "sort",
        Form {
            flags: "bcCdfghiMmnRrsuVz",
            valued: &[('k', Text), ('t', Text), ('o', Write)],
            long: &["numeric-sort", "reverse", "unique", "human-numeric-sort", "version-sort"],
            long_valued: &[("key", Text), ("field-separator", Text), ("output", Write)],
            ..READS
        },
    ),
    green(
        "uniq",
        Form {
            flags: "cdDiuz",
            valued: &[('f', Text), ('s', Text), ('w', Text)],
            long: &["count", "repeated", "unique", "ignore-case"],
            operands: ReadThenWrite,
            ..READS
        },
    ),
    green(
        "cut",
        Form {
            flags: "nsz",
            valued: &[('b', Text), ('c', Text), ('d', Text), ('f', Text)],
            long: &["complement", "only-delimited"],
            long_valued: &[("delimiter", Text), ("fields", Text), ("output-delimiter", Text)],
            ..READS
        },
    ),
    green("tr", Form { flags: "cCdst", long: &["delete", "squeeze-repeats"], ..TEXTS }),
    green("fold", Form { flags: "bs", valued: &[('w', Text)], ..READS }),
    green("paste", Form { flags: "sz", valued: &[('d', Text)], ..READS }),
    green(
        "column",
        Form { flags: "tex", valued: &[('s', Text), ('o', Text), ('c', Text)], ..READS },
    ),
    green(
        "sha256sum",
        Form { flags: "bctwz", long: &["check", "quiet", "status", "strict"], ..READS },
    ),
    // Searching.
    green("grep", GREP),
    green(
        "rg",
        Form {
            flags: "acFhHiIlnNopqsSUvwxP0",
            valued: &[
                ('A', Text),
                ('B', Text),
                ('C', Text),
                ('e', Text),
                ('g', Text),
                ('m', Text),
                ('r', Text),
                ('t', Text),
                ('T', Text),
                ('j', Text),
                ('M', Text),
            ],
            long: &[
                "case-sensitive",
                "count",
                "files",
                "files-with-matches",
                "fixed-strings",
                "ignore-case",
                "json",
                "line-number",
                "multiline",
                "no-heading",
                "no-filename",
                "only-matching",
                "smart-case",
                "stats",
                "trim",
                "word-regexp",
                "type-list",
            ],
            long_valued: &[
                ("color", Text),
                ("glob", Text),
                ("max-count", Text),
                ("max-depth", Text),
                ("regexp", Text),
                ("sort", Text),
                ("type", Text),
            ],
            replaces_first: &["-e", "--regexp", "--files", "--type-list"],
            operands: TextThenRead,
            ..READS
        },
    ),
    // Saying and asking.
    green("true", TEXTS),
    green("false", TEXTS),
    green(
        "date",
        Form {
            flags: "uR",
            valued: &[('d', Text), ('r', Read)],
            long: &["utc", "rfc-email"],
            long_valued: &[("date", Text), ("rfc-3339", Text)],
            long_maybe: &["iso-8601"],
            operands: Formats,
            ..READS
        },
    ),
    green("whoami", NOTHING),
    green("id", Form { flags: "Ggnru", ..NOTHING }),
    green("uname", Form { flags: "aimnoprsv", ..NOTHING }),
    green("sleep", TEXTS),
    green("seq", Form { flags: "w", valued: &[('f', Text), ('s', Text)], numeric: true, ..TEXTS }),
    green("which", Form { flags: "a", ..TEXTS }),
    // Changing files, one by one.
    yellow(
        "touch",
        Form {
            flags: "acm",
            valued: &[('d', Text), ('r', Read), ('t', Text)],
            operands: All(Write),
            ..READS
        },
    ),
    yellow(
        "mkdir",
        Form { flags: "pv", long: &["parents", "verbose"], operands: All(Write), ..READS },
    ),
    yellow("rmdir", Form { flags: "pv", operands: All(Write), ..READS }),
    yellow(
        "cp",
        Form {
            flags: "abdfinPpRrTuvx",
            valued: &[('t', Write)],
            long: &["archive", "no-clobber", "parents", "preserve", "recursive", "verbose"],
            long_valued: &[("target-directory", Write)],
            replaces_first: &["-t", "--target-directory"],
            operands: ReadThenLastWrite,
            ..READS
        },
    ),
    yellow(
        "mv",
        Form {
            flags: "finTuv",
            valued: &[('t', Write)],
            long: &["no-clobber", "verbose"],
            long_valued: &[("target-directory", Write)],
            operands: All(Write),
            ..READS
        },
    ),
    yellow("rm", Form { flags: "fiv", long: &["force", "verbose"], operands: All(Write), ..READS }),
    yellow("tee", Form { flags: "ai", long: &["append"], operands: All(Write), ..READS }),
    yellow(
        "truncate",
        Form {
            flags: "c",
            valued: &[('r', Read), ('s', Text)],
            long_valued: &[("size", Text)],
            operands: All(Write),
            ..READS
        },
    ),
    yellow(
        "patch",
        Form {
            flags: "Nlst",
            valued: &[('i', Read), ('p', Text)],
            long: &["dry-run", "forward", "verbose"],
            long_valued: &[("input", Read), ("strip", Text)],
            operands: ReadThenWrite,
            ..READS
        },
    ),
    yellow(
        "unzip",
        Form {
            flags: "lnoqtv",
            valued: &[('d', Write), ('x', Text)],
            operands: All(Read),
            ..READS
        },
    ),
    yellow(
        "pytest",
        Form {
            flags: "lqsvx",
            valued: &[('k', Text), ('m', Text), ('n', Text)],
            long: &["collect-only", "exitfirst", "failed-first", "last-failed", "no-header"],
            long_valued: &[("maxfail", Text), ("tb", Text), ("durations", Text)],
            ..READS
        },
    ),
];

const HEAD: Form = Form {
    flags: "fFqvz",
    valued: &[('c', Text), ('n', Text)],
    long: &["quiet", "verbose"],
    long_valued: &[("bytes", Text), ("lines", Text)],
    numeric: true,
    ..READS
};

const GREP: Form = Form {
    flags: "abcEFGhHiIlLnoPqrsTvVwxyzZ",
    valued: &[('A', Text), ('B', Text), ('C', Text), ('e', Text), ('f', Read), ('m', Text)],
    long: &[
        "count",
        "extended-regexp",
        "files-with-matches",
        "files-without-match",
        "fixed-strings",
        "ignore-case",
        "invert-match",
        "line-number",
        "no-filename",
        "only-matching",
        "perl-regexp",
        "quiet",
        "recursive",
        "silent",
        "with-filename",
        "word-regexp",
    ],
    long_valued: &[
        ("after-context", Text),
        ("before-context", Text),
        ("context", Text),
        ("exclude", Text),
        ("exclude-dir", Text),
        ("file", Read),
        ("include", Text),
        ("max-count", Text),
        ("regexp", Text),
    ],
    long_maybe: &["color", "colour"],
    numeric: true,
    replaces_first: &["-e", "-f", "--regexp", "--file"],
    operands: TextThenRead,
};

/// The readers that `xargs` and `find -exec` may run: they read the files that they are given,
/// and nothing that they are given makes them do anything else.
pub(super) const FIXED_READERS: &[&str] = &[
    "cat",
    "head",
    "wc",
    "grep",
    "stat",
    "file",
    "ls",
    "sha256sum",
    "basename",
    "dirname",
    "echo",
];

/// Programs whose judge is a function of its own, for `--version` and for people.
pub(super) const JUDGED_APART: &[&str] = &[
    "awk", "cargo", "cd", "chmod", "curl", "echo", "env", "find", "git", "go", "ionice", "jq",
    "ln", "make", "mcctl", "nice", "node", "npm", "pip", "pip3", "printf", "ps", "python3", "sed",
    "stdbuf", "tar", "test", "timeout", "wget", "xargs",
];

/// Returns the row of a program.
pub(super) fn program(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name)
}

/// Says whether a program is on any table.
pub(super) fn is_known(name: &str) -> bool {
    program(name).is_some() || JUDGED_APART.contains(&name)
}
