// One scenario with the real OpenAI client, in a process of its own, because Node reads
// NODE_EXTRA_CA_CERTS only at its start. usage: openai_client.mjs SCENARIO; base URL and key come by
// environment; prints one JSON object.
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 });
const model = process.env.MODEL ?? 'demo';
const question = process.env.QUESTION ?? 'What is Skerry?';
const messages = [{ role: 'user', content: question }];

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

const scenarios = {
  async chat() {
    return await client.chat.completions.create({ model, messages, temperature: 0 });
  },

  async stream() {
    const stream = await client.chat.completions.create({
      model, messages, temperature: 0, stream: true, stream_options: { include_usage: true },
    });
    const result = { chunks: 0, content: '', finish: null, usage: null, objects: [] };
    for await (const chunk of stream) {
      result.chunks += 1;
      if (!result.objects.includes(chunk.object)) result.objects.push(chunk.object);
      if (chunk.usage) result.usage = chunk.usage;
      const choice = chunk.choices[0];
      if (!choice) continue;
      result.content += choice.delta.content ?? '';
      if (choice.finish_reason) result.finish = choice.finish_reason;
    }
    return result;
  },

  // The client library's own accumulator, which throws on missing roles, indexes or finish reasons.
  async accumulate() {
    const runner = client.chat.completions.stream({ model, messages, temperature: 0 });
    return await runner.finalChatCompletion();
  },

  async tools() {
    return await client.chat.completions.create({ model, messages, temperature: 0, tools: [weather] });
  },

  async toolsStream() {
    const runner = client.chat.completions.stream({ model, messages, temperature: 0, tools: [weather] });
    return await runner.finalChatCompletion();
  },

  async models() {
    const list = [];
    for await (const entry of client.models.list()) list.push(entry);
    return list;
  },

  async completion() {
    return await client.completions.create({ model, prompt: question, max_tokens: 16, temperature: 0 });
  },

  // Hangs up at the first chunk. The long prompt and the high temperature make the answer take longer than
  // the hang-up needs to arrive.
  async abort() {
    const long = [{ role: 'user', content: 'repeat these words: ' + 'one two three four '.repeat(150) }];
    const stream = await client.chat.completions.create({
      model, messages: long, stream: true, temperature: 2, max_tokens: 900, seed: Number(process.env.SEED ?? 1),
    });
    for await (const chunk of stream) {
      stream.controller.abort();
      return { seen: chunk.object };
    }
    return { seen: null };
  },
};

try {
  const result = await scenarios[process.argv[2]]();
  console.log(JSON.stringify({ ok: true, result }));
} catch (error) {
  console.log(JSON.stringify({
    ok: false, name: error.constructor.name, status: error.status, code: error.code, type: error.type,
    message: error.message, requestID: error.requestID,
  }));
}
