// Random texts of all scripts, the same ones for the same seed.
import { readFileSync } from "node:fs";

// What the other implementation is known to have otherwise, and texts therefore do not hold:
// - U+FEFF is white space to JavaScript, U+0085 is not; in Unicode it is the other way round.
// - Its (?i:'s) does not match the long s, U+017F; nor does it match the Kelvin sign.
// - What our version of Unicode has no character for, a newer one may.
const LEFT_OUT = new Set([0xfeff, 0x85, 0x17f, 0x212a]);
const TABLES = readFileSync(new URL("../../../../engine/unicode/category_tables.cc", import.meta.url), "utf8");
const ASSIGNED = Array.from(
  TABLES.slice(TABLES.indexOf("kCategories[]"), TABLES.indexOf("kCategoriesCount")).matchAll(/\{(0x[0-9A-F]+),(0x[0-9A-F]+),/g),
  ([, first, last]) => [Number(first), Number(last)],
);

function isAssigned(code) {
  let low = 0;
  let high = ASSIGNED.length;  // the range, if any, is in [low, high)
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (ASSIGNED[middle][0] <= code) low = middle;
    else high = middle;
  }
  return ASSIGNED[low][0] <= code && code <= ASSIGNED[low][1];
}

// First and last code point, and how often.
const BLOCKS = [
  [0x20, 0x7e, 30], [0x00, 0x1f, 2], [0xa0, 0xff, 6], [0x100, 0x24f, 5], [0x250, 0x36f, 4], [0x370, 0x3ff, 4], [0x400, 0x52f, 4],
  [0x531, 0x5f4, 3], [0x600, 0x77f, 4], [0x900, 0xdff, 6], [0xe00, 0xfff, 4], [0x1000, 0x17ff, 4], [0x1800, 0x1cff, 2],
  [0x1d00, 0x1fff, 4], [0x2000, 0x2bff, 8], [0x2c00, 0x2fff, 2], [0x3000, 0x30ff, 6], [0x3100, 0x4dbf, 3], [0x4e00, 0x9fff, 8],
  [0xa000, 0xabff, 3], [0xac00, 0xd7ff, 4], [0xe000, 0xf8ff, 1], [0xf900, 0xfffd, 4], [0x10000, 0x16fff, 4], [0x17000, 0x1bfff, 1],
  [0x1d000, 0x1efff, 3], [0x1f000, 0x1faff, 6], [0x20000, 0x3134a, 2], [0xe0000, 0x10ffff, 1],
];
const WEIGHT = BLOCKS.reduce((sum, block) => sum + block[2], 0);

const WORDS = ["the", "The", "THE", " of", "don't", "DON'T", "we'll", "I'd", "it's", "it'S", "x", "camelCase", "HTTPServer", "snake_case", "3.14", "1234567", "٣٤٥",
  "½", "naïve", "naïve", "Straße", "Ελληνικά", "ΣΊΣΥΦΟΣ", "русский", "हिन्दी", "ไทย", "한국어", "각", "日本語", "中文。", "العربية", "עברית", "👩‍👩‍👧", "🇩🇪", "👍🏽",
  "\u0301", "a\u0323\u0307", "\u0307\u0323", "\u200d", "\u200b", "\u00a0", "\u3000", "\u2028", "ﬁ", "Ⅳ", "ǅ", "ʰ", "\ufffd", "\u2581", "Ġ", "Ċ", "<0x0A>", "http://a.b/c?d=e",
  "// x\n", "/\n/", "!?", "...", "==>", "{\"k\": [1, 2]}", "\\n", "'", "''", "'s", "' s", "_", "-", "–", "\t", "\r", "\r\n", "\n", "\n\n", "  ", "    ", "\t\t"];
const RUNS = ["a", " ", "\n", "\t", "=", "-", "A", "1", "é", "\u0301", "中", "🦙", "'", "\u2581", "ab", "\r\n", " x"];

export class RandomTexts {
  constructor(seed, structure) {
    this.state = seed >>> 0;
    this.structure = structure;
  }

  // mulberry32
  below(n) {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }
  pick(list) {
    return list[this.below(list.length)];
  }

  character() {
    let place = this.below(WEIGHT);
    const [first, last] = BLOCKS.find((block) => (place -= block[2]) < 0);
    const code = first + this.below(last - first + 1);
    const usable = isAssigned(code) && !LEFT_OUT.has(code) && !(code >= 0xd800 && code <= 0xdfff);
    return usable ? String.fromCodePoint(code) : "x";
  }

  part() {
    const kind = this.below(20);
    if (kind < 9) return this.pick(WORDS);
    if (kind < 11) return " ";
    if (kind === 11) return this.pick(RUNS).repeat(1 + this.below(this.below(12) === 0 ? 300 : 20));
    let text = "";
    for (let n = 1 + this.below(6); n > 0; --n) text += this.character();
    return text;
  }

  // Holds no name of a token that is structure.
  text() {
    while (true) {
      let text = "";
      for (let n = this.below(24); n > 0; --n) text += this.part();
      if (!this.structure.some((name) => text.includes(name))) return text;
    }
  }

  // Texts between names of such tokens.
  prompt() {
    let text = "";
    for (let n = this.below(6); n > 0; --n) text += this.text() + this.pick(this.structure);
    return text + this.text();
  }
}
