// Drives the programs of one build as their users would: a data directory, keys, a bundle, `skerry serve`.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const bin = process.env.SKERRY_BIN_DIR ?? join(root, 'build/release/bin');
export const demoModel = join(root, 'installer/demo-model/model');
export const golden = JSON.parse(readFileSync(join(root, 'installer/demo-model/golden.json')));

// Runs `skerry ARGS` to its end; never throws for an exit status.
export function skerry(args, options = {}) {
  const done = spawnSync(join(bin, 'skerry'), args, {
    encoding: 'utf8', timeout: 120_000, ...options, env: { ...process.env, ...options.env },
  });
  if (done.error) throw done.error;
  return { status: done.status, out: done.stdout, err: done.stderr };
}

// The same, for steps that must succeed.
export function must(args, options) {
  const done = skerry(args, options);
  if (done.status !== 0) throw new Error(`skerry ${args.join(' ')} -> ${done.status}: ${done.err}`);
  return done.out;
}

export class Appliance {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'skerry-e2e-'));
    this.data = join(this.dir, 'data');
    this.keys = this.dir;
    this.bundle = join(this.dir, 'demo.skb');
  }

  // Keys, trust root, bundle of the demo model; the root accepted on the appliance.
  prepare() {
    for (const role of ['root', 'release']) {
      must(['keys', 'generate', '--role', role, '--out', join(this.keys, `${role}.key`)]);
    }
    must(['trust', 'init', '--root-key', join(this.keys, 'root.key'), '--release-key',
      join(this.keys, 'release.pub'), '--out', join(this.keys, 'root.json')]);
    this.trust = join(this.keys, 'root.json');
    must(this.createArgs(this.bundle));
    this.fingerprint = JSON.parse(must(['trust', 'show', this.trust, '--json'])).fingerprint;
    must(['trust', 'accept', this.trust, '--fingerprint', this.fingerprint, '--data', this.data]);
  }

  createArgs(out) {
    return ['bundle', 'create', demoModel, '--id', 'skerry/demo', '--version', '1.0.0', '--seq', '1',
      '--key', join(this.keys, 'release.key'), '--trust', join(this.keys, 'root.json'), '-o', out];
  }

  async start(args = []) {
    this.log = '';
    this.process = spawn(join(bin, 'skerry'), ['serve', '--data', this.data, '--listen', '127.0.0.1:0',
      '--admin-listen', '127.0.0.1:0', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stdout.on('data', (text) => { this.log += text; });
    this.process.stderr.on('data', (text) => { this.log += text; });
    this.ended = new Promise((resolve) => this.process.on('exit', (code, signal) => resolve({ code, signal })));
    const facts = join(this.data, 'run/serve.json');
    for (let i = 0; i < 600 && !existsSync(facts); i += 1) {
      if (this.process.exitCode !== null) throw new Error(`serve ended: ${this.log}`);
      await sleep(50);
    }
    const { api, admin } = JSON.parse(readFileSync(facts));
    this.api = api;
    this.admin = admin;
  }

  async stop(signal = 'SIGINT') {
    this.process.kill(signal);
    return await this.ended;
  }

  run(args, options) { return skerry([...args, '--data', this.data], options); }
  must(args, options) { return must([...args, '--data', this.data], options); }

  createToken(args = []) {
    return JSON.parse(this.must(['tokens', 'create', '--label', 'e2e', '--json', ...args]));
  }

  // A scenario of openai_client.mjs; resolves to what it printed.
  async openai(scenario, env = {}) {
    const child = spawn(process.execPath, [join(root, 'tests/e2e/openai_client.mjs'), scenario], {
      env: {
        ...process.env, NODE_EXTRA_CA_CERTS: join(this.data, 'tls/ca.pem'),
        BASE_URL: `https://${this.api}/v1`, API_KEY: this.token, ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (text) => { out += text; });
    await new Promise((resolve) => child.on('exit', resolve));
    return JSON.parse(out);
  }

  journal() {
    const records = [];
    const folder = join(this.data, 'journal/api');
    const names = spawnSync('ls', [folder], { encoding: 'utf8' }).stdout.trim().split('\n');
    for (const name of names) {
      for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
        if (line !== '') records.push(JSON.parse(line));
      }
    }
    return records;
  }

  cleanUp() { rmSync(this.dir, { recursive: true, force: true }); }
}
