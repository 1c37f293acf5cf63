// @nats-io/transport-node, which knows nothing of this project, against the loopback endpoint: client.mjs URL.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// Modules are looked for beside the script; these are in the folder that it is run in.
const require = createRequire(join(process.cwd(), "script.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { connect, headers, errors } = await load("@nats-io/transport-node");
const { jetstream: jetstreamOf, jetstreamManager, AckPolicy } = await load("@nats-io/jetstream");
const { Kvm } = await load("@nats-io/kv");
const { Objm } = await load("@nats-io/obj");

async function publishAndSubscribe(nc) {
  const everything = nc.subscribe("node.>");
  const one = nc.subscribe("node.one", { max: 1 });
  await nc.flush();
  const tagged = headers();
  tagged.append("Tag", "x");
  for (const body of ["1", "2"]) nc.publish("node.one", body, { headers: tagged });
  await nc.flush();
  const bodies = [];
  for await (const message of everything) {
    bodies.push(message.string());
    if (bodies.length === 2) break;
  }
  assert.deepEqual(bodies, ["1", "2"]);
  const only = [];
  for await (const message of one) only.push([message.string(), message.headers.get("Tag")]);
  assert.deepEqual(only, [["1", "x"]]);
}

async function queueGroups(nc) {
  const counts = [0, 0];
  let done;
  const all = new Promise((resolve) => (done = resolve));
  for (const member of [0, 1]) {
    nc.subscribe("node.work", {
      queue: "workers",
      callback: () => {
        counts[member] += 1;
        if (counts[0] + counts[1] === 100) done();
      },
    });
  }
  await nc.flush();
  for (let n = 0; n < 100; n++) nc.publish("node.work");
  await all;
  await nc.flush();
  assert.equal(counts[0] + counts[1], 100);
  assert.ok(Math.min(...counts) > 0, `${counts}`);
}

async function requests(nc) {
  nc.subscribe("node.ask", { callback: (_, message) => message.respond(`re: ${message.string()}`) });
  await nc.flush();
  const asked = Array.from({ length: 100 }, (_, n) => nc.request("node.ask", `${n}`, { timeout: 10000 }));
  const replies = (await Promise.all(asked)).map((reply) => reply.string());
  assert.deepEqual(replies, Array.from({ length: 100 }, (_, n) => `re: ${n}`));
  const refused = (error) => error instanceof errors.NoRespondersError || error.isNoResponders?.();
  await assert.rejects(nc.request("node.nobody", "", { timeout: 10000 }), refused);
}

async function jetStream(nc) {
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: "NODE", subjects: ["nodestored.>"] });
  const js = jetstreamOf(nc);
  for (let n = 0; n < 200; n++) {
    const ack = await js.publish("nodestored.a", `${n}`, { msgID: `${n}` });
    assert.equal(ack.seq, n + 1);
  }
  assert.ok((await js.publish("nodestored.a", "0", { msgID: "0" })).duplicate);
  await manager.consumers.add("NODE", { durable_name: "puller", ack_policy: AckPolicy.Explicit });
  const expected = Array.from({ length: 200 }, (_, n) => `${n}`);
  const durable = await js.consumers.get("NODE", "puller");
  const bodies = [];
  for await (const message of await durable.consume({ max_messages: 50 })) {
    bodies.push(message.string());
    message.ack();
    if (bodies.length === 200) break;
  }
  assert.deepEqual(bodies, expected);
  const ordered = await js.consumers.get("NODE");
  const inOrder = [];
  for await (const message of await ordered.fetch({ max_messages: 200, expires: 10000 })) inOrder.push(message.string());
  assert.deepEqual(inOrder, expected);
}

async function keyValue(nc) {
  const kv = await new Kvm(nc).create("node", { history: 5 });
  const revision = await kv.put("colour", "red");
  assert.equal((await kv.get("colour")).string(), "red");
  await kv.update("colour", "blue", revision);
  await assert.rejects(kv.update("colour", "green", revision));
  await kv.create("shape", "round");
  const watch = await kv.watch();
  const seen = {};
  for await (const entry of watch) {
    seen[entry.key] = entry.string();
    if (entry.delta === 0) break;
  }
  assert.deepEqual(seen, { colour: "blue", shape: "round" });
  await kv.delete("shape");
  const keys = [];
  for await (const key of await kv.keys()) keys.push(key);
  assert.deepEqual(keys, ["colour"]);
}

async function objectStore(nc) {
  const store = await new Objm(nc).create("nodefiles");
  const body = new Uint8Array(512 * 1024).map((_, n) => n % 256);
  await store.putBlob({ name: "large" }, body);
  assert.deepEqual(await store.getBlob("large"), body);
  assert.deepEqual((await store.list()).map((entry) => entry.name), ["large"]);
}

setTimeout(() => {
  console.error("not done within 120 s");
  process.exit(1);
}, 120_000).unref();
const nc = await connect({ servers: process.argv[2], name: "transport-node", reconnect: false });
const problems = [];
(async () => {
  for await (const status of nc.status()) if (status.type === "error") problems.push(status);
})();
for (const part of [publishAndSubscribe, queueGroups, requests, jetStream, keyValue, objectStore]) {
  await part(nc);
  console.log("ok", part.name);
}
await nc.drain();
assert.deepEqual(problems, []);
