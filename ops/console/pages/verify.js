// What a browser can check by itself: RFC 9162 inclusion, C2SP checkpoint, payload against leaf, row against payload.
// Hashes and signatures are WebCrypto's; where it has no Ed25519, tweetnacl's when the console serves it. Nothing is passed over in silence.
import { ApiError, bytes } from "./api.js";
import { when } from "./format.js";
import { t } from "./i18n.js";

const LEAF_SIZE = 56, TYPE = { BATCH: 14, CLEAR: 33, DECIDED: 34, REGISTERED: 32, RECEIPT: 61 };

class Wrong extends Error {}
const must = (good, key, ...values) => { if (!good) throw new Wrong(t(key, ...values)); };

const unhex = s => { if (!/^([0-9a-f]{2})*$/.test(s)) throw new Wrong(s.slice(0, 80)); return Uint8Array.from(s.match(/../g) ?? [], x => parseInt(x, 16)); };
const unbase64 = s => Uint8Array.from(atob(s), c => c.charCodeAt(0));
const join = (...parts) => { const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0)); let at = 0; for (const p of parts) { out.set(p, at); at += p.length; } return out; };
const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);
const sha256 = async data => new Uint8Array(await crypto.subtle.digest("SHA-256", data));
const view = b => new DataView(b.buffer, b.byteOffset, b.byteLength);

// "by whom" when the signature is good, null when it is not, undefined when nothing here can tell.
async function ed25519(key, message, signature) {
    try {
        const k = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
        return await crypto.subtle.verify("Ed25519", k, signature, message) ? "WebCrypto" : null;
    } catch (e) {
        if (e.name !== "NotSupportedError" && e.name !== "SyntaxError") throw e;
    }
    return globalThis.nacl ? (globalThis.nacl.sign.detached.verify(message, signature, key) ? "tweetnacl" : null) : undefined;
}

// RFC 9162 §2.1.3.2
async function rootOf(index, size, leaf, proof) {
    let fn = BigInt(index), sn = BigInt(size) - 1n, r = await sha256(join(Uint8Array.of(0), leaf));
    if (fn > sn) return null;
    for (const p of proof) {
        if (sn === 0n) return null;
        if (fn & 1n || fn === sn) {
            r = await sha256(join(Uint8Array.of(1), p, r));
            while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
        } else {
            r = await sha256(join(Uint8Array.of(1), r, p));
        }
        fn >>= 1n;
        sn >>= 1n;
    }
    return sn === 0n ? r : null;
}

async function openNote(note, log, keyHex, steps) {
    const split = note.indexOf("\n\n"), body = note.slice(0, split + 1), [origin, size, root, ...rest] = body.split("\n");
    must(split > 0 && origin === log && /^[1-9]\d{0,18}$/.test(size) && rest.length === 1, "bad_checkpoint");
    steps.push({ ok: true, text: t("p_checkpoint", origin, size) });
    const key = unhex(keyHex), id = (await sha256(join(new TextEncoder().encode(log + "\n"), Uint8Array.of(1), key))).slice(0, 4);
    const mine = note.slice(split + 2).split("\n").map(l => l.match(/^\u2014 (\S+) (\S+)$/)).filter(m => m && m[1] === log).map(m => unbase64(m[2])).find(s => s.length === 68 && same(s.slice(0, 4), id));
    must(mine && key.length === 32, "bad_signature");
    const by = await ed25519(key, new TextEncoder().encode(body), mine.slice(4));
    must(by !== null, "bad_signature");
    steps.push(by === undefined ? { ok: false, text: t("p_no_ed25519") } : { ok: true, text: t("p_signature", by) });
    return { size, root: unbase64(root), signed: by !== undefined };
}

// ---- as much of Protocol Buffers as an entry needs; the node has seen to it that there is one spelling ----

function fields(data) {
    const out = new Map();
    for (let at = 0; at < data.length;) {
        const varint = () => { let v = 0, scale = 1, b; do { b = data[at++]; v += (b & 127) * scale; scale *= 128; } while (b & 128); return v; };
        const tag = varint(), wire = tag % 8, size = wire === 2 ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : 0;
        out.set(Math.floor(tag / 8), wire === 0 ? varint() : data.subarray(at, at + size));
        at += size;
    }
    return out;
}
const none = new Uint8Array();
const cell64 = (column, row) => view(column).getBigUint64(8 * row, true);
const codeOf = (code, row) => code && code.length > 0 ? code[row] : 0;

function openPayload(payload) {
    const n = view(payload).getUint32(4), body = fields(payload.subarray(16, 16 + n)).get(2) ?? none;
    return { type: view(payload).getUint16(2), body: fields(body), outcome: fields(payload.subarray(16 + n)) };
}

function rowMatches(entry, item) {
    const rows = entry.type === TYPE.BATCH ? entry.body : entry.type === TYPE.CLEAR ? fields(entry.body.get(5) ?? none) : null;
    if (rows === null) return undefined; // grants, mandates: their rows are laid out otherwise
    const invoice = [...(rows.get(4) ?? none).subarray(10 * item.row, 10 * item.row + 10)].map(b => b.toString(16).padStart(2, "0")).join("");
    return String(cell64(rows.get(1), item.row)).padStart(19, "0") === item.voucher && BigInt.asIntN(64, cell64(rows.get(2), item.row)) === BigInt(item.amount_fen) &&
        (item.invoice === undefined ? /^0*$/.test(invoice) : invoice === item.invoice);
}

function decisionMatches(entry, item) {
    let code;
    if (entry.type === TYPE.BATCH || entry.type === TYPE.CLEAR) code = codeOf(entry.outcome.get(2), item.row);
    else if (entry.type === TYPE.DECIDED || entry.type === TYPE.REGISTERED) {
        const rows = entry.body.get(2) ?? none, at = Array.from({ length: rows.length / 4 }, (_, i) => view(rows).getUint32(4 * i, true)).indexOf(item.batch_row);
        if (at < 0) return false;
        if (entry.type === TYPE.REGISTERED && codeOf(entry.body.get(3), at) === 0) code = codeOf(entry.outcome.get(2), at); // on to this node's own decision
        else code = codeOf(entry.body.get(3), at);
    } else return undefined;
    return (code > 1 ? code : 0) === (item.refusal ?? 0) && (item.state === "refused") === (code > 1);
}

async function checkEntry(seq, answer, note, steps) {
    const p = answer.proofs?.find(x => x.seq === seq);
    must(p, "bad_missing", seq);
    const leaf = unhex(p.leaf), hashes = unhex(p.proof), proof = Array.from({ length: hashes.length / 32 }, (_, i) => hashes.subarray(32 * i, 32 * i + 32));
    must(leaf.length === LEAF_SIZE && leaf[0] === 1 && leaf[1] === 0 && view(leaf).getBigUint64(8) === BigInt(seq) && p.index === seq - 1, "bad_leaf", seq);
    steps.push({ ok: true, text: t("p_leaf", seq) });
    const root = hashes.length % 32 === 0 ? await rootOf(p.index, note.size, leaf, proof) : null;
    must(root !== null && same(root, note.root), "bad_inclusion", seq);
    steps.push({ ok: true, text: t("p_inclusion", seq) });
    let payload;
    try {
        payload = await bytes("/api/entry/" + seq);
    } catch (e) {
        if (!(e instanceof ApiError) || e.status !== 403) throw e;
        steps.push({ ok: true, text: t("p_payload_hidden", seq) });
        return null;
    }
    must(payload.length === view(leaf).getUint32(4) && same(await sha256(payload), leaf.slice(24)), "bad_payload", seq);
    steps.push({ ok: true, text: t("p_payload", seq) });
    return openPayload(payload);
}

async function told(steps, work) {
    try {
        return { ok: true, steps, text: await work() };
    } catch (e) {
        if (!(e instanceof Wrong)) throw e;
        steps.push({ ok: false, text: e.message });
        return { ok: false, steps, text: t("not_verified", e.message) };
    }
}

// `answer` holds one item with proofs; `shown` is the item that the page shows.
export function checkItem(answer, shown, session, keyHex) {
    const steps = [];
    return told(steps, async () => {
        const note = await openNote(answer.checkpoint ?? "", session.log, keyHex, steps);
        const item = answer.items[0], entry = await checkEntry(item.seq, answer, note, steps);
        must(item.seq === shown.seq && item.row === shown.row && item.voucher === shown.voucher && item.amount_fen === shown.amount_fen && item.state === shown.state && item.invoice === shown.invoice, "bad_row", item.seq, item.row);
        const row = entry && rowMatches(entry, item);
        must(row !== false, "bad_row", item.seq, item.row);
        if (row) steps.push({ ok: true, text: t("p_row", item.seq, item.row) });
        let decided = entry;
        if (item.decided_seq && item.decided_seq !== item.seq) decided = await checkEntry(item.decided_seq, answer, note, steps);
        const code = decided && item.decided_seq ? decisionMatches(decided, item) : undefined;
        must(code !== false, "bad_row", item.decided_seq, item.batch_row);
        if (code) steps.push({ ok: true, text: t("p_decided", item.decided_seq) });
        must(note.signed, "p_no_ed25519");
        return entry ? t("verified") : t("verified_part", item.seq);
    });
}

// ---- receipts that people bring: a C2SP tlog-proof, or a line that `submit --receipts` wrote ----

function parseProofFile(text) {
    const lines = text.split("\n");
    let i = 1;
    const extra = lines[i]?.startsWith("extra ") ? unbase64(lines[i++].slice(6)) : none, index = /^index (0|[1-9]\d{0,18})$/.exec(lines[i++] ?? "");
    must(index, "bad_receipt");
    const proof = [];
    while (i < lines.length && lines[i] !== "") proof.push(unbase64(lines[i++]));
    must(i < lines.length, "bad_receipt");
    return { leaf: extra, index: index[1], proof, note: lines.slice(i + 1).join("\n").trimEnd() + "\n" };
}

// The envelope as the provider keeps it: the node has signed that the answer belongs to this leaf.
async function parseEnvelope(line, session, steps) {
    const parts = fields(unhex(JSON.parse(line).envelope)), header = parts.get(1) ?? none, body = parts.get(2) ?? none, signature = parts.get(3) ?? none;
    const type = fields(header).get(2), sender = new TextDecoder().decode(fields(header).get(4) ?? none), node = session.nodes.find(n => "node:" + n.code === sender);
    must(type === TYPE.RECEIPT && node && signature.length === 64, "bad_receipt");
    const type4 = new Uint8Array(4);
    view(type4).setUint32(0, type);
    const by = await ed25519(unhex(node.node_key), join(new TextEncoder().encode("sanquan/message/v1\0"), unhex(session.network_id), type4, header, await sha256(body)), signature);
    must(by !== null, "bad_message_signature", sender);
    steps.push(by === undefined ? { ok: false, text: t("p_no_ed25519") } : { ok: true, text: t("p_message", sender, by) });
    const receipt = fields(body), hashes = receipt.get(4) ?? none;
    return { leaf: receipt.get(2) ?? none, index: receipt.get(3) ? String(view(receipt.get(3)).getBigUint64(0, true)) : "0",
        proof: Array.from({ length: Math.ceil(hashes.length / 32) }, (_, i) => hashes.subarray(32 * i, 32 * i + 32)), note: new TextDecoder().decode(receipt.get(5) ?? none) };
}

async function parseReceipt(text, session, steps) {
    try {
        return text.startsWith("c2sp.org/tlog-proof@v1\n") ? parseProofFile(text) : await parseEnvelope(text, session, steps);
    } catch (e) {
        if (e instanceof Wrong) throw e;
        throw new Wrong(t("bad_receipt"));
    }
}

// Cosignatures of nodes of the network, each once; one that is there and does not verify condemns the note.
async function countCosignatures(note, origin, session, steps) {
    const split = note.indexOf("\n\n"), body = note.slice(0, split + 1), by = new Set();
    for (const line of note.slice(split + 2).split("\n")) {
        const m = line.match(/^\u2014 (\S+) (\S+)$/), node = m && m[1] !== origin && session.nodes.find(n => n.log === m[1]);
        if (!node) continue;
        const blob = unbase64(m[2]), key = unhex(node.log_key), id = (await sha256(join(new TextEncoder().encode(node.log + "\n"), Uint8Array.of(4), key))).slice(0, 4);
        if (!same(blob.slice(0, 4), id)) continue;
        must(blob.length === 76, "bad_cosignature", node.code);
        const time = view(blob).getBigUint64(4), good = await ed25519(key, new TextEncoder().encode(`cosignature/v1\ntime ${time}\n${body}`), blob.slice(12));
        must(good !== null, "bad_cosignature", node.code);
        if (good === undefined || by.has(node.code)) continue;
        by.add(node.code);
        steps.push({ ok: true, text: t("p_cosigned", node.code, when(Number(time) * 1000)) });
    }
    return by.size;
}

export function checkReceipt(pasted, session, needed) {
    const steps = [];
    return told(steps, async () => {
        const r = await parseReceipt(pasted.replace(/\r\n/g, "\n").trimStart(), session, steps), origin = r.note.slice(0, r.note.indexOf("\n")), node = session.nodes.find(n => n.log === origin);
        must(node, "bad_log", origin.slice(0, 80));
        const note = await openNote(r.note, node.log, node.log_key, steps), seq = BigInt(r.index) + 1n;
        must(r.leaf.length === LEAF_SIZE && r.leaf[0] === 1 && r.leaf[1] === 0 && view(r.leaf).getBigUint64(8) === seq && r.proof.every(p => p.length === 32), "bad_leaf", seq);
        steps.push({ ok: true, text: t("p_leaf", seq) });
        const root = await rootOf(r.index, note.size, r.leaf, r.proof);
        must(root !== null && same(root, note.root), "bad_inclusion", seq);
        steps.push({ ok: true, text: t("p_inclusion", seq) });
        const count = await countCosignatures(r.note, origin, session, steps);
        must(note.signed, "p_no_ed25519");
        must(count >= needed, "too_few_cosigned", count, needed);
        return t("verified_receipt", seq, origin, when(Number(view(r.leaf).getBigUint64(16))), count);
    });
}

export function checkNote(note, session, keyHex) {
    const steps = [];
    return told(steps, async () => {
        must((await openNote(note, session.log, keyHex, steps)).signed, "p_no_ed25519");
        return t("verified");
    });
}
