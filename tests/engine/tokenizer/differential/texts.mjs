// Random texts of all scripts, the same ones for the same seed.

// What the other implementation is known to have otherwise, and texts therefore do not hold:
// - U+FEFF is white space to JavaScript, U+0085 is not; in Unicode it is the other way round.
// - Its (?i:'s) does not match the long s, U+017F; nor does it match the Kelvin sign.
// - Characters that Unicode got after version 14, on which its tables and ours may differ.
const LEFT_OUT = new Set([0xfeff, 0x85, 0x17f, 0x212a]);
const NEWER = /[\u0cf3\u0ece\u{10efd}-\u{10eff}\u{1123f}-\u{11241}\u{11b00}-\u{11b09}\u{11f00}-\u{11f59}\u{1342f}\u{13439}-\u{13455}\u{1b132}\u{1b155}\u{1d2c0}-\u{1d2d3}\u{1df25}-\u{1df2a}\u{1e030}-\u{1e08f}\u{1e4d0}-\u{1e4f9}\u{1f6dc}\u{1f774}-\u{1f776}\u{1f77b}-\u{1f77f}\u{1f7d9}\u{1fa75}-\u{1fa77}\u{1fa87}-\u{1fa88}\u{1faad}-\u{1faaf}\u{1fabb}-\u{1fabd}\u{1fabf}\u{1facd}-\u{1facf}\u{1fada}-\u{1fadb}\u{1fae8}\u{1faf7}-\u{1faf8}\u{2b739}\u{2ebf0}-\u{2ee5d}\u{31350}-\u{323af}\u2ffc-\u2fff\u31ef]/u;

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
    const text = String.fromCodePoint(code);
    return LEFT_OUT.has(code) || (code >= 0xd800 && code <= 0xdfff) || NEWER.test(text) ? "x" : text;
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
