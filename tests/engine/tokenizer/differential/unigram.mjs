// Unigram tokenizers in the shapes of XLM-RoBERTa's and T5's tokenizer.json, over a vocabulary made
// from random texts. The normalizer is NFKC: the other implementation does not read charsmaps.
import { RandomTexts } from "./texts.mjs";

const SPACE = "\u2581";
const PIECES = 4000;
const LONGEST = 6; // characters of a piece

// Pieces of words (each with its space before it) and their scores: about the logarithm of how often
// they occur, a little at random, and whole multiples of 2^-24, so that sums are exact in any order
// and two spellings by the same pieces are equally good. Rare characters are left unknown.
function vocabulary(seed) {
  const random = new RandomTexts(seed, []);
  const counts = new Map([[SPACE, 1000]]);
  for (let n = 0; n < 3000; ++n) {
    const words = random.text().normalize("NFKC").replaceAll(SPACE, " ").split(" ");
    for (const word of words) {
      const characters = Array.from(SPACE + word);
      for (let begin = 0; begin < characters.length; ++begin) {
        let piece = "";
        for (const character of characters.slice(begin, begin + LONGEST)) {
          piece += character;
          counts.set(piece, (counts.get(piece) ?? 0) + 1);
        }
      }
    }
  }
  const most = [...counts].filter(([, count]) => count > 2).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const total = most.reduce((sum, [, count]) => sum + count, 0);
  const score = (count) => (Math.round(Math.log(count / total) * 2 ** 12) * 2 ** 12 + random.below(2 ** 12)) / 2 ** 24;
  return most.slice(0, PIECES).map(([piece, count]) => [piece, score(count)]);
}

function tokenizer({ head, unknown, tail, normalizers, preTokenizer, bos, eos, tokenizerClass, lstrip }) {
  const vocab = [...head.map((name) => [name, 0]), ...vocabulary(7), ...tail.map((name) => [name, 0])];
  const idOf = (name) => vocab.findIndex(([piece]) => piece === name);
  const flags = { single_word: false, rstrip: false, normalized: false, special: true };
  const added_tokens = [...head, ...tail].map((content) => ({ id: idOf(content), content, lstrip: lstrip.includes(content), ...flags }));
  const single = [...(bos ? [bos] : []), "A", eos].map((name) =>
    name === "A" ? { Sequence: { id: "A", type_id: 0 } } : { SpecialToken: { id: name, type_id: 0 } },
  );
  const special_tokens = Object.fromEntries(
    single.filter((step) => step.SpecialToken).map(({ SpecialToken: { id } }) => [id, { id, ids: [idOf(id)], tokens: [id] }]),
  );
  const metaspace = { type: "Metaspace", replacement: SPACE, add_prefix_space: true, prepend_scheme: "always" };
  return {
    tokenizerJSON: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens,
      normalizer: { type: "Sequence", normalizers },
      pre_tokenizer: preTokenizer(metaspace),
      post_processor: { type: "TemplateProcessing", single, pair: single, special_tokens },
      decoder: metaspace,
      model: { type: "Unigram", unk_id: idOf(unknown), vocab, byte_fallback: false },
    },
    tokenizerConfig: { tokenizer_class: tokenizerClass, eos_token: eos, unk_token: unknown, ...(bos ? { bos_token: bos } : {}) },
  };
}

const NFKC = { type: "NFKC" };
const ONE_SPACE = { type: "Replace", pattern: { Regex: " {2,}" }, content: " " };

export const UNIGRAM = {
  "unigram as XLM-RoBERTa": tokenizer({
    head: ["<s>", "<pad>", "</s>", "<unk>"],
    unknown: "<unk>",
    tail: ["<mask>"],
    lstrip: ["<mask>"],
    normalizers: [NFKC, ONE_SPACE],
    preTokenizer: (metaspace) => metaspace,
    bos: "<s>",
    eos: "</s>",
    tokenizerClass: "XLMRobertaTokenizer",
  }),
  "unigram as T5": tokenizer({
    head: ["<pad>", "</s>", "<unk>"],
    unknown: "<unk>",
    tail: ["<extra_id_1>", "<extra_id_0>"],
    lstrip: [],
    normalizers: [NFKC],
    preTokenizer: (metaspace) => ({ type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, metaspace] }),
    eos: "</s>",
    tokenizerClass: "T5Tokenizer",
  }),
};
