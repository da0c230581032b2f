// Random texts through `skerry-engine tokenize` and through another implementation of tokenizer.json
// (@lenml/tokenizers): the same ids, with and without special tokens.
//
// Usage: node compare.mjs SKERRY_ENGINE [COUNT [SEED]]; exit 77 where the packages are not installed.
// They are looked for in SKERRY_TOKENIZERS, a folder with node_modules (tests/e2e when unset); every
// @lenml/tokenizer-NAME there is compared.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RandomTexts } from "./texts.mjs";
import { UNIGRAM } from "./unigram.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const home = process.env.SKERRY_TOKENIZERS || join(here, "../../../e2e");
const packages = join(home, "node_modules/@lenml");
const names = existsSync(join(packages, "tokenizers"))
  ? readdirSync(packages).filter((name) => name.startsWith("tokenizer-"))
  : [];
if (names.length === 0) {
  console.log(`skipped: no @lenml/tokenizers and @lenml/tokenizer-NAME in ${packages} (npm ci in tests/e2e)`);
  process.exit(77);
}
const resolve = createRequire(join(home, "package.json")).resolve;
const { TokenizerLoader } = await import(pathToFileURL(resolve("@lenml/tokenizers")));

const [engine, count = process.env.SKERRY_FULL_COUNTS === "1" ? "10000" : "1000", seed = "1"] = process.argv.slice(2);

// `special`: names of added tokens become them.
function tokenize(model, texts, special) {
  const flags = ["tokenize", "--model", model, "--json", ...(special ? ["--special"] : [])];
  const done = spawnSync(engine, flags, { input: JSON.stringify(texts), maxBuffer: 1 << 30 });
  if (done.status !== 0) throw new Error(`skerry-engine: ${done.stderr}`);
  return JSON.parse(done.stdout);
}

// tekken.json with the vocabulary of a tokenizer.json that came from one: the same ids.
function tekkenOf(tokenizerJSON) {
  const specials = tokenizerJSON.added_tokens.length;
  const bytesOf = new Map();
  for (let byte = 0, next = 256; byte < 256; ++byte) {
    const itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    bytesOf.set(String.fromCodePoint(itself ? byte : next++), byte);
  }
  const ordinary = Object.entries(tokenizerJSON.model.vocab).filter(([, id]) => id >= specials);
  const vocab = ordinary
    .sort(([, a], [, b]) => a - b)
    .map(([text, id]) => ({
      rank: id - specials,
      token_bytes: Buffer.from(Array.from(text, (c) => bytesOf.get(c))).toString("base64"),
      token_str: null,
    }));
  const pattern = tokenizerJSON.pre_tokenizer.pretokenizers[0].pattern.Regex;
  const special_tokens = tokenizerJSON.added_tokens.map((token) => ({ rank: token.id, token_str: token.content, is_control: true }));
  const config = { pattern, default_vocab_size: specials + vocab.length, default_num_special_tokens: specials, version: "v3" };
  return { config, vocab, special_tokens };
}

let failures = 0;
function compare(name, kind, texts, ours, theirs) {
  let different = 0;
  texts.forEach((text, i) => {
    if (JSON.stringify(ours[i]) === JSON.stringify(theirs[i])) return;
    if (++different > 3) return;
    const at = ours[i].findIndex((id, j) => id !== theirs[i][j]);
    console.log(`${name}, ${kind}: ${JSON.stringify(text)}\n  ours   ${ours[i].slice(at, at + 12)}\n  theirs ${theirs[i].slice(at, at + 12)}`);
  });
  failures += different;
  console.log(`${name}, ${kind}: ${texts.length} texts, ${different} different`);
}

for (const name of names) {
  const folder = join(packages, name, "models");
  const read = (file) => JSON.parse(readFileSync(join(folder, file), "utf8"));
  const tokenizerJSON = read("tokenizer.json");
  const other = TokenizerLoader.fromPreTrained({ tokenizerJSON, tokenizerConfig: read("tokenizer_config.json") });
  const added = tokenizerJSON.added_tokens;
  // Tokens that are found in every text, but only where nobody could mistake them for structure.
  const structure = added.filter((token) => token.special || !(token.content in tokenizerJSON.model.vocab)).map((token) => token.content);
  const random = new RandomTexts(Number(seed), structure);

  const texts = Array.from({ length: Number(count) }, () => random.text());
  const expected = texts.map((text) => other.encode(text, { add_special_tokens: false }));
  compare(name, "text", texts, tokenize(folder, texts, false), expected);
  if (name.includes("mistral")) {
    const scratch = mkdtempSync(join(tmpdir(), "skerry-tekken-"));
    writeFileSync(join(scratch, "tekken.json"), JSON.stringify(tekkenOf(tokenizerJSON)));
    compare(name, "text by tekken.json", texts, tokenize(scratch, texts, false), expected);
    rmSync(scratch, { recursive: true });
  }
  const prompts = Array.from({ length: Math.ceil(Number(count) / 4) }, () => random.prompt());
  compare(name, "prompt", prompts, tokenize(folder, prompts, true), prompts.map((text) => other.encode(text)));
}

for (const [name, { tokenizerJSON, tokenizerConfig }] of Object.entries(UNIGRAM)) {
  const other = TokenizerLoader.fromPreTrained({ tokenizerJSON, tokenizerConfig });
  const random = new RandomTexts(Number(seed), tokenizerJSON.added_tokens.map((token) => token.content));
  const scratch = mkdtempSync(join(tmpdir(), "skerry-unigram-"));
  writeFileSync(join(scratch, "tokenizer.json"), JSON.stringify(tokenizerJSON));
  writeFileSync(join(scratch, "tokenizer_config.json"), JSON.stringify(tokenizerConfig));
  const texts = Array.from({ length: Number(count) }, () => random.text());
  compare(name, "text", texts, tokenize(scratch, texts, false), texts.map((text) => other.encode(text, { add_special_tokens: false })));
  const prompts = Array.from({ length: Math.ceil(Number(count) / 4) }, () => random.prompt());
  compare(name, "prompt", prompts, tokenize(scratch, prompts, true), prompts.map((text) => other.encode(text)));
  rmSync(scratch, { recursive: true });
}
process.exit(failures === 0 ? 0 : 1);
