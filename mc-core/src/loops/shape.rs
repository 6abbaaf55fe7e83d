//! What two calls, errors or results have in common once clocks, counters and ids are left out.

use std::sync::LazyLock;

use regex::Regex;

/// The longest text that is compared; what is behind it does not tell two of them apart.
const COMPARED_CHARS: usize = 4096;
/// The longest signature of an error.
const SIGNATURE_CHARS: usize = 200;

/// Ids of services, hashes, addresses in memory, and numbers with what holds them together: dates,
/// clocks, decimals.
#[expect(clippy::expect_used, reason = "the pattern is a constant that the tests compile")]
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)\b[a-z]{2,5}_[0-9a-z]{8,}\b|\b[0-9a-f]{12,}\b|0x[0-9a-f]+|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\d+(?:[t:.,/+-]{1,2}\d+)*z?";
    Regex::new(pattern).expect("a pattern that compiles")
});

/// Returns `text` with every number, clock, hash and id replaced by `#` and its spaces evened out.
pub fn shape(text: &str) -> String {
    let compared: String = text.chars().take(COMPARED_CHARS).collect();
    let words: Vec<&str> = compared.split_whitespace().collect();
    NUMBERS.replace_all(&words.join(" "), "#").into_owned()
}

/// Returns the shape of a call's arguments: where nothing but a clock, a counter, an id or a filling
/// grows from call to call, the calls are alike.
pub fn alike(arguments: &str) -> String {
    let mut chars: Vec<char> = shape(arguments).chars().collect();
    chars.dedup();
    chars.into_iter().collect()
}

/// Returns what an error is called, so that the same one is known again.
///
/// An error that says nothing but an exit code is told by the last line of what was printed, and
/// where nothing was printed by what was asked for: four searches that find nothing are no error.
pub fn signature(error: &str, printed: Option<&str>, asked_sha256: &str) -> String {
    let error = shape(error);
    let lower = error.to_ascii_lowercase();
    let says_code_only = lower.is_empty()
        || ["exit code #", "exit status #", "exited with #", "exit #", "failed"]
            .contains(&lower.as_str());
    let said = if says_code_only {
        let last = printed.and_then(|text| text.lines().map(str::trim).rfind(|l| !l.is_empty()));
        match last {
            Some(line) => format!("{error}: {}", shape(line)),
            None => format!("{error} of {}", asked_sha256.get(..12).unwrap_or(asked_sha256)),
        }
    } else {
        error
    };
    said.chars().take(SIGNATURE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_counters_and_ids_make_no_difference() {
        for (one, other) in [
            ("took 12.5 ms at 10:22:01", "took 7 ms at 23:59:59.123"),
            ("pid 4711 died", "pid 9 died"),
            ("req_01H8XGJWBWBAQ4 refused", "req_01H9ZZZZZZZZZZ refused"),
            ("commit 9f86d081884c7d659a2f", "commit 2c26b46b68ffc68ff99b"),
            ("at 2026-11-25T01:02:03Z: no", "at 2026-11-26T11:12:13Z: no"),
            ("port 80  closed", "port 443 closed"),
        ] {
            assert_eq!(shape(one), shape(other));
        }
    }

    #[test]
    fn what_only_grows_makes_no_difference_in_arguments() {
        let of = |note: &str| alike(&format!(r#"{{"note":"{note}","path":"/w/a"}}"#));
        for (one, other) in [("x", "xxxx"), ("try 1", "try 22"), ("", ""), ("10:00", "11:59:59")] {
            assert_eq!(of(one), of(other));
        }
        assert_ne!(of("a"), of("b"));
        assert_ne!(of("x"), of(""));
    }

    #[test]
    fn what_is_said_makes_one() {
        for (one, other) in [
            ("401 key expired", "429 slow down"),
            ("no such file a.txt", "no such file b.txt"),
            ("utf8 is wrong", "utf is wrong"),
            ("line 3: x", "line 3; x"),
        ] {
            assert_ne!(shape(one), shape(other));
        }
    }

    #[test]
    fn an_exit_code_alone_is_no_error_of_its_own() {
        let of = |printed, asked| signature("exit code 1", printed, asked);
        assert_ne!(of(None, "aaaaaaaaaaaa1"), of(None, "bbbbbbbbbbbb1"));
        assert_eq!(of(Some("x\nE: 12 broken\n"), "a"), of(Some("E: 13 broken"), "b"));
        assert_ne!(of(Some("E: broken"), "a"), of(Some("E: missing"), "a"));
        assert_eq!(signature("401 key expired", Some("x"), "a"), "# key expired");
    }
}
