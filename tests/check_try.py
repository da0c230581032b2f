"""TRY only as a whole statement or a whole initialiser: `TRY(x);`, `T y = TRY(x);`, `return TRY(x);`.

Inside a larger expression GCC 12.2 and Clang 14 leak what was already built. Usage: check_try.py FILE...
"""
import re
import sys


def uses(text):
    """Yields (offset, text before, text after) of each TRY(...) outside comments and strings."""
    blank = lambda m: " " * len(m.group())
    text = re.sub(r'//[^\n]*|"(?:\\.|[^"\\\n])*"|/\*.*?\*/', blank, text, flags=re.S)
    for match in re.finditer(r"\bTRY\(", text):
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield match.start(), text[: match.start()].rstrip(), text[end:].lstrip()


bad = 0
for path in sys.argv[1:]:
    text = open(path, encoding="utf-8").read()
    for offset, before, after in uses(text):
        if before.endswith("#define"):
            continue
        starts = re.search(r"([;{}):]|[^=!<>+\-*/|&]=|\breturn|\belse)$", before)
        if not starts or not after.startswith(";"):
            print(f"{path}:{text.count(chr(10), 0, offset) + 1}: TRY inside a larger expression")
            bad = 1
sys.exit(bad)
