"""The way to a redemption, typed as its people type it: keys, directory, programmes, enrolment, grants, mandates; and a window's end."""
import csv
import io
import os
import random
import time

from network import Network, check, done, uscc

SH, GD, SZ = "310000", "440000", "440300"
random.seed(20260902)

with Network((SH, GD), hosts=((SZ, GD),)) as net:
    # ---- keys and directory ----
    r = net.run("keygen", "regulator:mof", "--out", net.key("regulator:mof"))
    check("keys are never written over others", r.code == 5 and "never overwritten" in r.err, r)
    check("a key file is for its owner alone", os.stat(net.key("regulator:mof")).st_mode & 0o777 == 0o600)
    r = net.run("keygen", "provider:91310000MA1FL00001", "--out", net.path("x.key"))
    check("a wrong check character is told with the right one", r.code == 2 and "the other 17 give N" in r.err and not os.path.exists(net.path("x.key")), r)
    secret = net.write("passphrase", "correct horse\n")
    r = net.run("keygen", f"operator:{SH}/third", "--out", net.path("sealed.key"), "--passphrase-file", secret, "--json")
    check("a sealed key file shows no secret", r.code == 0 and "sealed: " in net.read("sealed.key") and "secret: " not in net.read("sealed.key"), r)
    r = net.run("key", "show", net.path("sealed.key"), "--json")
    check("its public half needs no passphrase", r.code == 0 and r.json["name"] == f"operator:{SH}/third" and len(r.json["public"]) == 64, r)
    r = net.run("directory", "show", net.directory, "--json")
    check("the directory lists who belongs to which node", r.code == 0 and r.json["nodes"][1]["issuers"] == [f"issuer:{GD}", f"issuer:{SZ}"], r)
    r = net.run("directory", "new", "--network", "x", net.key(f"issuer:{SZ}"), net.key(f"node:{GD}"))
    check("an issuer without a home is refused, with the option that gives it one", r.code == 2 and "--host" in r.err, r)
    r = net.run("init", "--config", net.path(f"{SH}.yaml"))
    check("a ledger is never made over another", r.code == 5 and "there already" in r.err, r)

    net.start_all()
    holder, provider = uscc(31, 1), uscc(44, 2)
    issuer = {"node": SH, "key": net.key(f"issuer:{SH}")}
    operator = {"node": SH, "key": net.operator(SH)}

    # ---- programmes ----
    wrong = net.write("wrong.yaml", 'issuer: "310000"\nnumber: 1\nversion: 1\nkind: compute\ntitle: x\nfrom: 2025-01-01\nuntil: 2024-12-31\nrate: 30%\n'
                      "base: paid\npool: 1亿\n")
    r = net.run("programme", "check", wrong)
    check("a wrong programme file is told with file and line", r.code == 2 and "wrong.yaml:" in r.err, r)
    tiered = net.write("tiered.yaml", net.read("wrong.yaml").replace("2024-12-31", "2026-12-31").replace("rate: 30%\n", "") +
                       "tiers:\n  - {rate: 60%, when: [{of: holder, what: standing, in: [startup]}]}\n")
    r = net.run("programme", "check", tiered, "--json")
    check("all terms of a programme are shown as the message has them", r.code == 0 and r.json["programmes"][0]["tiers"] ==
          [{"group": 1, "rate_bp": 6000, "lump_fen": 0, "cap_claim_fen": 0}] and r.json["programmes"][0]["pool_fen"] == 10**10, r)
    net.programme(SH, 1, SH)
    r = net.run("programme", "publish", net.path("310000-1.yaml"), **issuer)
    check("the same version is not published twice", r.code == 1 and "version 1 after 1" in r.err, r)
    r = net.run("programme", "publish", net.path("310000-1.yaml"), node=SH, key=net.key(f"issuer:{GD}"))
    check("another issuer may not publish it", r.code == 1, r)
    listed = net.must("programme", "list", "--json", node=GD, key=net.operator(GD)).json["programmes"]
    until = time.monotonic() + 20
    while not listed and time.monotonic() < until:
        listed = net.must("programme", "list", "--json", node=GD, key=net.operator(GD)).json["programmes"]
    check("the other node knows it too", [(p["issuer"], p["number"]) for p in listed] == [(310000, 1)], listed)

    # ---- enrolment ----
    holder_key = net.enrol("holder", holder, SH)
    provider_key = net.enrol("provider", provider, GD)
    r = net.run("holder", "enrol", holder_key, **operator)
    check("the same enrolment again is no error", r.code == 0, r)
    public = net.must("key", "show", net.keygen(f"holder:{uscc(31, 3)}"), "--json").json
    rows = f"uscc,key,transport_key\n{uscc(31, 3)},{public['public']},{public['transport_public']}\n"
    bad = net.write("bad.csv", rows + f"{uscc(31, 4)[:-1]}!,{public['public']},\n{uscc(31, 5)},{'0' * 64},{'0' * 64}\n")
    r = net.run("holder", "enrol", bad, "--json", **operator)
    check("wrong rows of an enrolment are listed, and nothing is sent", r.code == 2 and [p["line"] for p in r.json["problems"]] == [3, 4], r)
    r = net.run("holder", "enrol", net.write("good.csv", rows), "--json", **operator)
    check("keys may stand in the file", r.code == 0 and r.json == {"enrolled": 1}, r)
    r = net.run("holder", "enrol", holder_key, node=SH, key=net.operator(GD))
    check("an operator of another node may not", r.code == 1 and "may not send this" in r.err, r)
    r = net.run("status", "--timeout", "1", node=SH, key=net.keygen(f"holder:{uscc(31, 9)}"))
    check("who is not enrolled gets no answer, and is told what that may mean", r.code == 3 and "not enrolled" in r.err, r)

    # ---- grants ----
    grants = net.write("grants.csv", f"持券方,面额元,有效期至\n{holder},\"100,000.00\",2030-12-31\n{uscc(31, 3)},5.5,20301231\n")
    r = net.run("grant", grants, "--programme", "310000/1", "--out", net.path("vouchers.csv"), **issuer)
    vouchers = list(csv.DictReader(io.StringIO(net.read("vouchers.csv"))))
    check("each row gets its voucher, in order", r.code == 0 and [(v["voucher"], v["holder"], v["face_fen"]) for v in vouchers] ==
          [("3100000001000000001", holder, "10000000"), ("3100000001000000002", uscc(31, 3), "550")], r)
    r = net.run("grant", grants, "--programme", "310000/1", "--json", **issuer)
    check("the same file grants nothing more", r.code == 0 and r.json["sent_before"] and len(r.json["vouchers"]) == 2 and
          net.must("programme", "list", "--json", **issuer).json["programmes"][0]["vouchers"] == 2, r)
    unknown = net.write("unknown.csv", f"holder,face_yuan,until_day\n{uscc(31, 77)},1,2030-12-31\n")
    r = net.run("grant", unknown, "--programme", "310000/1", **issuer)
    check("a holder whom nobody enrolled is refused by the node", r.code == 1 and uscc(31, 77) in r.err, r)
    net.enrol("holder", uscc(31, 77), SH)
    r = net.run("grant", unknown, "--programme", "310000/1", "--json", **issuer)
    check("after enrolment the same command grants", r.code == 0 and r.json["vouchers"][0]["voucher"] == "3100000001000000003", r)
    net.write("310000-2.yaml", net.read("310000-1.yaml").replace("number: 1", "number: 2") + "grant_documents: [contract]\n")
    net.must("programme", "publish", net.path("310000-2.yaml"), **issuer)
    header = "holder,face_yuan,until_day,seller,contract,contract_yuan,contract_day,documents,facts\n"
    r = net.run("grant", net.write("nodoc.csv", header + f"{holder},3,2030-12-31,{provider},HT-1,10,2026-01-05,,\n"), "--programme", "310000/2", **issuer)
    check("a grant without the document that its programme asks for is refused", r.code == 1 and "document" in r.err, r)
    r = net.run("grant", net.write("doc.csv", header + f"{holder},3,2030-12-31,{provider},HT-1,10,2026-01-05,contract,grade=1\n"), "--programme", "310000/2",
                "--json", **issuer)
    check("with contract, document and facts it is granted", r.code == 0 and r.json["vouchers"][0]["voucher"] == "3100000002000000001", r)

    big = net.write("big.csv", "holder,face_yuan,until_day\n" + f"{holder},0.01,2030-12-31\n" * 40000)
    kills = 0
    for i in range(200):  # first at once, then later and later, until one comes to its end
        process = net.begin("grant", big, "--programme", "310000/1", "--out", net.path("big.out"), **issuer)
        time.sleep(random.uniform(i, i + 1) * 0.004)
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate()
        if process.returncode == 0:
            break
    r = net.run("grant", big, "--programme", "310000/1", "--out", net.path("big.out"), **issuer)
    numbers = [int(v["voucher"]) for v in csv.DictReader(io.StringIO(net.read("big.out")))]
    check("a grant that is killed at random moments grants each row once (at least one kill)", kills > 0 and r.code == 0 and
          numbers == list(range(3100000001000000004, 3100000001000000004 + 40000)) and
          net.must("programme", "list", "--json", **issuer).json["programmes"][0]["vouchers"] == 40003, f"{kills} kills {r}")

    # ---- mandates ----
    voucher = vouchers[0]["voucher"]
    mandates = net.write("mandates.csv", f"voucher,provider,limit_yuan,until\n{voucher},{provider},50000,2030-06-30\n{voucher},{provider},1,2030-06-30\n")
    r = net.run("mandate", mandates, node=SH, key=holder_key)
    check("two mandates for the same voucher and provider are a mistake", r.code == 2 and "line 2 already" in r.err, r)
    mandates = net.write("mandates.csv", f"voucher,provider,limit_yuan,until\n{voucher},{provider},50000,2030-06-30 12:00\n")
    r = net.run("mandate", mandates, "--json", node=SH, key=holder_key)
    check("a mandate is given", r.code == 0 and r.json == {"mandates": 1}, r)
    r = net.run("mandate", mandates, node=SH, key=net.key(f"holder:{uscc(31, 3)}"))
    check("nobody gives mandates on another's voucher", r.code == 1 and voucher in r.err, r)

    # ---- across regions, to the end of the window ----
    rows = "".join(f"{voucher},3.00,10.00,2644200000{i:010d},10.00,7,2026-09-01\n" for i in range(1, 101))
    batch = net.write("batch.csv", "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day\n" + rows)
    r = net.run("submit", batch, "--json", node=GD, key=provider_key)
    check("a provider of one region redeems a voucher of another", r.code == 0 and r.json["amount_fen"] == 30000, r)
    r = net.run("window", "cut", "9", **operator)
    check("only the open window is cut", r.code == 1 and "window" in r.err, r)
    r = net.run("window", "cut", "--wait", "--json", **operator)
    check("a window is cut and becomes final", r.code == 0 and r.json["state"] == "final" and r.json["payments"] ==
          [{"kind": 1, "payer": SH, "payee": "hub", "amount_fen": 30000}, {"kind": 1, "payer": "hub", "payee": GD, "amount_fen": 30000}], r)
    r = net.run("window", "1", "--json", node=GD, key=net.key("regulator:mof"))
    check("a regulator reads the same at the other node", r.json["payments"][0]["amount_fen"] == 30000 and sorted(r.json["signers"]) == [SH, GD], r)
    r = net.run("window", "1", node=GD, key=provider_key)
    check("a provider does not", r.code == 1, r)
    r = net.run("confirm", "1", "--role", "maker", **operator)
    check("without a terminal nothing is confirmed unless one says so", r.code == 2 and "--yes" in r.err, r)
    net.must("confirm", "1", "--role", "maker", "--yes", **operator)
    r = net.run("confirm", "1", "--role", "checker", "--yes", **operator)
    check("maker and checker are two people", r.code == 1 and "two operators" in r.err, r)
    bank = net.write("bank.csv", f"kind,payer,payee,amount_yuan\ncompute,{SH},hub,300.01\n")
    checker = {"node": SH, "key": net.operator(SH, "checker")}
    r = net.run("confirm", "1", "--role", "checker", "--payments", bank, "--yes", **checker)
    state = net.must("window", "1", "--json", **operator).json["state"]
    check("a fen more at the bank is a break", r.code == 1 and "30001" in r.err and state == "break", f"{state} {r}")
    bank = net.write("bank.csv", f"券种,付款方,收款方,金额元\n算力券,{SH},hub,300.00\n")
    net.must("confirm", "1", "--role", "maker", "--payments", bank, "--yes", **operator)
    net.must("confirm", "1", "--role", "checker", "--payments", bank, "--yes", **checker)
    states = [w["state"] for w in net.must("window", "--json", **operator).json["windows"]]
    check("right payments of two people settle it", states == ["settled", "open"], states)

    # ---- revocation ----
    r = net.run("revoke", voucher, "--json", **issuer)
    check("a voucher is revoked", r.code == 0 and r.json == {"revoked": 1}, r)
    more = net.write("more.csv", "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day\n" + rows.replace("26442", "26443", 1).split("\n")[0] + "\n")
    r = net.run("submit", more, "--json", node=GD, key=provider_key)
    check("and cannot be redeemed any more", r.code == 1 and r.json["refused"] == {"SQ_R_VOUCHER_REVOKED": 1}, r)
done()
