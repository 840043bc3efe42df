// Talks with mcpkit through the TypeScript SDK, and prints as JSON what the server said.
//
//   node conversation.mjs '{"line": "1.x", "type": "stdio", "command": …, "args": […], …}'
//   node conversation.mjs '{"line": "2.x", "type": "sse", "url": …, "mode": "auto", …}'
//
// `line` is that of the SDK; `mode` how a 2.x client chooses the era: "legacy", "auto" or
// {"pin": "2026-07-28"}. `journal` is the file in which the server's plugin notes what happened.

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const LIMIT = 30_000; // milliseconds for everything
const PERSON = "conversation://people/Kari";
const TOPIC = "conversation://topic";

const wish = JSON.parse(process.argv[2]);

// The SDK's two lines differ in names of packages, and in arguments of two methods.
async function load() {
  if (wish.line === "1.x") {
    const [client, stdio, http, sse, websocket, types] = await Promise.all([
      import("@modelcontextprotocol/sdk/client/index.js"),
      import("@modelcontextprotocol/sdk/client/stdio.js"),
      import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      import("@modelcontextprotocol/sdk/client/sse.js"),
      import("@modelcontextprotocol/sdk/client/websocket.js"),
      import("@modelcontextprotocol/sdk/types.js"),
    ]);
    return {
      ...client,
      ...stdio,
      ...http,
      ...sse,
      ...websocket,
      call: (it, params, options) => it.callTool(params, undefined, options),
      onQuestion: (it, answer) => it.setRequestHandler(types.ElicitRequestSchema, answer),
      onNotification: (it, method, handle) => {
        const schemas = {
          "notifications/tools/list_changed": types.ToolListChangedNotificationSchema,
          "notifications/resources/updated": types.ResourceUpdatedNotificationSchema,
        };
        it.setNotificationHandler(schemas[method], handle);
      },
    };
  }
  const [client, stdio] = await Promise.all([
    import("@modelcontextprotocol/client"),
    import("@modelcontextprotocol/client/stdio"),
  ]);
  return {
    ...client,
    ...stdio,
    call: (it, params, options) => it.callTool(params, options),
    onQuestion: (it, answer) => it.setRequestHandler("elicitation/create", answer),
    onNotification: (it, method, handle) => it.setNotificationHandler(method, handle),
  };
}

function makeTransport(sdk) {
  switch (wish.type) {
    case "stdio":
      return new sdk.StdioClientTransport({ ...wish, stderr: "ignore" });
    case "streamable-http":
      return new sdk.StreamableHTTPClientTransport(new URL(wish.url));
    case "sse":
      return new sdk.SSEClientTransport(new URL(wish.url));
    case "websocket":
      return new sdk.WebSocketClientTransport(new URL(wish.url));
  }
}

// A transport that also tells which protocol version the client agreed on.
function openTransport(sdk, said) {
  const transport = makeTransport(sdk);
  const inner = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (version) => {
    said.protocol = version;
    inner?.(version);
  };
  return transport;
}

// The error of a promise that must fail, as a plain record.
async function failure(promise) {
  try {
    return { answered: await promise };
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

async function until(what, isTrue) {
  while (!(await isTrue())) await sleep(20);
}

const journalSays = async (word) => (await readFile(wish.journal, "utf8")).includes(word);

// What every client in every era can do.
async function converse(sdk, client, said) {
  const call = (name, args, options) => sdk.call(client, { name, arguments: args }, options);

  said.server = client.getServerVersion()?.name;
  said.tools = (await client.listTools()).tools.map((tool) => tool.name);
  said.echo = await call("conversation_echo", { text: "Hei 👋\n" });
  said.person = (await client.readResource({ uri: PERSON })).contents;
  const subject = { name: "conversation_discuss", arguments: { subject: "snow" } };
  said.prompt = (await client.getPrompt(subject)).messages;
  const ref = { type: "ref/prompt", name: "conversation_discuss" };
  const argument = { name: "subject", value: "x" };
  said.completed = (await client.complete({ ref, argument })).completion.values;

  said.progress = [];
  const onprogress = ({ progress, total }) => said.progress.push([progress, total]);
  said.waited = await call("conversation_wait", { seconds: 0.05 }, { onprogress });

  sdk.onQuestion(client, ({ params }) => {
    said.question = params.message;
    return { action: "accept", content: { name: "Kari" } };
  });
  said.greeted = await call("conversation_greet", {});

  said.failed = await call("conversation_fail", {});
  said.unknown = await failure(call("conversation_ecko", {}));
  said.missing = await failure(client.readResource({ uri: "conversation://nobody" }));

  const abort = new AbortController();
  const onbegin = ({ progress, total }) => {
    said.begun = [progress, total];
    abort.abort();
  };
  const options = { signal: abort.signal, onprogress: onbegin };
  said.cancelled = await failure(call("conversation_wait", { seconds: 60 }, options));
  await until("cancelled", () => journalSays("cancelled"));
  said.again = await call("conversation_echo", { text: "still here" });
}

// Changes reach a client by the notifications of its era.
async function hearChanges(sdk, client, said) {
  const heard = new Set();
  const changes = {
    "notifications/tools/list_changed": () => heard.add("tools"),
    "notifications/resources/updated": ({ params }) => heard.add(params.uri),
  };
  for (const [method, handle] of Object.entries(changes)) {
    sdk.onNotification(client, method, handle);
  }
  const modern = client.getProtocolEra?.() === "modern";
  const filter = { toolsListChanged: true, resourceSubscriptions: [TOPIC] };
  const subscription = await (modern
    ? client.listen(filter)
    : client.subscribeResource({ uri: TOPIC }));

  await sdk.call(client, { name: "conversation_rename", arguments: {} });
  await until("heard", () => heard.size === 2);
  said.heard = [...heard].sort();
  if (modern) await subscription.close();
}

const said = {};
const limit = setTimeout(() => {
  console.error(`Not finished within ${LIMIT} ms; so far: ${JSON.stringify(said)}`);
  process.exit(1);
}, LIMIT);

const sdk = await load();
const client = new sdk.Client(
  { name: "mcpkit-tests", version: "1.0.0" },
  {
    capabilities: { elicitation: {} },
    ...(wish.mode && { versionNegotiation: { mode: wish.mode } }),
  },
);
const transport = openTransport(sdk, said);
await client.connect(transport);
said.protocol = client.getNegotiatedProtocolVersion?.() ?? said.protocol;
await converse(sdk, client, said);
await hearChanges(sdk, client, said);
said.session = Boolean(transport.sessionId);
await transport.terminateSession?.();
await client.close();
clearTimeout(limit);
console.log(JSON.stringify(said));
