// Worker threads of Node, each with pkcs11js loaded for itself, sign with one
// token and check every signature with Node's own crypto. Then the library is
// finalized, closed, loaded again and used again.
"use strict";
const assert = require("node:assert");
const crypto = require("node:crypto");
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");
const p = require(process.env.MODULES + "/pkcs11js");

const [lib, pin] = process.argv.slice(2);
const WORKERS = 8, ROUNDS = 60;

/** The token as one thread has it. */
class Token {
  constructor() {
    this.m = new p.PKCS11();
    this.m.load(lib);
    tolerate("CKR_CRYPTOKI_ALREADY_INITIALIZED", () => this.m.C_Initialize({ flags: p.CKF_OS_LOCKING_OK }));
    this.session = this.open();
    tolerate("CKR_USER_ALREADY_LOGGED_IN", () => this.m.C_Login(this.session, p.CKU_USER, pin));
  }

  open() {
    return this.m.C_OpenSession(this.m.C_GetSlotList(true)[0], p.CKF_SERIAL_SESSION | p.CKF_RW_SESSION);
  }

  find(type, label) {
    this.m.C_FindObjectsInit(this.session, [{ type: p.CKA_CLASS, value: type }, { type: p.CKA_LABEL, value: label }]);
    const found = this.m.C_FindObjects(this.session, 10);
    this.m.C_FindObjectsFinal(this.session);
    assert.strictEqual(found.length, 1, label);
    return found[0];
  }

  /** The public key, for Node. */
  publicKey(label) {
    const [point] = this.m.C_GetAttributeValue(this.session, this.find(p.CKO_PUBLIC_KEY, label), [{ type: p.CKA_EC_POINT }]);
    const header = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex");
    return crypto.createPublicKey({ key: Buffer.concat([header, point.value.subarray(2)]), format: "der", type: "spki" });
  }
}

function tolerate(code, call) {
  try {
    call();
  } catch (e) {
    if (e.message !== code) throw e;
  }
}

function verify(key, message, signature) {
  assert(crypto.verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature), "a wrong signature");
}

async function work(n) {
  const t = new Token(), m = t.m;
  const key = t.find(p.CKO_PRIVATE_KEY, "p256"), pub = t.publicKey("p256");
  let made = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const message = Buffer.from(`message ${i} of ${n}`);
    const digest = crypto.createHash("sha256").update(message).digest();
    m.C_SignInit(t.session, { mechanism: p.CKM_ECDSA }, key);
    verify(pub, message, m.C_Sign(t.session, digest, Buffer.alloc(64)));
    // On threads of libuv's pool, in several sessions at once.
    const sessions = [t.open(), t.open(), t.open()];
    const signatures = await Promise.all(sessions.map((s) => {
      m.C_SignInit(s, { mechanism: p.CKM_ECDSA_SHA256 }, key);
      return m.C_SignAsync(s, message, Buffer.alloc(64));
    }));
    for (const s of signatures) verify(pub, message, s);
    for (const s of sessions) m.C_CloseSession(s);
    made += 1 + signatures.length;
  }
  // An error that the library answers comes as one that JavaScript catches.
  assert.throws(() => m.C_Sign(t.session, Buffer.alloc(32), Buffer.alloc(64)), /CKR_OPERATION_NOT_INITIALIZED/);
  m.C_CloseSession(t.session);
  return made;
}

function endless() {
  const t = new Token();
  const key = t.find(p.CKO_PRIVATE_KEY, "p256");
  parentPort.postMessage("busy");
  for (;;) {
    t.m.C_SignInit(t.session, { mechanism: p.CKM_ECDSA }, key);
    t.m.C_Sign(t.session, Buffer.alloc(32), Buffer.alloc(64));
  }
}

const start = (n) => new Worker(__filename, { argv: process.argv.slice(2), workerData: n });
const heard = (w) => new Promise((resolve, reject) => w.once("message", resolve).once("error", reject));

async function main() {
  let t = new Token();
  const slot = t.m.C_GetSlotList(true)[0];
  assert.strictEqual(t.m.C_GetTokenInfo(slot).label.trim(), "hosts");
  const ec = Buffer.from("06082a8648ce3d030107", "hex");
  t.m.C_GenerateKeyPair(t.session, { mechanism: p.CKM_EC_KEY_PAIR_GEN },
    [{ type: p.CKA_TOKEN, value: true }, { type: p.CKA_LABEL, value: "p256" }, { type: p.CKA_EC_PARAMS, value: ec }, { type: p.CKA_VERIFY, value: true }],
    [{ type: p.CKA_TOKEN, value: true }, { type: p.CKA_LABEL, value: "p256" }, { type: p.CKA_SIGN, value: true }, { type: p.CKA_PRIVATE, value: true }]);

  // One that is ended in the middle of its work, beside those that work.
  const doomed = start(-1);
  await heard(doomed);
  const counts = Promise.all(Array.from({ length: WORKERS }, (_, n) => heard(start(n))));
  await doomed.terminate();
  console.log("signatures", (await counts).reduce((a, b) => a + b));

  for (let i = 0; i < 3; i++) {
    t.m.C_Finalize();
    t.m.close();
    t = new Token();
    const message = Buffer.from("again");
    t.m.C_SignInit(t.session, { mechanism: p.CKM_ECDSA_SHA256 }, t.find(p.CKO_PRIVATE_KEY, "p256"));
    verify(t.publicKey("p256"), message, t.m.C_Sign(t.session, message, Buffer.alloc(64)));
  }
  console.log("ok");
}

if (isMainThread) {
  main().catch((e) => {
    console.error(e);
    process.exitCode = 1;
  });
} else if (workerData < 0) {
  endless();
} else {
  work(workerData).then((made) => parentPort.postMessage(made));
}
