// A receipt is pasted, and verified here: nothing of it is sent anywhere.
import { h, section } from "./format.js";
import { t } from "./i18n.js";
import { checkReceipt } from "./verify.js";

export async function receipt(session) {
    const others = session.nodes.length - 1;
    const text = h("textarea", { id: "receipt-text", rows: "16", spellcheck: "false", autocomplete: "off", required: true });
    const needed = h("input", { id: "needed", type: "number", min: "0", max: String(others), value: String(others > 0 ? Math.floor(others / 2) + 1 : 0), required: true });
    const out = h("div", { id: "verdict", role: "status" });
    const check = async e => {
        e.preventDefault();
        const r = await checkReceipt(text.value, session, Number(needed.value));
        out.replaceChildren(h("p", { class: r.ok ? "good" : "bad", id: "verdict-text" }, r.text), h("ul", { class: "steps" }, r.steps.map(s => h("li", { class: s.ok ? "good" : "bad" }, s.text))));
    };
    return [section(t("receipt_title"), h("p", { class: "hint" }, t("receipt_hint")), h("form", { onsubmit: check }, h("label", { for: "receipt-text" }, t("receipt_text")), text, h("label", { for: "needed" }, t("receipt_needed")), needed,
        h("div", { class: "buttons" }, h("button", { class: "main", type: "submit", id: "check-receipt" }, t("receipt_check")))), out)];
}
