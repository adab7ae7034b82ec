#!/usr/bin/python3
"""Data of the demonstration: programmes, organisations, vouchers and redemptions, the same on every run of one day.

    generate.py DIR plan                 programmes/*.yaml, people.txt, grants/*.csv
    generate.py DIR redemptions          mandates/*.csv, redemptions/*.csv, expected.json, from what was granted

Figures of programmes are those of public reports, for illustration; the organisations are nobody's.
"""
import csv
import datetime
import json
import os
import random
import sys

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
WEIGHTS = [pow(3, i, 31) for i in range(17)]
GOOD_ROWS = 2400          # a provider
TODAY = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))).date()  # as nodes count days
YEAR_BEGAN = datetime.date(TODAY.year, 1, 1)

NODES = {"310000": ["310000"], "370000": ["370000"], "440000": ["440000", "440300"]}
NODE_OF = {issuer: node for node, issuers in NODES.items() for issuer in issuers}
NOTE = "（示例，据公开报道）"
END = f"{TODAY.year + 1}-12-31"

# issuer, number, kind, title, rate, base, pool, what else
REAL = [
    ("310000", 1, "compute", "上海智能算力券", "30%", "contract", "6亿", {}),
    ("310000", 2, "model", "上海模型券", "50%", "approved", "3亿", {"cap_total": "500万"}),
    ("310000", 3, "corpus", "上海语料券", "30%", "approved", "1亿", {"cap_total": "500万"}),
    ("440300", 1, "compute", "深圳训力券", "50%", "contract", "5亿", {"cap_total": "1000万"}),
    ("440300", 2, "model", "深圳模型券", "30%", "paid", "1亿", {"cap_year": "200万"}),
    ("440300", 3, "corpus", "深圳语料券", "30%", "paid", "5000万", {"cap_total": "200万"}),
    ("370000", 1, "compute", "山东算力券（不限服务商所在地）", "5%", "contract", "3000万", {"cap_total": "500万"}),
]
# Small rules of Shanghai's, each to show one refusal.
RULES = {
    901: ("PROVIDER_REGION", {"provider_regions": '["370000"]'}),
    902: ("POOL_EXHAUSTED", {"pool": "500"}),
    903: ("CAP_CLAIM", {"cap_claim": "100"}),
    904: ("CAP_YEAR", {"cap_year": "100"}),
    905: ("CAP_TOTAL", {"cap_total": "100"}),
    906: ("BELOW_MINIMUM", {"min_claim": "5万"}),
    907: ("SERVICE", {"services": "[training]"}),
    908: ("WINDOW_CLOSED", {"windows": "\n  - {step: redemption, from: 2020-01-01, until: 2020-01-31}"}),
    909: ("HOLDER_REGION", {"conditions": '\n  - {of: holder, what: region, in: ["500000"], at: redemption}'}),
    910: ("HOLDER_SECTOR", {"conditions": '\n  - {of: holder, what: sector, in: ["65"], at: redemption}'}),
    911: ("HOLDER_CONDITION", {"conditions": "\n  - {of: holder, what: size, in: [micro], at: redemption}"}),
    912: ("PROVIDER_LIST", {"conditions": '\n  - {of: provider, what: "1001", at: redemption}'}),
    913: ("PROVIDER_CONDITION", {"conditions": '\n  - {of: provider, what: pflops, in: ["100.."], at: redemption}'}),
    914: ("CONTRACT_TERMS", {"conditions": '\n  - {of: voucher, what: contract_day, in: ["2023-09-01.."], at: redemption}'}),
    915: ("VOUCHER_CONDITION", {"conditions": '\n  - {of: voucher, what: grade, in: ["1"], at: redemption}'}),
    916: ("CHANNEL", {"conditions": '\n  - {of: claim, what: channel, in: ["1"], at: redemption}'}),
    917: ("FILING", {"conditions": '\n  - {of: claim, what: filing, in: ["1.."], at: redemption}'}),
    918: ("CLAIM_CONDITION", {"conditions": "\n  - {of: claim, what: purpose, in: [training], at: redemption}"}),
    919: ("DOCUMENTS", {"redeem_documents": "[contract, invoice]"}),
    920: ("NO_TIER", {"rate": None, "tiers": "\n  - {rate: 60%, when: [{of: holder, what: standing, in: [startup], at: redemption}]}"}),
    921: ("SUPPORT_PERIOD", {"support_months": "1"}),
    923: ("LIMIT", {"limits": "\n  - {scope: holder, of: redeemed, period: year, hard: 100}"}),
    924: ("LIMIT_SOFT", {"limits": "\n  - {scope: holder, of: redeemed, period: year, soft: 100, hard: 100万}"}),
    925: ("METERED", {"base": "metered", "unit": "card_minutes", "unit_price": "1.20", "unit_size": "60"}),
    926: ("QUOTA", {"unit": "records"}),
    927: ("REQUIRED", {"relations": "\n  - {programme: 310000/909, together: requires, state: redeemed}"}),
    928: ("EXCLUDED", {"relations": "\n  - {programme: 310000/900, together: excludes, state: redeemed}"}),
    929: ("", {}),  # what the next two go beside
    930: ("HIGHER_ONLY", {"relations": "\n  - {programme: 310000/929, together: higher}"}),
    931: ("SHARE_LIMIT", {"relations": "\n  - {programme: 310000/929, together: share, limit: 10%}"}),
    932: ("CONTRACT_BASE", {}),
    933: ("SERVICE_TAKEN", {"unique_service": "yes"}),
    934: ("PAYEE", {"payee": "provider"}),
    935: ("STAGE_NOT_FREE", {"stages": "\n  - {share: 1%}\n  - {share: 99%, trigger: grade}", "verdicts": "\n  - {grade: 1, action: release}", "evaluators": "1003"}),
    936: ("NO_AGREEMENT", {"recognition": "agreement", "kind": "4"}),
}
IN_ORDER = {921, 928, 929, 930, 931, 933, 936}  # those whose rows are refused for what came before, or at another region's provider
CLAIMS = {902: (600, 2000), 932: (100, 1000), 935: (600, 2000)}  # yuan asked for, and of what; the others 300 of 1,000


def uscc(province, n):
    """A valid code of an organisation that does not exist: registered in region 01 99 of the province."""
    body = f"91{province:02d}0199T{n:08d}"
    total = sum(w * ALPHABET.index(c) for w, c in zip(WEIGHTS, body))
    return body + ALPHABET[(31 - total % 31) % 31]


PROVIDERS = [(node, uscc(int(node[:2]), 1000 + i)) for node in NODES for i in range(3 if node != "440000" else 2)]
HOLDERS = [(issuer, uscc(int(issuer[:2]), 5000 + 100 * k + i)) for k, issuer in enumerate(["310000", "370000", "440300"]) for i in range(6)]
SANCTIONED, KIN = uscc(31, 5900), uscc(31, 5901)  # holders, of whom something is said before the end
SELF = PROVIDERS[0][1]    # also a holder: what it provides to itself is not subsidised
GRANTS = {926: {"quota": 100}, **{n: {"face_yuan": 300, "seller": SELF, "contract": "HT-1", "contract_yuan": 1000} for n in (929, 930, 931)},
          932: {"face_yuan": 150, "seller": SELF, "contract": "HT-2", "contract_yuan": 500}}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def table(path, header, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def programme(issuer, number, kind, title, rate, base, pool, more):
    terms = {"issuer": f'"{issuer}"', "number": number, "version": 1, "kind": kind, "title": title + NOTE, "from": f"{TODAY.year - 1}-01-01", "until": END,
             "rate": rate, "base": base, "pool": pool, **more}
    return "".join(f"{k}: {v}\n" for k, v in terms.items() if v is not None)


def plan(folder):
    people = [f"provider {node} {code}" for node, code in PROVIDERS]
    people += [f"holder {NODE_OF[issuer]} {code}" for issuer, code in HOLDERS] + [f"holder 310000 {code}" for code in (SELF, SANCTIONED, KIN)]
    write(f"{folder}/people.txt", "\n".join(people) + "\n")
    for p in REAL:
        write(f"{folder}/programmes/{p[0]}-{p[1]}.yaml", programme(*p))
        holders = [h for issuer, h in HOLDERS if issuer == p[0]]
        face = 2000000 if p[0] == "370000" else 800000
        table(f"{folder}/grants/{p[0]}-{p[1]}.csv", ["holder", "face_yuan", "until_day"], [(h, face, END) for h in holders for _ in range(4)])
    for number, (reason, more) in RULES.items():
        write(f"{folder}/programmes/310000-{number}.yaml",
              programme("310000", number, "compute", f"演示规则 {reason}", "30%", "contract", "1000万", more))
        cells = {"holder": HOLDERS[0][1], "face_yuan": 50000, "until_day": END, **GRANTS.get(number, {})}
        table(f"{folder}/grants/310000-{number}.csv", cells.keys(), [cells.values()] * (2 if number == 933 else 1))
    # Vouchers that cannot be used: one out of date, one to be revoked, one whose holder is the provider, small ones to overdraw.
    write(f"{folder}/programmes/310000-900.yaml", programme("310000", 900, "compute", "演示规则 券", "30%", "contract", "1000万", {}))
    write(f"{folder}/programmes/310000-922.yaml", programme("310000", 922, "compute", "演示规则 RELATED_PARTY", "30%", "contract", "1000万", {"related_hops": 2}))
    table(f"{folder}/grants/310000-922.csv", ["holder", "face_yuan", "until_day"], [(SANCTIONED, 5000, END), (KIN, 5000, END)])
    yesterday = str(TODAY - datetime.timedelta(days=1))
    h = HOLDERS[0][1]
    table(f"{folder}/grants/310000-900.csv", ["holder", "face_yuan", "until_day"],
          [(h, 5000, yesterday), (h, 5000, END), (SELF, 5000, END), (h, 100, END), (h, 5000, END), (h, 5000, END), (h, 5000, END), (h, 50000, END)])


def granted(folder):
    """programme -> [(voucher, holder)] as `sanquan grant` wrote them."""
    found = {}
    for name in sorted(os.listdir(f"{folder}/vouchers")):
        with open(f"{folder}/vouchers/{name}", encoding="utf-8", newline="") as f:
            found[name[:-4]] = [(row["voucher"], row["holder"]) for row in csv.DictReader(f)]
    return found


class Invoices:
    """Numbers of 数电票: year, province, then ascending."""

    def __init__(self, province, provider):
        self.head, self.next = f"{TODAY.year % 100:02d}{province}2{provider:03d}", 0

    def take(self):
        self.next += 1
        return f"{self.head}{self.next:012d}"


def redemptions(folder):
    vouchers, mandates, expected, files = granted(folder), {}, {}, {}
    rng = random.Random(20260901)
    special = PROVIDERS[0]
    unlimited, soon = "9000000", str(TODAY + datetime.timedelta(days=200))

    def allow(voucher, holder, provider, limit=unlimited, until=soon):
        mandates.setdefault((NODE_OF[voucher[:6]], holder), []).append((voucher, provider, limit, until))

    real = {f"{p[0]}-{p[1]}": int(p[4].rstrip("%")) for p in REAL}
    for name in real:
        for i, (voucher, holder) in enumerate(vouchers[name]):
            for k in range(2):
                allow(voucher, holder, PROVIDERS[(i + 4 * k) % len(PROVIDERS)][1])
    may = {}
    for rows in mandates.values():
        for voucher, provider, _, _ in rows:
            may.setdefault(provider, []).append(voucher)

    def row(voucher, amount, base, invoice, total=None, service="rent", day=None, verb="", reservation="", until="", quantity="", evidence="", payee="", bundle=""):
        return [voucher, amount, base, invoice, base if total is None else total, service, day or str(YEAR_BEGAN + datetime.timedelta(days=rng.randrange((TODAY - YEAR_BEGAN).days + 1))),
                verb, reservation, until, quantity, evidence, payee, bundle]

    for n, (node, provider) in enumerate(PROVIDERS):
        home, abroad = Invoices(node[:2], n), Invoices("44" if node != "440000" else "31", 500 + n)
        rows = []
        for _ in range(GOOD_ROWS):
            voucher = rng.choice(may[provider])
            rate = real[f"{voucher[:6]}-{int(voucher[6:10])}"]
            base = rng.randrange(1000, 8000)
            invoices = abroad if rng.randrange(20) == 0 else home
            rows.append(row(voucher, base * rate // 100, base, invoices.take()))
        files[provider] = (home, rows)

    home, rows = files[special[1]]
    bad = []

    def refuse(reason, *cells, **named):
        bad.append((reason, row(*cells, **named)))

    own = [v for v, _ in vouchers["310000-900"]]
    h = vouchers["310000-900"][0][1]
    for v in (own[0], own[1], own[3], own[7]):
        allow(v, h, special[1])
    allow(own[2], SELF, special[1])
    allow(own[5], h, special[1], until=str(TODAY - datetime.timedelta(days=1)))
    allow(own[6], h, special[1], limit="1.00")
    good, inv = own[7], home.take
    for _ in range(12):
        refuse("SQ_R_VOUCHER_EXPIRED", own[0], 300, 1000, inv())
        refuse("SQ_R_VOUCHER_REVOKED", own[1], 300, 1000, inv())
        refuse("SQ_R_SELF_USE", own[2], 300, 1000, inv())
        refuse("SQ_R_VOUCHER_OVERDRAWN", own[3], 30000, 100000, inv())
        refuse("SQ_R_NO_MANDATE", own[4], 300, 1000, inv())
        refuse("SQ_R_MANDATE_EXPIRED", own[5], 300, 1000, inv())
        refuse("SQ_R_MANDATE_OVERDRAWN", own[6], 300, 1000, inv())
        refuse("SQ_R_RATE_EXCEEDED", good, 999, 1000, inv())
        refuse("SQ_R_SERVICE_DAY", good, 300, 1000, inv(), day=str(TODAY + datetime.timedelta(days=40)))
        refuse("SQ_R_INVOICE_OVERDRAWN", good, 300, 1000, inv(), total=900)
        refuse("SQ_R_UNKNOWN_VOUCHER", "3100000001" + "999999999", 300, 1000, inv())
        refuse("SQ_R_UNKNOWN_PROGRAMME", "3100007777000000001", 300, 1000, inv())
        refuse("SQ_R_UNKNOWN_ISSUER", "1100000001000000001", 300, 1000, inv())
        refuse("SQ_R_RESERVATION_UNKNOWN", good, 300, 1000, inv(), verb="commit", reservation="999999")
        refuse("SQ_R_RETURN_EXCEEDS", good, 300, 1000, inv(), verb="return")
        for number, (reason, _) in RULES.items():
            if number not in IN_ORDER:
                refuse("SQ_R_" + reason, vouchers[f"310000-{number}"][0][0], *CLAIMS.get(number, (300, 1000)), inv(),
                       **{"quantity": "200"} if number == 926 else {}, **{"payee": "holder"} if number == 934 else {})
    for voucher, holder in vouchers["310000-922"]:
        allow(voucher, holder, special[1])
    abroad = PROVIDERS[3][1]  # in Shandong
    for number in RULES:
        for voucher, holder in vouchers[f"310000-{number}"]:
            allow(voucher, holder, special[1] if number != 936 else abroad)
    rng.shuffle(bad)
    rows += [cells for _, cells in bad]
    # In pairs: the first row is good, what the second asks for is not. Reservations go in a file of their own, after the rest.
    shared, beside, record = vouchers["310000-921"][0][0], vouchers["310000-929"][0][0], "5a" * 16
    pairs = [row(good, 30, 100, inv()), row(shared, 30, 100, inv(), day=str(YEAR_BEGAN)), row(beside, 300, 1000, inv()),
             row(vouchers["310000-933"][0][0], 30, 100, inv(), evidence=record)]
    first = pairs[0][3]
    twice = [("SQ_R_INVOICE_TOTAL", row(good, 30, 100, first, total=5000, day=str(TODAY))),
             ("SQ_R_INVOICE_STACKING", row(shared, 30, 100, first, day=str(YEAR_BEGAN))),
             ("SQ_R_EXCLUDED", row(vouchers["310000-928"][0][0], 30, 100, inv())),
             ("SQ_R_HIGHER_ONLY", row(vouchers["310000-930"][0][0], 300, 1000, inv())),
             ("SQ_R_SHARE_LIMIT", row(vouchers["310000-931"][0][0], 300, 1000, inv())),
             ("SQ_R_SERVICE_TAKEN", row(vouchers["310000-933"][1][0], 30, 100, inv(), evidence=record))]
    if (TODAY - YEAR_BEGAN).days > 62:
        twice.append(("SQ_R_SUPPORT_PERIOD", row(shared, 30, 100, inv(), day=str(TODAY))))
    rows += pairs
    late = str(TODAY + datetime.timedelta(days=200))
    near = str(TODAY + datetime.timedelta(days=30))
    holds = [row(good, 50, 1000, "", total=0, verb="reserve", reservation="1", until=near)]
    after = [("SQ_R_RESERVATION_EXISTS", row(good, 50, 1000, "", total=0, verb="reserve", reservation="1", until=near)),
             ("SQ_R_RESERVATION_EXCEEDED", row(good, 90, 1000, inv(), verb="commit", reservation="1"))]
    term = [("SQ_R_RESERVATION_TERM", row(good, 50, 1000, "", total=0, verb="reserve", reservation="2", until=late))]
    seller = [("SQ_R_INVOICE_SELLER", row(files[PROVIDERS[1][1]][1][0][0], 30, 100, first, day=str(TODAY)))]
    # One job on vouchers of three kinds and two issuers, all or none; and one that breaks, because a part of it asks for too much.
    legs = [next(v for v in may[special[1]] if v[:10] == f"{issuer}{number:04d}") for issuer, number in (("310000", 1), ("440300", 2), ("310000", 3))]
    together = [row(v, 30, 1000, inv(), until=near, bundle="1") for v in legs]
    apart = [("SQ_R_BUNDLE", row(v, 30, 1000, inv(), until=near, bundle="2")) for v in legs[:2]] + [("SQ_R_RATE_EXCEEDED", row(legs[2], 900, 1000, inv(), until=near, bundle="2"))]
    # What two regions have not agreed on, or have; a cap; a case that is open: see run.
    recognised, theirs = vouchers["310000-936"][0][0], files[abroad][0].take
    alone = [("SQ_R_NO_AGREEMENT", row(recognised, 300, 1000, theirs()))]
    agreed = [("SQ_R_AGREEMENT_RATE", row(recognised, 300, 1000, theirs())), ("SQ_R_AGREEMENT_EXPOSURE", row(recognised, 50, 1000, theirs()))]
    capped = [("SQ_R_NET_DEBIT_CAP", row(next(v for v in may[abroad] if v[:10] == "3100000001"), 30, 1000, theirs()))]
    disputed = [("SQ_R_DISPUTED", row(good, 10, 0, first, verb="return", day=pairs[0][6]))]

    header = ["voucher", "amount_yuan", "base_yuan", "invoice", "invoice_total_yuan", "service", "service_day", "verb", "reservation", "reserve_until",
              "quantity", "evidence", "payee", "bundle"]
    jobs = [(node, provider, f"{provider}-1.csv", files[provider][1]) for node, provider in PROVIDERS]
    jobs += [(special[0], special[1], f"{special[1]}-2.csv", [r for _, r in twice]), (special[0], special[1], f"{special[1]}-3.csv", holds),
             (special[0], special[1], f"{special[1]}-4.csv", [r for _, r in after]), (special[0], special[1], f"{special[1]}-5.csv", [r for _, r in term]),
             (PROVIDERS[1][0], PROVIDERS[1][1], f"{PROVIDERS[1][1]}-2.csv", [r for _, r in seller]),
             (PROVIDERS[3][0], abroad, f"{abroad}-2.csv", [r for _, r in alone]),
             (special[0], special[1], f"{special[1]}-7.csv", together + [r for _, r in apart])]
    later = [(PROVIDERS[3][0], abroad, f"{abroad}-3.csv", [r for _, r in agreed + capped]),
             (special[0], special[1], f"{special[1]}-6.csv", [r for _, r in disputed])]
    for _, _, name, content in jobs + later:
        table(f"{folder}/redemptions/{name}", header, content)
    for name, list_ in (("jobs.txt", jobs), ("later.txt", later)):
        write(f"{folder}/{name}", "".join(f"{node} {provider} {file}\n" for node, provider, file, _ in list_))
    for (node, holder), content in mandates.items():
        table(f"{folder}/mandates/{node}-{holder}.csv", ["voucher", "provider", "limit_yuan", "until"], sorted(content))
    for reason, _ in bad + twice + after + term + seller + apart + alone + agreed + capped + disputed:
        expected[reason] = expected.get(reason, 0) + 1
    everything = sum(len(content) for _, _, _, content in jobs + later)
    told = {"rows": everything, "refused": expected, "revoke": own[1], "hostile": [special[1], good] + [v for v, _ in vouchers["310000-922"]],
            "case": [good, first, special[1], pairs[0][6]], "story": may[PROVIDERS[3][1]][0]}
    write(f"{folder}/expected.json", json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    write(f"{folder}/agreement.yaml", f'version: 1\nkinds: [4]\nfrom: {YEAR_BEGAN}\nuntil: {END}\nrate_ceiling: 10%\nsides:\n  - {{node: "310000", exposure: 1}}\n  - {{node: "370000"}}\n')


if __name__ == "__main__":
    {"plan": plan, "redemptions": redemptions}[sys.argv[2]](sys.argv[1])
