#!/usr/bin/env python3
"""Writes the price table of Mission Control from the public package genai-prices (MIT).

    python3 -m venv venv && venv/bin/pip install genai-prices
    venv/bin/python packaging/prices/refresh.py 2026-11-25 > packaging/prices/prices.toml

The argument is the date of the refresh, which every row carries. What is kept: the text models of
the providers below that agents use today. Rates are micro-dollars per million tokens. Where a
price depends on the time of day the dearest one is taken.
"""
import datetime
import re
import sys
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version

from genai_prices import data, types

KEEP = {
    "anthropic": r"claude-(?!2|v1|3-haiku|3-sonnet|3-opus)",
    "openai": r"(gpt-4o|gpt-4\.1|gpt-[5-9]|gpt-oss|o3|o4)",
    "google": r"gemini-(2\.5|3|[4-9]|pro-latest|flash-latest)",
    "x-ai": r"grok-([4-9]|code|build)",
    "deepseek": r"deepseek-",
    "mistral": r"(mistral-|devstral|codestral|magistral|ministral)",
    "groq": r"(llama-3\.3|meta-llama/llama-4|openai/|qwen/|moonshotai/)",
    "moonshotai": r"kimi-",
    "zai": r"glm-",
    "minimax": r"minimax-",
}
NO_TEXT = re.compile(
    r"tts|image|audio|realtime|live|embed|transcri|whisper|moderation|ocr|voice|guard|banana|omni|robotics|video|speech|search"
)
KINDS = [("input", "input_mtok"), ("output", "output_mtok"), ("cache_read", "cache_read_mtok"), ("cache_write", "cache_write_mtok")]


def micros(price):
    return int((Decimal(price) * 1_000_000).to_integral_value(ROUND_CEILING))


def names(clause, model):
    """Returns the names, `*` at the end for any ending, that a match clause means."""
    found = set()
    if isinstance(clause, types.ClauseOr):
        for part in clause.or_:
            found |= names(part, model)
    elif isinstance(clause, types.ClauseEquals):
        found.add(clause.equals)
    elif isinstance(clause, types.ClauseStartsWith):
        found.add(clause.starts_with + "*")
    elif isinstance(clause, types.ClauseRegex):
        # A name and a date: `^gpt-6-sol-\d{4}-\d{2}-\d{2}$`.
        plain = re.match(r"^\^((?:[\w-]|\\\.)+)-?\\d\{", clause.regex)
        if plain:
            found.add(plain[1].replace("\\.", ".") + "20*")
    elif isinstance(clause, types.ClauseAnd):
        first = clause.and_[0]
        if isinstance(first, types.ClauseStartsWith):
            found.add(first.starts_with + "*")
    return found | {model}


def rates(price):
    """Returns the rates of a price and, by threshold, those of long contexts."""
    base, tiers = {}, {}
    for name, key in KINDS:
        value = getattr(price, key)
        if isinstance(value, types.TieredPrices):
            base[name] = micros(value.base)
            for tier in value.tiers:
                tiers.setdefault(tier.start, {})[name] = micros(tier.price)
        elif value is not None:
            base[name] = micros(value)
    return base, {above: {**base, **tier} for above, tier in tiers.items()}


def dated(prices):
    """Returns `(since, rates, tiers)` in order of time."""
    if not isinstance(prices, list):
        return [(None, *rates(prices))]
    found = {}
    for one in prices:
        since = getattr(one.constraint, "start_date", None)
        base, tiers = rates(one.prices)
        if since in found:
            known = found[since]
            base = {kind: max(base.get(kind, 0), known[0].get(kind, 0)) for kind in {**base, **known[0]}}
        found[since] = (base, tiers)
    return [(since, *found[since]) for since in sorted(found, key=lambda day: day or datetime.date.min)]


def line(rate):
    return ", ".join(f"{kind} = {value:_}" for kind, value in rate.items())


def main():
    checked = datetime.date.fromisoformat(sys.argv[1])
    print(f"""# What models cost: micro-dollars per million tokens, as published by their providers in USD.
#
# Made by packaging/prices/refresh.py from genai-prices {version('genai-prices')} on {checked}; not edited by hand.
# genai-prices is (c) Pydantic Services Inc. 2025 to present, MIT licence,
# https://github.com/pydantic/genai-prices. Prices of your own go into prices.toml beside
# policy.toml, in this form; they come first.
#
# `models` are names as runtimes report them, `*` at the end for any ending. `since` is the first
# day of a price; without it, it was always so. `tiers`: above so many prompt tokens the whole call
# costs these rates.
""")
    for provider in data.providers:
        keep = KEEP.get(provider.id)
        if not keep:
            continue
        source = provider.pricing_urls[0]
        for model in provider.models:
            name = model.id.lower()
            if not re.match(keep, name) or NO_TEXT.search(name) or "batch" in name:
                continue
            for since, base, tiers in dated(model.prices):
                if "input" not in base or "output" not in base:
                    continue
                print("[[price]]")
                print(f'provider = "{provider.id}"')
                all_names = sorted(text.lower() for text in names(model.match, model.id))
                print("models = [" + ", ".join(f'"{text}"' for text in dict.fromkeys(all_names)) + "]")
                if since:
                    print(f'since = "{since}"')
                print(f"rate = {{ {line(base)} }}")
                if tiers:
                    rows = [f"{{ above = {above:_}, rate = {{ {line(rate)} }} }}" for above, rate in sorted(tiers.items())]
                    print("tiers = [" + ", ".join(rows) + "]")
                print(f'source = "{source}"')
                print(f'checked = "{checked}"')
                print()
    for provider in ["ollama", "lmstudio", "llamacpp", "vllm"]:
        print(f"""[[price]]
provider = "{provider}"
models = ["*"]
billing = "free"
source = "runs on a machine of yours"
checked = "{checked}"
""")


main()
