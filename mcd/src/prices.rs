//! The price table: what came with the program, and the operator's `prices.toml`, checked as a
//! whole.

use std::{fs, io};

use mc_core::price::{PriceDoc, PriceTable};
use mc_proto::{home::Home, method::admin::Finding};

use crate::{config::ConfigError, findings};

const BUILT_IN: &str = include_str!("../../packaging/prices/prices.toml");
/// The largest price file that is read.
const PRICE_BYTES: usize = 1024 * 1024;

/// Returns the prices that came with the program.
pub fn built_in() -> PriceTable {
    PriceTable::new(PriceDoc::default(), known()).unwrap_or_default()
}

fn known() -> PriceDoc {
    findings::read(BUILT_IN).unwrap_or_default()
}

/// Reads the text of a `prices.toml` and puts its rows before those of the program.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(text: &str) -> Result<PriceTable, Vec<Finding>> {
    if text.len() > PRICE_BYTES {
        let message = format!("the file is {} bytes long, limit is {PRICE_BYTES}", text.len());
        return Err(vec![Finding { line: 0, column: 0, message }]);
    }
    let own: PriceDoc = findings::read(text).map_err(|finding| vec![finding])?;
    PriceTable::new(own, known())
        .map_err(|errors| errors.iter().map(|error| findings::located(text, error)).collect())
}

/// Reads the operator's `prices.toml`; `None` when there is none.
///
/// # Errors
///
/// When the file can't be read or something in it is wrong.
pub fn load(home: &Home) -> Result<Option<PriceTable>, ConfigError> {
    let path = home.config.join("prices.toml");
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).map(Some).map_err(|all| ConfigError::wrong(&path, &all)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use mc_core::{
        agent::{AgentName, Runtime},
        money::{CostState, MicroUsd, Tokens},
        price::Ask,
    };

    use super::*;

    const USED: Tokens = Tokens { input: 1000, output: 100, cache_read: 10_000, cache_write: 0 };

    fn cost(table: &PriceTable, model: &str, tokens: Tokens) -> (i64, CostState, i64) {
        let agent: AgentName = "wren".parse().unwrap();
        let ask = Ask { model, agent: &agent, runtime: Runtime::ClaudeCode, day: "2026-11-25" };
        let cost = table.cost(&ask, tokens, None);
        (cost.cost_uusd.0, cost.state, cost.counted_uusd.0)
    }

    #[test]
    fn the_built_in_table_is_whole_and_every_row_has_source_and_date() {
        let doc: PriceDoc = toml::from_str(BUILT_IN).unwrap();
        assert!(doc.price.len() > 100, "{}", doc.price.len());
        // The same check as for a file of the operator's.
        let table = PriceTable::new(doc, PriceDoc::default()).unwrap();
        assert!(table.dearest().output >= 50_000_000, "{:?}", table.dearest());
    }

    #[test]
    fn models_are_found_by_the_names_that_runtimes_give_them() {
        let table = built_in();
        let opus = (1000 * 5 + 100 * 25 + 10_000 / 2, CostState::Derived);
        for model in [
            "claude-opus-4-5",
            "anthropic/claude-opus-4-5-20251101",
            "openrouter/anthropic/claude-opus-4.5",
            "Anthropic/Claude-Opus-4-5",
        ] {
            let found = cost(&table, model, USED);
            assert_eq!((found.0, found.1), opus, "{model}");
        }
        assert_eq!(cost(&table, "ollama/llama9:70b", USED), (0, CostState::Free, 0));
        for model in ["claude-opus-99", "mock/claude-opus-4-5", "", "*", "openai/claude-opus-4-5"] {
            let (shown, state, counted) = cost(&table, model, USED);
            assert_eq!((shown, state), (0, CostState::Unpriced), "{model}");
            assert!(counted > opus.0, "{model} counts at the dearest rate: {counted}");
        }
    }

    #[test]
    fn a_long_prompt_pays_its_tier_for_the_whole_call() {
        let table = built_in();
        let at = |input| Tokens { input, ..Tokens::default() };
        assert_eq!(cost(&table, "gpt-6-sol", at(272_000)).0, 272_000 * 2);
        assert_eq!(cost(&table, "gpt-6-sol", at(272_001)).0, 272_001 * 4);
    }

    #[test]
    fn a_file_of_ones_own_comes_first_and_can_be_for_some_agents() {
        let text = r#"
            [[price]]
            provider = "anthropic"
            models = ["*"]
            runtimes = ["claude-code"]
            billing = "subscription"
            source = "the yearly plan"
            checked = "2026-11-01"
            [[price]]
            provider = "mock"
            models = ["dear"]
            since = "2026-11-20"
            rate = { input = 9, output = 9 }
            source = "a contract"
            checked = "2026-11-01"
        "#;
        let table = parse(text).unwrap();
        let found = cost(&table, "anthropic/claude-opus-4-5", USED);
        assert_eq!((found.0, found.1, found.2), (0, CostState::Subscription, 0));
        let tokens = Tokens { input: 1, ..Tokens::default() };
        assert_eq!(cost(&table, "mock/dear", tokens).0, 1, "rounded up");
        let agent: AgentName = "wren".parse().unwrap();
        let ask =
            Ask { model: "mock/dear", agent: &agent, runtime: Runtime::Other, day: "2026-11-19" };
        let before = table.cost(&ask, tokens, Some(MicroUsd(77)));
        assert_eq!((before.cost_uusd.0, before.state), (77, CostState::Reported), "not yet");
    }

    #[test]
    fn what_costs_money_is_not_reported_as_free() {
        let table = built_in();
        let agent: AgentName = "wren".parse().unwrap();
        let ask = |model| Ask { model, agent: &agent, runtime: Runtime::Other, day: "2026-11-25" };
        let zero = table.cost(&ask("claude-opus-4-5"), USED, Some(MicroUsd::ZERO));
        assert_eq!(zero.state, CostState::Derived);
        let unknown = table.cost(&ask("my-model"), USED, Some(MicroUsd::ZERO));
        assert_eq!((unknown.state, unknown.cost_uusd.0), (CostState::Unpriced, 0));
        assert!(unknown.counted_uusd.0 > 0, "a runtime that knows no price says zero too");
    }

    #[test]
    fn a_bad_file_is_refused_as_a_whole_with_line_and_reason() {
        let text = "[[price]]\nprovider = \"x\"\nmodels = [\"m\"]\nsource = \"s\"\n\
                    checked = \"yesterday\"\nrate = { input = -1, output = 1 }\n";
        let findings = parse(text).unwrap_err();
        let all: Vec<&str> = findings.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(findings.len(), 2, "{all:?}");
        assert!(all[0].starts_with("price[0].checked"), "{all:?}");
        assert!(parse("[[price]]\nprovder = \"x\"\n").unwrap_err()[0].message.contains("provider"));
    }
}
