//! What others wrote reaches a terminal only as visible text.

use mc_core::clean::{self, Clean, Glyphs, LINE_BYTES, TITLE_CLUSTERS, mixed_scripts};
use proptest::prelude::*;
use regex::Regex;

fn line(text: &str) -> (String, bool) {
    let clean = Clean::line(text, Glyphs::Unicode);
    (clean.as_str().to_owned(), clean.flagged())
}

/// Escape sequences, 7-bit and 8-bit, finished and not, and what is left of the text.
const ESCAPES: &[(&str, &str)] = &[
    ("a\x1b[31mred\x1b[0m", "a¤red¤"),
    ("a\x1b[2J\x1b[Hb", "a¤¤b"),
    ("a\x1b]0;title\x07b", "a¤b"),
    ("a\x1b]52;c;ZXZpbA==\x1b\\b", "a¤b"),
    ("a\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\", "a¤link¤"),
    ("a\x1bPq#0;2;0\x1b\\b", "a¤b"),
    ("a\x1b_app\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "a¤b¤c¤d"),
    ("a\u{9b}31mb\u{9d}0;t\u{9c}c\u{90}x\u{9c}d", "a¤b¤c¤d"),
    ("a\x1bcb\x1b7c\x1b(0d\x1b#8e", "a¤b¤c¤d¤e"),
    ("a\x1b]never ends", "a¤"),
    ("a\x1b]never ends\nb", "a¤\\nb"),
    ("a\x1b[12;", "a¤"),
    ("a\x1b[12;\u{e9}", "a¤é"),
    ("a\x1b", "a¤"),
    ("a\u{85}b\u{84}c", "a\\nb¤c"),
    ("a\tb\nc\rd\x07e\x08f\x7fg\0h", "a\\tb\\nc\\rd^Ge^Hf^?g^@h"),
];

#[test]
fn escape_sequences_become_one_sign_and_controls_visible() {
    for (text, shown) in ESCAPES {
        assert_eq!(line(text), ((*shown).to_owned(), false), "{text:?}");
        let ascii = Clean::line(text, Glyphs::Ascii).into_string();
        assert_eq!(ascii, shown.replace('¤', "^").replace('é', "?"));
    }
}

#[test]
fn what_can_mislead_is_cut_and_flagged() {
    for hidden in [
        '\u{202e}',
        '\u{2066}',
        '\u{200e}',
        '\u{61c}',
        '\u{200b}',
        '\u{200c}',
        '\u{2060}',
        '\u{feff}',
        '\u{ad}',
        '\u{e0041}',
        '\u{3164}',
        '\u{115f}',
        '\u{2800}',
        '\u{180e}',
        '\u{200d}',
    ] {
        assert_eq!(line(&format!("ab{hidden}cd")), ("abcd".to_owned(), true), "{hidden:?}");
        let shown = Clean::evidence(&format!("ab{hidden}cd"), Glyphs::Unicode);
        let spelled = format!("ab<U+{:04X}>cd", u32::from(hidden));
        assert_eq!((shown.as_str(), shown.flagged()), (spelled.as_str(), true));
    }
}

#[test]
fn ornaments_are_cut_without_a_flag() {
    for (text, shown) in [
        ("ok ✔\u{fe0f}", "ok ✔"),
        ("👍\u{1f3fd}", "👍"),
        ("1\u{fe0f}\u{20e3}", "1"),
        ("👩\u{200d}💻", "👩💻"),
        ("a\u{a0}b\u{2003}c", "a b c"),
        ("日本語 Grüße Привет", "日本語 Grüße Привет"),
    ] {
        assert_eq!(line(text), (shown.to_owned(), false), "{text:?}");
    }
}

#[test]
fn characters_are_composed_and_carry_few_marks() {
    assert_eq!(line("e\u{301}").0, "é");
    assert_eq!(line(&format!("x{}", "\u{335}".repeat(40))).0, format!("x{}", "\u{335}".repeat(3)));
    assert_eq!(line("\u{301}x").0, "◌\u{301}x");
}

#[test]
fn titles_and_lines_are_cut_and_evidence_is_not() {
    let title = Clean::title(&"é".repeat(TITLE_CLUSTERS + 1), Glyphs::Unicode);
    assert_eq!(title.as_str(), format!("{}…", "é".repeat(TITLE_CLUSTERS)));
    assert_eq!(Clean::title(&"e".repeat(200), Glyphs::Unicode).as_str(), "e".repeat(200));
    let long = "x".repeat(LINE_BYTES + 5);
    let cut = Clean::line(&long, Glyphs::Unicode).into_string();
    assert_eq!(cut, format!("{} +5 bytes", "x".repeat(LINE_BYTES)));
    assert_eq!(Clean::evidence(&long, Glyphs::Unicode).as_str(), long);
}

#[test]
fn evidence_hides_nothing_in_an_escape_sequence() {
    let shown = Clean::evidence("echo \x1b]0;rm -rf x\x07", Glyphs::Unicode);
    assert_eq!(shown.as_str(), "echo <U+001B>]0;rm -rf x<U+0007>");
    let lines = Clean::evidence_lines("a\nb\r\n", Glyphs::Unicode);
    let lines: Vec<_> = lines.iter().map(Clean::as_str).collect();
    assert_eq!(lines, ["a", "b<U+000D>", ""]);
    assert_eq!(Clean::evidence("é", Glyphs::Ascii).as_str(), "<U+00E9>");
}

#[test]
fn mixed_scripts_are_named() {
    let note = mixed_scripts("curl https://\u{430}pple.com/x", Glyphs::Unicode).unwrap();
    assert_eq!(note.as_str(), "mixed: Cyrillic а in \"аpple.com\"");
    assert_eq!(mixed_scripts("Привет world, Ωμέγα", Glyphs::Unicode), None);
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        prop::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter),
        "[\x1b\u{9b}\u{9d}\u{90}\\[\\]P;0-9mK\x07\n]{0,8}",
        prop::sample::select(ESCAPES).prop_map(|row| row.0.to_owned()),
        prop::sample::select(vec![
            "\u{202e}",
            "\u{301}",
            "\u{e0020}",
            "\u{200d}",
            "\u{ad}",
            "\u{1160}"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn nothing_invisible_ever_comes_out(text in hostile()) {
        let bad = Regex::new(r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{VS}]").unwrap();
        for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
            let all = [
                Clean::line(&text, glyphs),
                Clean::title(&text, glyphs),
                Clean::evidence(&text, glyphs),
            ];
            for clean in all {
                prop_assert!(!bad.is_match(clean.as_str()), "{:?}", clean);
                prop_assert!(glyphs == Glyphs::Unicode || clean.as_str().is_ascii());
            }
        }
        let once = Clean::line(&text, Glyphs::Unicode);
        let twice = Clean::line(once.as_str(), Glyphs::Unicode);
        prop_assert_eq!(once.as_str(), twice.as_str());
    }
}

#[test]
fn json_on_a_terminal_spells_what_is_not_shown_and_stays_the_same_json() {
    let text = "\u{1b}[2J\u{9b}31m\u{7f}\u{202e}evil\u{200b}\u{2028}\u{ad}\u{e0041} ü 語 \n";
    let written = serde_json::json!({ text: [text] }).to_string();
    let shown = clean::json(&written);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()[text][0], text);
    assert!(
        shown.contains(r"\u009b31m\u007f\u202eevil\u200b\u2028\u00ad\udb40\udc41 ü 語 \n"),
        "{shown}"
    );
    let bad = Regex::new(r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{VS}]").unwrap();
    assert!(!bad.is_match(&shown), "{shown}");
    assert!(matches!(clean::json(r#"{"a":"ü\n"}"#), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn endless_sequences_cost_no_more_than_their_length() {
    let text = "\x1b]\n".repeat(80_000);
    assert_eq!(Clean::evidence(&text, Glyphs::Unicode).as_str().len(), 80_000 * 17);
    let shown = Clean::line(&text, Glyphs::Unicode);
    assert!(shown.as_str().starts_with("¤\\n¤\\n"));
}
