"""Writes what the reference tokenizer makes of a thousand lines, to hold the one of the text pipeline against it.

The lines are drawn from fragments by a rule that test/pipelines/text/lines.ts follows as well, so that only a digest of
each line's token ids has to be kept.

    pip install tokenizers
    python examples/training/minilm_tokens.py
"""

import argparse
import hashlib
import json
from pathlib import Path

from tokenizers import Tokenizer

EXAMPLES = Path(__file__).resolve().parent.parent
TOKENS_MAX = 256
DIGEST_SIGNS = 8
DIGESTS_A_ROW = 10


class Draw:
    """Numbers that come out the same in Python and JavaScript."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) % limit


def lines(fragments, seed, count, long_every, long_units):
    draw = Draw(seed)
    for index in range(count):
        wanted = long_units if index % long_every == 0 else draw.below(160)
        joint = ["", " ", " ", "  "][draw.below(4)]
        kind = draw.below(len(fragments) + 3)
        pool = fragments[kind] if kind < len(fragments) else [one for group in fragments for one in group]
        line, units = "", 0
        while units < wanted:
            fragment = pool[draw.below(len(pool))] + joint
            line += fragment
            units += len(fragment.encode("utf-16-le")) // 2
        yield line


def digest(ids):
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:DIGEST_SIGNS]


def main():
    parser = argparse.ArgumentParser(description="Writes the digests of the tokens of a thousand lines.")
    parser.add_argument("--tokenizer", type=Path, default=EXAMPLES / "models/minilm/tokenizer.json")
    parser.add_argument("--lines", type=Path, default=EXAMPLES / "data/minilm-lines.json")
    args = parser.parse_args()

    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_MAX)
    content = json.loads(args.lines.read_text())
    drawn = lines(*[content[key] for key in ("fragments", "seed", "count", "longEvery", "longUnits")])
    digests = [digest(tokenizer.encode(line).ids) for line in drawn]
    rows = [digests[at : at + DIGESTS_A_ROW] for at in range(0, len(digests), DIGESTS_A_ROW)]
    content["digests"] = [" ".join(row) for row in rows]
    args.lines.write_text(json.dumps(content, indent=2, ensure_ascii=True) + "\n")
    print(f"{args.lines}: {len(digests)} lines")


if __name__ == "__main__":
    main()
