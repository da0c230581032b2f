// The whole way, with real programs and the real OpenAI client: model folder, signed bundle, import, load,
// token, TLS, answer; then everything that must be refused.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Appliance, bin, golden, must, skerry } from './appliance.mjs';

const box = new Appliance();
let token;

// Path -> size of every file below `folder`, to show that a refused step changed nothing.
function snapshot(folder) {
  const found = {};
  for (const name of readdirSync(folder, { recursive: true })) {
    const info = statSync(join(folder, name));
    found[name] = info.isDirectory() ? 'directory' : info.size;
  }
  return found;
}

function processesOf(folder) {
  const done = spawnSync('pgrep', ['-f', folder], { encoding: 'utf8' });
  return done.stdout.trim().split('\n').filter((line) => line !== '' && Number(line) !== process.pid);
}

before(async () => {
  box.prepare();
  await box.start();
  box.must(['import', box.bundle]);
  box.must(['models', 'load', 'skerry/demo', '--alias', 'demo']);
  token = box.createToken();
  box.token = token.token;
}, { timeout: 120_000 });

after(async () => {
  if (box.process?.exitCode === null) await box.stop();
  if (process.env.SKERRY_KEEP !== '1') box.cleanUp();
});

const wanted = golden.cases.find((entry) => entry.name === 'What is Skerry?').text;

test('a bundle has the same bytes when it is created again', () => {
  const again = join(box.dir, 'again.skb');
  must(box.createArgs(again));
  assert.ok(readFileSync(again).equals(readFileSync(box.bundle)));
});

test('chat answers the golden text with every field a strict client wants', async () => {
  const { ok, result, message } = await box.openai('chat');
  assert.ok(ok, message);
  assert.equal(result.object, 'chat.completion');
  assert.equal(result.model, 'demo');
  assert.equal(result.choices[0].message.role, 'assistant');
  assert.equal(result.choices[0].message.content, wanted);
  assert.equal(result.choices[0].finish_reason, 'stop');
  const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = result.usage;
  assert.equal(prompt, 7);
  assert.ok(completion > 10);
  assert.equal(total, prompt + completion);
});

test('a stream carries the same text in several chunks, and usage', async () => {
  const { ok, result, message } = await box.openai('stream');
  assert.ok(ok, message);
  assert.equal(result.content, wanted);
  assert.ok(result.chunks > 5);
  assert.equal(result.finish, 'stop');
  assert.deepEqual(result.objects, ['chat.completion.chunk']);
  assert.equal(result.usage.prompt_tokens, 7);
});

test("the client library's accumulator accepts the stream", async () => {
  const { ok, result, message } = await box.openai('accumulate');
  assert.ok(ok, message);
  assert.equal(result.choices[0].message.content, wanted);
});

test('tools are called, whole and streamed, with arguments that are JSON', async () => {
  for (const scenario of ['tools', 'toolsStream']) {
    const env = { QUESTION: 'What is the weather in Oslo?' };
    const { ok, result, message } = await box.openai(scenario, env);
    assert.ok(ok, message);
    assert.equal(result.choices[0].finish_reason, 'tool_calls', scenario);
    const call = result.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, 'get_weather');
    assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Oslo' });
  }
});

test('no control token reaches the content when no tool is offered', async () => {
  const { ok, result, message } = await box.openai('chat', { QUESTION: 'What is the weather in Oslo?' });
  assert.ok(ok, message);
  assert.doesNotMatch(result.choices[0].message.content, /TOOL_CALLS|\[INST\]/);
  assert.equal(result.choices[0].message.tool_calls, undefined);
});

test('models are listed, completions complete', async () => {
  const models = await box.openai('models');
  assert.deepEqual(models.result.map((entry) => entry.id), ['demo']);
  const completion = await box.openai('completion');
  assert.ok(completion.ok, completion.message);
  assert.equal(completion.result.object, 'text_completion');
  assert.equal(typeof completion.result.choices[0].text, 'string');
});

test('wrong tokens are 401, an unknown model is 404 and names what there is', async () => {
  const typo = box.token.slice(0, -1) + (box.token.endsWith('a') ? 'b' : 'a');
  for (const key of ['nonsense', typo]) {
    const wrong = await box.openai('chat', { API_KEY: key });
    assert.equal(wrong.status, 401);
    assert.equal(wrong.name, 'AuthenticationError');
    assert.equal(typeof wrong.code, 'string');
  }
  const unknown = await box.openai('chat', { MODEL: 'gpt-nothing' });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.code, 'model_not_found');
  assert.match(unknown.message, /demo/);
});

test('a client that hangs up is recorded, and the engine is free again', async () => {
  const cut = () => box.journal().find((entry) => entry.event.action === 'request-completed'
    && entry.event.outcome !== 'success');
  // A small model may finish before the hang-up arrives, so there are several tries.
  for (let seed = 1; seed <= 10 && !cut(); seed += 1) {
    const { ok, result, message } = await box.openai('abort', { SEED: String(seed) });
    assert.ok(ok, message);
    assert.equal(result.seen, 'chat.completion.chunk');
    for (let i = 0; i < 20 && !cut(); i += 1) await sleep(50);
  }
  const record = cut();
  assert.ok(record, 'no record of the aborted request');
  assert.equal((await box.openai('chat')).result.choices[0].message.content, wanted);
});

test('the journal admits before it completes, verifies, and holds no secret', () => {
  const records = box.journal();
  const admitted = records.filter((entry) => entry.event.action === 'request-admitted');
  const completed = records.filter((entry) => entry.event.action === 'request-completed');
  assert.ok(admitted.length >= 8);
  for (const entry of completed) {
    const id = entry.http.request.id;
    const first = records.findIndex((other) => other.http?.request?.id === id);
    assert.equal(records[first].event.action, 'request-admitted');
  }
  const text = JSON.stringify(records);
  assert.ok(!text.includes(box.token) && !text.includes('Skerry?'));
  box.must(['audit', 'verify']);
});

test('skerry ask answers on the box', () => {
  assert.equal(box.must(['ask', 'demo', 'What is Skerry?']).trim(), wanted);
  const unknown = box.run(['ask', 'nothing', 'x']);
  assert.equal(unknown.status, 1);
  assert.match(unknown.err, /nothing/);
});

test('listings are for people and for programs', () => {
  for (const args of [['models', 'ls'], ['models', 'ps'], ['tokens', 'ls'], ['status']]) {
    assert.ok(box.must(args).length > 0);
    JSON.parse(box.must([...args, '--json']));
  }
  assert.ok(!box.must(['tokens', 'ls', '--json']).includes(box.token));
});

test('a second import changes nothing and says so', () => {
  const before = snapshot(join(box.data, 'store'));
  const again = box.run(['import', box.bundle]);
  assert.equal(again.status, 0);
  assert.match(again.out + again.err, /already/);
  assert.deepEqual(snapshot(join(box.data, 'store')), before);
});

test('damaged, cut, foreign and missing bundles are refused; the store stays as it was', () => {
  const before = snapshot(join(box.data, 'store'));
  const good = readFileSync(box.bundle);
  const bad = join(box.dir, 'bad.skb');
  const cases = [];
  for (const at of [0, 600, 1500, Math.floor(good.length / 2), good.length - 1]) {
    const bytes = Buffer.from(good);
    bytes[at] ^= 1;
    cases.push([`bit flipped at ${at}`, bytes]);
  }
  cases.push(['cut', good.subarray(0, good.length - 512)], ['longer', Buffer.concat([good, Buffer.alloc(512)])]);
  for (const [name, bytes] of cases) {
    writeFileSync(bad, bytes);
    assert.equal(skerry(['bundle', 'verify', bad, '--trust', box.trust]).status, 1, name);
    const refused = box.run(['import', bad]);
    assert.equal(refused.status, 1, `${name}: ${refused.out}`);
    assert.match(refused.err, /^skerry: .+/, name);
  }
  mkdirSync(join(box.dir, 'other'));
  for (const role of ['root', 'release']) {
    must(['keys', 'generate', '--role', role, '--out', join(box.dir, 'other', `${role}.key`)]);
  }
  const other = join(box.dir, 'other/root.json');
  must(['trust', 'init', '--root-key', join(box.dir, 'other/root.key'), '--release-key',
    join(box.dir, 'other/release.pub'), '--out', other]);
  assert.equal(skerry(['bundle', 'verify', box.bundle, '--trust', other]).status, 1);
  assert.equal(skerry(['bundle', 'verify', join(box.dir, 'none.skb'), '--trust', box.trust]).status, 1);
  assert.equal(skerry(['bundle', 'verify']).status, 2);
  assert.deepEqual(snapshot(join(box.data, 'store')), before);
  assert.deepEqual(readdirSync(join(box.data, 'staging')), []);
});

test('a folder that is no model cannot become a bundle', () => {
  const folder = join(box.dir, 'no-model');
  mkdirSync(folder);
  copyFileSync(join(box.dir, 'root.json'), join(folder, 'notes.json'));
  const args = box.createArgs(join(box.dir, 'none.skb'));
  args[2] = folder;
  const refused = skerry(args);
  assert.notEqual(refused.status, 0);
  assert.match(refused.err, /no-model/);
  assert.ok(!existsSync(join(box.dir, 'none.skb')));
});

test('a taken port and a second appliance on the same data are refused with advice', () => {
  const port = box.api.split(':')[1];
  const other = skerry(['serve', '--data', join(box.dir, 'other-data'), '--listen', `127.0.0.1:${port}`,
    '--admin-listen', '127.0.0.1:0'], { timeout: 20_000 });
  assert.equal(other.status, 1);
  assert.match(other.err, new RegExp(`port ${port} .*in use`));
  const same = skerry(['serve', '--data', box.data], { timeout: 20_000 });
  assert.equal(same.status, 1);
  assert.match(same.err, /in use|serve/);
  assert.equal(box.run(['status']).status, 0);
});

test('loading what is not there, and unloading what is not loaded, are errors', () => {
  for (const args of [['models', 'load', 'no/such'], ['models', 'unload', 'nothing'], ['tokens', 'revoke', 'aaaaaaaaaaaa']]) {
    const refused = box.run(args);
    assert.equal(refused.status, 1, args.join(' '));
    assert.match(refused.err, /^skerry: .+/);
  }
});

test('a revoked token ends at once', async () => {
  const extra = box.createToken();
  assert.ok((await box.openai('models', { API_KEY: extra.token })).ok);
  box.must(['tokens', 'revoke', extra.id]);
  assert.equal((await box.openai('models', { API_KEY: extra.token })).status, 401);
});

test('a killed engine comes back by itself', async () => {
  const [engine] = spawnSync('pgrep', ['-f', `skerry-engine.*${box.data}`], { encoding: 'utf8' }).stdout.trim().split('\n');
  process.kill(Number(engine), 'SIGKILL');
  let answer;
  for (let i = 0; i < 60; i += 1) {
    answer = await box.openai('chat');
    if (answer.ok) break;
    assert.ok(answer.status === 503 || answer.status === 502, JSON.stringify(answer));
    await sleep(200);
  }
  assert.equal(answer.result?.choices[0].message.content, wanted);
});

test('Ctrl-C ends everything, and a new start has everything again', async () => {
  const { code } = await box.stop('SIGINT');
  assert.equal(code, 0, box.log);
  assert.deepEqual(processesOf(box.data), []);
  assert.ok(!existsSync(join(box.data, 'run/serve.json')));
  const stopped = box.run(['status']);
  assert.equal(stopped.status, 1);
  assert.match(stopped.err, /serve/);
  await box.start();
  let answer;
  for (let i = 0; i < 100; i += 1) {
    answer = await box.openai('chat');
    if (answer.ok) break;
    await sleep(100);
  }
  assert.equal(answer.result?.choices[0].message.content, wanted, JSON.stringify(answer));
  box.must(['audit', 'verify']);
});
