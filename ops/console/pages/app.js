// The frame: who is asking, which page, in which language. The address after # is the page and its question.
import { ApiError, json, logIn, logOut } from "./api.js";
import { draw, forget } from "./charts.js";
import { h } from "./format.js";
import { lang, switchLanguage, t } from "./i18n.js";
import { breaks, health, programmes } from "./page_more.js";
import { receipt } from "./page_receipt.js";
import { overview } from "./page_overview.js";
import { search } from "./page_search.js";
import { item, voucher } from "./page_voucher.js";
import { windowPage } from "./page_window.js";

const PAGES = { overview, window: windowPage, search, voucher, programmes, breaks, health, receipt };
const HIDDEN = { item };
const at = id => document.getElementById(id);
let session = null, shown = 0;

function place() {
    const [path, question = ""] = location.hash.replace(/^#\/?/, "").split("?"), [name, ...rest] = path.split("/");
    const page = name === "" ? "overview" : name;
    return { page, path: decodeURIComponent(rest.join("/")), question: new URLSearchParams(question) };
}

function frame() {
    const { page } = place();
    document.documentElement.lang = lang() === "zh" ? "zh-CN" : "en";
    document.title = `${PAGES[page] || HIDDEN[page] ? t(page) : t("title")} – 三券 Sanquan`;
    at("skip").textContent = t("skip");
    at("language").textContent = t("language");
    at("language").setAttribute("aria-label", t("language_label"));
    at("logout").textContent = t("log_out");
    at("logout").hidden = session === null;
    at("node").textContent = session ? t("node", `${session.network}/${session.node}`) : "";
    at("who").textContent = session ? `${session.name} (${session.participant})` : "";
    at("nav").setAttribute("aria-label", t("title"));
    at("nav").replaceChildren(...(session ? Object.keys(PAGES).map(p => h("a", { href: "#/" + p, "aria-current": p === page ? "page" : null }, t(p))) : []));
}

function loginForm() {
    const input = h("input", { id: "token", type: "password", autocomplete: "current-password", required: true }), wrong = h("p", { role: "alert", class: "bad" });
    const go = async e => {
        e.preventDefault();
        try {
            await logIn(input.value.trim());
            await show();
        } catch (error) {
            wrong.textContent = error.status === 401 ? t("token_wrong") : error.message;
        }
    };
    return h("section", { class: "login" }, h("h1", {}, t("log_in")), h("form", { onsubmit: go }, h("label", { for: "token" }, t("token")), input, h("p", { class: "hint" }, t("token_hint")), wrong, h("button", { class: "main", type: "submit" }, t("log_in"))));
}

function trouble(e) {
    if (!(e instanceof ApiError)) console.error(e);
    return h("div", { class: "error", role: "alert" }, h("p", {}, `${t("failed")}. ${e.message}`), h("button", { type: "button", onclick: show }, t("retry")));
}

async function show() {
    const turn = ++shown, main = at("main");
    forget();
    frame();
    main.removeAttribute("data-page");
    main.replaceChildren(h("p", { class: "hint" }, t("loading")));
    let parts;
    const { page, path, question } = place();
    try {
        session ??= await json("/api/session");
        frame();
        const make = PAGES[page] ?? HIDDEN[page];
        if (!make) throw new ApiError(404);
        parts = [h("h1", {}, t(page)), ...await make(session, path, question)];
    } catch (e) {
        if (e.status === 401) {
            session = null;
            frame();
            parts = [loginForm()];
        } else {
            parts = [h("h1", {}, PAGES[page] || HIDDEN[page] ? t(page) : t("title")), trouble(e)];
        }
    }
    if (turn !== shown) return; // another page was asked for meanwhile
    main.replaceChildren(...parts);
    draw();
    main.setAttribute("data-page", session ? page : "login");
}

at("language").addEventListener("click", () => { switchLanguage(); show(); });
at("logout").addEventListener("click", async () => { await logOut().catch(() => {}); session = null; show(); });
addEventListener("hashchange", () => { at("main").focus(); show(); });
show();
