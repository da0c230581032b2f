// Real templates over random conversations through the npm package @huggingface/jinja and through `skerry-engine render --batch`: the
// same text, or both refuse. Usage: differential_js SKERRY_ENGINE [COUNT [SEED]]; COUNT is by default small, and large with
// SKERRY_FULL_COUNTS=1. The templates are the demo model's and those of the fixtures (SKERRY_FIXTURES), where there are any.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';

const here = import.meta.dirname;
const root = path.join(here, '../../..');
const { Template } = createRequire(path.join(root, 'tests/e2e/package.json'))('@huggingface/jinja');

// Templates over which that package is known to differ from jinja2, which decides, and why.
const BOOLEAN = 'prints true where Python prints True';
const MARKUP = 'its filter `safe` gives a plain string; to jinja2 what is added to one becomes HTML';
const MISTRAL = ['v2', 'v2_spm', 'v3', 'v3_spm', 'v3_image', 'v3_image_spm', 'v7', 'v7_spm', 'v7_image', 'v7_image_spm', 'v7_audio'];
const KNOWN = {
  ...Object.fromEntries(MISTRAL.map((name) => [`${name}.jinja`, MARKUP])),
  'LFM2.5-8B-A1B.jinja': BOOLEAN,
  'NVIDIA-Nemotron-3-Nano-30B-A3B-BF16.jinja': BOOLEAN,
  'Qwen3-Coder.jinja': BOOLEAN,
  'Qwen3.5-4B.jinja': BOOLEAN,
  'StepFun3.5-Flash.jinja': BOOLEAN,
  'Apriel-1.6-15b-Thinker-fixed.jinja': 'has no filter `string` for dicts',
  'unsloth-Apriel-1.5.jinja': 'has no filter `string` for dicts',
  'ByteDance-Seed-OSS.jinja': 'keys of a dict are strings only',
  'Mistral-Small-3.2-24B-Instruct-2506.jinja': 'two dicts with the same content are not equal',
  'llama-cpp-deepseek-r1.jinja': 'makes JSON of a generator, which raises in jinja2',
  'meetkai-functionary-medium-v3.1.jinja': 'refuses `selectattr` of none before anything reads its result',
  'meetkai-functionary-medium-v3.2.jinja': 'does not unpack tuples',
  'openbmb-MiniCPM5-1B.jinja': 'has no filter `min`',
  'tencent-Hy3.jinja': 'has no method `format` of strings',
};

let state = BigInt(process.argv[4] ?? 1);
function random(n) { // 0 .. n - 1
  state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
  return Number((state >> 33n) % BigInt(n));
}
const pick = (list) => list[random(list.length)];
const chance = (percent) => random(100) < percent;

const WORDS = ['Hello', 'wörld', '世界', '<|im_start|>', '[INST]', "it's", '"q"', '{x}', '<&>', 'a\nb', '🦙', '%s', '\\n'];
const text = () => 't ' + Array.from({ length: random(6) }, () => pick(WORDS)).join(' ') + '.';
const args = () => Object.fromEntries(Array.from({ length: random(3) }, (_, i) => [`p${i}`, pick([1, -7, true, text(), ['a', 2], { k: text() }])]));

function conversation() {
  const messages = chance(50) ? [{ role: 'system', content: text() }] : [];
  const exchanges = 1 + random(3);
  for (let i = 0; i < exchanges; i++) {
    messages.push({ role: 'user', content: text() });
    if (chance(40)) {
      const calls = Array.from({ length: 1 + random(2) }, () => ({
        id: pick(['abcDEF123', 'call_12345']), type: 'function', function: { name: `tool_${random(3)}`, arguments: args() },
      }));
      messages.push({ role: 'assistant', content: pick(['', text()]), tool_calls: calls });
      for (const call of calls) messages.push({ role: 'tool', tool_call_id: call.id, name: call.function.name, content: text() });
    }
    if (i + 1 < exchanges) messages.push({ role: 'assistant', content: text() });
  }
  const tools = Array.from({ length: 1 + random(2) }, (_, i) => ({
    type: 'function',
    function: { name: `tool_${i}`, description: text(), parameters: { type: 'object', properties: { p0: { type: 'string', description: text() } }, required: ['p0'] } },
  }));
  const context = { messages, add_generation_prompt: chance(70), bos_token: '<s>', eos_token: '</s>', documents: null };
  context.tools = chance(50) ? tools : null;
  if (chance(30)) context.enable_thinking = chance(50);
  return context;
}

function templates() {
  const found = { 'demo model': readFileSync(path.join(root, 'installer/demo-model/chat_template.jinja'), 'utf8') };
  const fixtures = process.env.SKERRY_FIXTURES ?? path.join(root, '../shared/fixtures');
  for (const folder of ['templates', 'mistral/chat_templates']) {
    const at = path.join(fixtures, folder);
    for (const name of existsSync(at) ? readdirSync(at).sort() : []) {
      if (name.endsWith('.jinja')) found[name] = readFileSync(path.join(at, name), 'utf8');
    }
  }
  return found;
}

// That package shows the time of its process: here always the one that is given to ours.
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length > 0 ? given : [2026, 10, 21, 12]));
  }
};

function theirs(source, context) {
  try {
    return new Template(source).render(structuredClone(context));
  } catch {
    return null;
  }
}

const [engine, wanted] = process.argv.slice(2);
const all = Object.entries(templates());
const count = Number(wanted ?? (process.env.SKERRY_FULL_COUNTS === '1' ? 20000 : 1000));
const cases = [];
for (const [name, source] of all) {
  for (let i = 0; i < Math.max(1, Math.floor(count / all.length)); i++) cases.push({ name, source, context: conversation() });
}
// The template's text stands in each case: no more of them at once than the program reads.
const replies = [];
for (let from = 0; from < cases.length; from += 500) {
  const input = cases.slice(from, from + 500)
    .map(({ source, context }) => JSON.stringify({ template: source, context: { ...context, now: '2026-11-21T12:00:00' } })).join('\n');
  const run = spawnSync(engine, ['render', '--batch'], { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(run.stderr);
  replies.push(...run.stdout.trimEnd().split('\n').map((line) => JSON.parse(line)));
}

const differ = {};
let texts = 0;
cases.forEach(({ name, source, context }, i) => {
  const other = theirs(source, context);
  const ours = replies[i].text ?? null;
  if (ours !== null) texts++;
  if (ours === other) return;
  differ[name] ??= { n: 0, example: { context, theirs: other, ours: replies[i] } };
  differ[name].n++;
});
let bad = 0;
for (const [name, { n, example }] of Object.entries(differ)) {
  if (KNOWN[name]) continue;
  bad++;
  console.log(`${name}: ${n} differ, e.g.\n${JSON.stringify(example).slice(0, 30000)}`);
}
console.log(`${cases.length} renders over ${all.length} templates, ${texts} give a text, ${Object.keys(differ).length - bad} templates differ as known, ${bad} otherwise`);
process.exit(bad ? 1 : 0);
