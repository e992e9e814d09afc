// Send a one-time code as an application would, then read it as its test does.
// Run: aioclicksend sandbox &  then  node login.mjs
import assert from "node:assert/strict";

const url = process.env.CLICKSEND_BASE_URL ?? "http://127.0.0.1:8080";
const { CLICKSEND_USERNAME: user = "sandbox", CLICKSEND_API_KEY: key = "sandbox" } = process.env;

async function sendCode(to, code) {
  const reply = await fetch(`${url}/v3/sms/send`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Basic ${Buffer.from(`${user}:${key}`).toString("base64")}`,
    },
    body: JSON.stringify({ messages: [{ to, body: `Your code is ${code}` }] }),
  });
  assert.equal(reply.status, 200);
}

const sending = sendCode("+61412345678", "482913");
// The control API needs no key. It answers as soon as the message is there, at most after 5 s.
const query = new URLSearchParams({ to: "+61412345678", wait: "5" });
const { messages } = await (await fetch(`${url}/_sandbox/messages?${query}`)).json();
await sending;
assert.equal(messages.at(-1).code, "482913");
console.log(`code: ${messages.at(-1).code}`);
